// The lights page around its cards: `render(state)` draws the whole state.

import { write } from '../view/dom.js';
import { LinkView } from '../view/link.js';
import { Notices } from '../view/notices.js';
import { t } from '../words.js';
import { renderFix } from './fix.js';
import { shown } from './state.js';

export class LightsView {
  /** `makeCard(id)` makes the card of a light, `dismiss(id)` removes a notice, `retry()` connects now. */
  constructor({ makeCard, dismiss, retry }) {
    this._makeCard = makeCard;
    this._cards = new Map();
    this._link = new LinkView(retry);
    this._notices = new Notices(dismiss);
    const part = (id) => document.getElementById(id);
    this._parts = {
      summary: part('summary'),
      lights: part('lights'),
      empty: part('empty'),
      hardware: part('hardware'),
    };
  }

  render(state) {
    this._link.render(state.link, Boolean(state.lights));
    if (state.lights) this._renderLights(state);
    this._renderHardware(state.hardware);
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
    for (const light of all) {
      if (!this._cards.has(light.id)) {
        const card = this._makeCard(light.id);
        this._cards.set(light.id, card);
        lights.append(card.element);
      }
      this._cards.get(light.id).render(state, light);
    }
    for (const [id, card] of this._cards) {
      if (id in state.lights) continue;
      card.element.remove();
      this._cards.delete(id);
    }
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
