// The lights page around its cards: `render(state)` draws the whole state.

import { naturally, nodeOf } from '../page-state.js';
import { write } from '../view/dom.js';
import { LinkView } from '../view/link.js';
import { Notices } from '../view/notices.js';
import { t } from '../words.js';
import { renderFix } from './fix.js';
import { NodeHeading, awayOf } from './node-heading.js';
import { Nodes } from './nodes.js';
import { shown } from './state.js';

export class LightsView {
  /** `makeCard(id)` makes the card of a light, `dismiss(id)` removes a notice, `retry()` connects now.
   *
   * `followed()` returns the names of the nodes that the page shows (none: all), `follow(names)` chooses others.
   */
  constructor({ makeCard, dismiss, retry, followed, follow }) {
    this._makeCard = makeCard;
    this._cards = new Map();
    this._headings = new Map(); // of nodes
    this._link = new LinkView(retry);
    this._nodes = new Nodes(document.getElementById('nodes'), { followed, follow });
    this._notices = new Notices(dismiss);
    const part = (id) => document.getElementById(id);
    this._parts = {
      summary: part('summary'),
      lights: part('lights'),
      empty: part('empty'),
      alone: part('alone'),
      hardware: part('hardware'),
    };
  }

  render(state) {
    this._link.render(state.link, Boolean(state.lights));
    if (state.lights) this._renderLights(state);
    this._renderHardware(state.hardware);
    this._nodes.render(state.nodes);
    this._notices.render(state.notices);
  }

  _renderLights(state) {
    const { lights, empty, summary } = this._parts;
    const all = Object.values(state.lights);
    if (lights.getAttribute('aria-busy') === 'true') {
      lights.replaceChildren();
      lights.setAttribute('aria-busy', 'false');
    }
    empty.hidden = all.length > 0;
    lights.hidden = all.length === 0;
    lights.dataset.count = all.length;
    write(summary, all.length > 1 ? inSummary(state, all) : '');
    for (const [id, card] of this._cards) {
      if (id in state.lights) continue;
      card.element.remove();
      this._cards.delete(id);
    }
    const shownOnes = [];
    const nodes = byNode(all);
    const shared = this._renderAlone(nodes);
    for (const [node, ofNode] of nodes) {
      if (node) shownOnes.push(...this._heading(node).render(ofNode, shared));
      for (const light of ofNode) {
        if (!this._cards.has(light.id)) this._cards.set(light.id, this._makeCard(light.id));
        const card = this._cards.get(light.id);
        shownOnes.push(card.element);
        card.render(state, light);
      }
    }
    arrange(lights, shownOnes);
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

  _heading(node) {
    if (!this._headings.has(node)) this._headings.set(node, new NodeHeading(node));
    return this._headings.get(node);
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
}

function byNode(lights) {
  const nodes = new Map();
  for (const light of lights) {
    const node = nodeOf(light.id);
    nodes.set(node, [...(nodes.get(node) ?? []), light]);
  }
  return [...nodes].sort(([one], [other]) => naturally(one, other));
}

/** Let the box have exactly these elements, in this order. What is in its place already is not moved. */
function arrange(box, elements) {
  elements.forEach((element, index) => {
    if (box.children[index] !== element) box.insertBefore(element, box.children[index] ?? null);
  });
  while (box.children.length > elements.length) box.lastElementChild.remove();
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
