// The page around the cards: `render(state)` puts the whole state on it.

import { isLive, shown } from '../state.js';
import { ago, t } from '../words.js';
import { renderFix } from './fix.js';
import { renderMark } from './mark.js';
import { Notices } from './notices.js';

export { inMilliseconds } from './mark.js';

export class PanelView {
  /** `makeCard(id)` makes a light's card, `dismiss(id)` takes a notice away, `retry()` connects now. */
  constructor({ makeCard, dismiss, retry }) {
    this._makeCard = makeCard;
    this._cards = new Map();
    this._notices = new Notices(document.getElementById('notices'), dismiss);
    this._status = null;
    const part = (id) => document.getElementById(id);
    this._parts = {
      mark: part('mark'),
      lost: part('lost'),
      summary: part('summary'),
      lights: part('lights'),
      empty: part('empty'),
      hardware: part('hardware'),
      spoken: part('spoken'),
    };
    this._parts.lost.querySelector('button').addEventListener('click', retry);
  }

  render(state) {
    document.body.dataset.link = state.link.status;
    renderMark(this._parts.mark, state.link);
    this._renderLost(state);
    this._speak(state.link);
    if (state.lights) this._renderLights(state);
    this._renderHardware(state.hardware);
    this._notices.render(state.notices);
  }

  _renderLost(state) {
    const { status, restarting, refused, retryAt, since } = state.link;
    const { lost } = this._parts;
    const down = status === 'reconnecting' || status === 'offline';
    // A blink of the network is told by the mark alone; the banner is for what lasts.
    lost.hidden = !down || refused || (status === 'reconnecting' && Date.now() - since < 1500);
    if (lost.hidden) return;
    const seconds = retryAt ? Math.max(Math.ceil((retryAt - Date.now()) / 1000), 0) : 0;
    const said = [t('lost_retry', { seconds })];
    if (!navigator.onLine) said.unshift(t('lost_network'));
    if (state.lights && since) said.unshift(t('lost_since', { age: ago(since / 1000, Date.now() / 1000) }));
    write(lost.querySelector('.banner-title'), t(restarting ? 'lost_restarting' : 'lost_title'));
    write(lost.querySelector('.banner-text'), said.join(' '));
  }

  /** Tell a screen reader when the connection goes and comes, not each attempt. */
  _speak({ status }) {
    if (status === this._status) return;
    const back = status === 'live' && this._status !== 'connecting';
    const key = { reconnecting: 'link_lost', offline: 'link_offline', live: back && 'link_live' }[status];
    if (key) write(this._parts.spoken, t(key));
    this._status = status;
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

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
