// The lights page: `render(state)` draws the whole state. One light is a card; several are tiles, in sections.

import { mayControl } from '../me.js';
import { isLive } from '../page-state.js';
import { arrange, write } from '../view/dom.js';
import { LinkView } from '../view/link.js';
import { Notices } from '../view/notices.js';
import { inWords } from '../view/problem.js';
import { t } from '../words.js';
import { byNode, isLit, sectionsOf } from './arrangement.js';
import { renderFix } from './fix.js';
import { awayOf } from './node-heading.js';
import { Nodes } from './nodes.js';
import { SceneRow } from './scenes.js';
import { NodeSection } from './section.js';
import { LightSheet } from './sheets.js';
import { shown } from './state.js';

const FEW = 6; // lights; so few have larger tiles

export class LightsView {
  /**
   * `make` has functions that make the `card(id)` of a light, its `tile(id, open)` and the section of a `group(id)`.
   * `scenes` are those of SceneRow. `allOff()` turns all lights off, `addGroup()` makes a new group, `undo(id, command)` is
   * called with a notice and its command, `dismiss(id)` removes a notice, `retry()` connects now.
   *
   * `followed()` returns the names of the nodes that the page shows (none: all), `follow(names)` chooses others.
   */
  constructor({ make, scenes, addGroup, allOff, undo, dismiss, retry, followed, follow }) {
    this._make = make;
    this._undo = undo;
    this._followed = followed;
    this._cards = new Map();
    this._tiles = new Map(); // by section and light: a light may be in several groups
    this._sections = new Map();
    const part = (id) => document.getElementById(id);
    this._parts = {
      page: document.querySelector('main'),
      summary: part('summary'),
      lights: part('lights'),
      empty: part('empty'),
      alone: part('alone'),
      hardware: part('hardware'),
      allOff: part('all-off'),
      addGroup: part('add-group'),
    };
    this._link = new LinkView(retry);
    this._nodes = new Nodes(part('nodes'), { followed, follow });
    this._notices = new Notices(dismiss);
    this._scenes = new SceneRow(part('scenes'), scenes);
    this._sheet = new LightSheet(part('light-sheet'));
    this._parts.allOff.addEventListener('click', allOff);
    this._parts.addGroup.addEventListener('click', addGroup);
  }

  render(state) {
    this._state = state;
    this._link.render(state.link, Boolean(state.lights));
    if (state.lights) this._renderLights(state);
    this._renderHardware(state.hardware);
    this._nodes.render(state.nodes);
    this._notices.render(state.notices, (notice) => this._wordsOf(notice));
  }

  _renderLights(state) {
    const { page, lights, empty, summary, allOff, addGroup } = this._parts;
    const all = Object.values(state.lights);
    const many = all.length > 1;
    const usable = isLive(state) && mayControl(state.me);
    if (lights.getAttribute('aria-busy') === 'true') {
      lights.replaceChildren();
      lights.setAttribute('aria-busy', 'false');
    }
    empty.hidden = all.length > 0;
    lights.hidden = all.length === 0;
    lights.dataset.count = all.length;
    lights.dataset.size = all.length > FEW ? 'small' : 'large';
    page.classList.toggle('many', many);
    write(summary, many ? inSummary(state, all) : '');
    allOff.hidden = !many;
    allOff.disabled = !usable;
    addGroup.hidden = !many || !mayControl(state.me);
    addGroup.disabled = !usable;
    this._scenes.render(state, many);
    this._forget(state);
    if (this._sheet.isOpen) this._renderSheet(state, many);
    const shared = this._renderAlone(byNode(all));
    const chosen = this._followed().length > 0; // only some nodes: groups may have none of their lights
    const sections = sectionsOf(state).filter((section) => section.lights.length || !section.group || !chosen);
    arrange(lights, sections.map((section) => this._renderSection(state, section, { many, shared })));
  }

  /** Forget what belongs to lights and groups that are gone. */
  _forget(state) {
    for (const id of this._cards.keys()) if (!(id in state.lights)) this._cards.delete(id);
    for (const [key, tile] of this._tiles) if (!(tile.element.dataset.light in state.lights)) this._tiles.delete(key);
    for (const [key, section] of this._sections) {
      const { group } = section.element.dataset;
      if (group !== undefined && !(group in state.groups)) this._sections.delete(key);
    }
  }

  _renderSection(state, section, { many, shared }) {
    const { group, node, lights } = section;
    const key = group ? `group ${group.id}` : `node ${node}`;
    if (!this._sections.has(key)) this._sections.set(key, group ? this._make.group(group.id) : new NodeSection(node));
    const known = this._sections.get(key);
    if (group) known.render(state, section);
    else known.render(section, shared, many && Object.keys(state.groups).length > 0);
    const elements = lights.map((light) =>
      many ? this._renderTile(state, light, key, Boolean(group)) : this._renderCard(state, light),
    );
    arrange(known.box, elements);
    return known.element;
  }

  _renderTile(state, light, section, named) {
    const key = `${section} ${light.id}`;
    if (!this._tiles.has(key)) {
      this._tiles.set(key, this._make.tile(light.id, (opener) => this._open(light.id, opener)));
    }
    const tile = this._tiles.get(key);
    tile.render(state, light, named);
    return tile.element;
  }

  _renderCard(state, light) {
    if (!this._cards.has(light.id)) this._cards.set(light.id, this._make.card(light.id));
    const card = this._cards.get(light.id);
    card.render(state, light);
    return card.element;
  }

  /** Show the card of a light over the page. */
  _open(id, opener) {
    this._renderCard(this._state, this._state.lights[id]);
    this._sheet.open(id, this._cards.get(id), opener);
  }

  _renderSheet(state, many) {
    const light = state.lights[this._sheet.light];
    if (light && many) this._renderCard(state, light);
    else this._sheet.close();
  }

  /** Say once why several panels are away. Return that reason: it is then this panel that has no connection. */
  _renderAlone(nodes) {
    const counts = new Map();
    for (const [, lights] of nodes) {
      const reason = awayOf(lights)?.reason;
      if (reason) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
    const [shared, n] = [...counts].find(([, count]) => count > 1) ?? [null, 0];
    const { alone } = this._parts;
    alone.hidden = !shared;
    write(alone.querySelector('.banner-title'), t('nodes_away', { n }));
    write(alone.querySelector('.banner-text'), shared ?? '');
    return shared;
  }

  _renderHardware(hardware) {
    const box = this._parts.hardware;
    box.hidden = !hardware;
    if (!hardware) return;
    write(box.querySelector('.hardware-pins'), t(`pins_${hardware.pins}`));
    write(box.querySelector('.hardware-why'), hardware.why);
    renderFix(box.querySelector('.fix'), hardware.fix);
    box.classList.toggle('needs', Boolean(hardware.fix));
  }

  _wordsOf({ id, problem, title, undo }) {
    if (!undo) return inWords(problem);
    return { title, look: 'done', action: { label: t('undo'), press: () => this._undo(id, undo) } };
  }
}

/** "2 of 3 on, 1 offline". */
function inSummary(state, lights) {
  const online = lights.filter((light) => light.online);
  const on = online.filter((light) => isLit(shown(state, light.id))).length;
  const offline = lights.length - online.length;
  const parts = [];
  if (online.length) parts.push(t('lights_on', { on, all: online.length }));
  if (offline) parts.push(t('lights_offline', { offline, all: lights.length }));
  return parts.join(', ');
}
