// The lights page: `render(state)` draws the whole state. One light is a card; several are tiles, in sections.

import { lock } from '../lock.js';
import { mayControl } from '../me.js';
import { isLive } from '../page-state.js';
import { arrange, write } from '../view/dom.js';
import { LinkView } from '../view/link.js';
import { Notices } from '../view/notices.js';
import { inWords } from '../view/problem.js';
import { t } from '../words.js';
import { sectionsOf } from './arrangement.js';
import { Faults, faultsOf } from './faults.js';
import { Nodes } from './nodes.js';
import { PeopleRow } from './people.js';
import { Playing } from './playing.js';
import { SceneRow } from './scenes.js';
import { NodeSection } from './section.js';
import { LightSheet } from './light-sheet.js';
import { shown } from './state.js';

const FEW = 6; // lights; so few have larger tiles
const CROWD = 60; // more are drawn only where they are in sight

export class LightsView {
  /**
   * `make` has functions that make the `card(id)` of a light, its `tile(id, open)` and the section of a `group(id)`.
   * `scenes` are those of SceneRow, `signal` is that of Playing. `allOff()` turns all lights off, `addGroup()` makes a new group, `undo(id, command)` is
   * called with a notice and its command, `dismiss(id)` removes a notice, `retry()` connects now.
   *
   * `followed()` returns the names of the nodes that the page shows (none: all), `follow(names)` chooses others.
   */
  constructor({ make, scenes, signal, addGroup, allOff, undo, dismiss, retry, followed, follow }) {
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
      pinsNote: part('pins-note'),
      allOff: part('all-off'),
      addGroup: part('add-group'),
    };
    this._link = new LinkView(retry);
    this._nodes = new Nodes(part('nodes'), { followed, follow });
    this._notices = new Notices(dismiss);
    this._people = new PeopleRow(part('here'));
    this._scenes = new SceneRow(part('scenes'), scenes);
    this._playing = new Playing(part('playing'), signal);
    this._faults = new Faults(part('faults'));
    this._sheet = new LightSheet(part('light-sheet'));
    this._parts.allOff.addEventListener('click', allOff);
    this._parts.addGroup.addEventListener('click', addGroup);
  }

  render(state) {
    this._state = state;
    this._link.render(state.link, Boolean(state.lights));
    if (state.lights) this._renderLights(state);
    this._people.render(state);
    this._renderPins(state.hardware);
    this._nodes.render(state.nodes);
    this._playing.render(state);
    this._notices.render(state.notices, (notice) => this._wordsOf(notice));
  }

  _renderLights(state) {
    const { page, lights, empty, summary, allOff, addGroup } = this._parts;
    const all = Object.values(state.lights);
    const many = all.length > 1;
    const may = mayControl(state.me);
    if (lights.getAttribute('aria-busy') === 'true') {
      lights.replaceChildren();
      lights.setAttribute('aria-busy', 'false');
    }
    empty.hidden = all.length > 0;
    lights.hidden = all.length === 0;
    lights.dataset.count = all.length;
    lights.dataset.size = all.length > FEW ? 'small' : 'large';
    lights.classList.toggle('crowd', all.length > CROWD);
    page.classList.toggle('many', many);
    write(summary, many ? inSummary(state, all) : '');
    allOff.hidden = !many;
    allOff.disabled = !isLive(state);
    lock(allOff, may ? null : 'lights');
    addGroup.hidden = !many || !may;
    addGroup.disabled = !isLive(state);
    this._scenes.render(state, many);
    this._forget(state);
    if (this._sheet.isOpen) this._renderSheet(state, many);
    const faults = faultsOf(all);
    this._faults.render(faults, state.hardware?.fix);
    const said = new Set(faults.flatMap((fault) => fault.lights));
    const chosen = this._followed().length > 0; // only some nodes: groups may have none of their lights
    const sections = sectionsOf(state).filter((section) => section.lights.length || !section.group || !chosen);
    arrange(lights, sections.map((section) => this._renderSection(state, section, { many, said })));
  }

  /** Forget what belongs to lights and groups that are gone. */
  _forget(state) {
    for (const id of this._cards.keys()) if (!(id in state.lights)) this._cards.delete(id);
    for (const [key, tile] of this._tiles) if (!(tile.element.dataset.light in state.lights)) this._tiles.delete(key);
    for (const [key, section] of this._sections) {
      const { group } = section.element.dataset;
      if (group !== undefined && !Object.hasOwn(state.groups, group)) this._sections.delete(key);
    }
  }

  _renderSection(state, section, { many, said }) {
    const { group, node, lights } = section;
    const key = group ? `group ${group.id}` : `node ${node}`;
    if (!this._sections.has(key)) this._sections.set(key, group ? this._make.group(group.id) : new NodeSection(node));
    const known = this._sections.get(key);
    if (group) known.render(state, section);
    else known.render(many && Object.keys(state.groups).length > 0);
    const elements = lights.map((light) =>
      many ? this._renderTile(state, light, key, { named: Boolean(group), said: said.has(light.id) }) : this._renderCard(state, light),
    );
    arrange(known.box, elements);
    return known.element;
  }

  _renderTile(state, light, section, how) {
    const key = `${section} ${light.id}`;
    if (!this._tiles.has(key)) {
      this._tiles.set(key, this._make.tile(light.id, (opener) => this._open(light.id, opener)));
    }
    const tile = this._tiles.get(key);
    tile.render(state, light, how);
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
    this._cards.get(id)?.open();
    this._renderCard(this._state, this._state.lights[id]);
    this._sheet.open(id, this._cards.get(id), opener);
  }

  _renderSheet(state, many) {
    const light = state.lights[this._sheet.light];
    if (light && many) this._renderCard(state, light);
    else this._sheet.close();
  }

  /** Say that no lamp will light up, or that there is something to fix. Settings say more. */
  _renderPins(hardware) {
    const note = this._parts.pinsNote;
    note.hidden = hardware?.pins !== 'mock' && !hardware?.fix;
    if (note.hidden) return;
    write(note.querySelector('span'), t(`pins_${hardware.pins}`));
    note.classList.toggle('needs', Boolean(hardware.fix));
  }

  _wordsOf({ id, problem, title, undo }) {
    if (!undo) return inWords(problem);
    return { title, look: 'done', action: { label: t('undo'), press: () => this._undo(id, undo) } };
  }
}

/** "2 of 3 on, 1 offline". */
function inSummary(state, lights) {
  const online = lights.filter((light) => light.online);
  const on = online.filter((light) => shown(state, light.id).on).length;
  const offline = lights.length - online.length;
  const parts = [];
  if (online.length) parts.push(t('lights_on', { on, all: online.length }));
  if (offline) parts.push(t('lights_offline', { offline, all: lights.length }));
  return parts.join(', ');
}
