// The list of the lights of this panel: how each is set up, and whether its pin works.

import { renderFix } from '../lights/fix.js';
import { lock } from '../lock.js';
import { mayControl } from '../me.js';
import { isLive } from '../page-state.js';
import { make, setAttributes, write } from '../view/dom.js';
import { reasonInWords } from '../view/problem.js';
import { t, translate } from '../words.js';
import { placeOf } from './pins.js';
import { mayChange } from './state.js';

/** The id without the name of the panel, which stands before it where several share an engine. */
export function ownId(id) {
  return id.split('.').at(-1);
}

export class ListView {
  /** `flash(id)` has a light flash, `change(setup, name)` opens the sheet of a light. */
  constructor({ flash, change }) {
    this._flash = flash;
    this._change = change;
    this._rows = new Map();
    const part = (id) => document.getElementById(id);
    this._parts = {
      rows: part('rows'),
      none: part('none'),
      fixedHow: part('fixed-how'),
      simulated: part('simulated'),
      trouble: part('trouble'),
      why: part('trouble').querySelector('.trouble-why'),
      fix: part('trouble').querySelector('.fix'),
    };
  }

  render(state) {
    const { rows, none, fixedHow, simulated } = this._parts;
    const lights = state.setup?.lights ?? [];
    setAttributes(rows, { 'aria-busy': state.setup === null && state.me?.role !== 'nobody' });
    const isStranger = state.me?.role === 'nobody' && state.setup === null;
    none.hidden = !isStranger && (state.setup === null || lights.length > 0);
    write(none, t(isStranger ? 'setup_nobody' : 'setup_none'));
    simulated.hidden = state.hardware?.pins !== 'mock' || lights.length === 0;
    fixedHow.hidden = !lights.some(({ fixed }) => fixed);
    const shared = this._renderTrouble(state, lights);
    const elements = lights.map((light) => this._rowOf(state, light, shared));
    elements.forEach((element, index) => {
      if (rows.children[index] !== element) rows.insertBefore(element, rows.children[index] ?? null);
    });
    while (rows.children.length > elements.length) rows.lastElementChild.remove();
    for (const id of this._rows.keys()) if (!lights.some((light) => light.id === id)) this._rows.delete(id);
  }

  /** Say once why several lights are offline. Return that reason. */
  _renderTrouble(state, lights) {
    const { trouble, why, fix } = this._parts;
    const reasons = lights.map(({ id }) => state.lights[id]).filter((light) => light && !light.online);
    const shared = reasons.find(({ reason }) => reasons.filter((one) => one.reason === reason).length > 1)?.reason;
    const help = reasons.length ? (state.hardware?.fix ?? null) : null;
    trouble.hidden = shared === undefined && !help;
    const n = reasons.filter(({ reason }) => reason === shared).length;
    write(why, shared === undefined ? '' : t('setup_several_offline', { n, why: reasonInWords(shared) }));
    renderFix(fix, help);
    return shared;
  }

  _rowOf(state, light, shared) {
    const { id, fixed, pin } = light;
    if (!this._rows.has(id)) this._rows.set(id, this._makeRow(id));
    const row = this._rows.get(id);
    row.setup = light;
    const { element, parts } = row;
    const now = state.lights[id];
    const name = (row.name = now?.name ?? ownId(id)); // as on all other pages
    setAttributes(element, { 'data-light': id, 'data-on': Boolean(now?.on), 'data-online': now?.online ?? true });
    write(parts.name, name);
    write(parts.where, t('setup_where', { pin, place: placeOf(pin), id: ownId(id) }));
    const specials = specialsOf(light);
    if (parts.special.dataset.of !== specials.join()) {
      parts.special.dataset.of = specials.join();
      parts.special.replaceChildren(...specials.map((word) => make('span', { className: 'special' }, word)));
    }
    const isOffline = now !== undefined && !now.online;
    const why = isOffline && now.reason && now.reason !== shared ? t('setup_offline_why', { why: reasonInWords(now.reason) }) : '';
    write(parts.why, why || (isOffline ? t('setup_offline') : ''));
    parts.flash.disabled = !isLive(state) || isOffline;
    parts.change.hidden = fixed;
    parts.change.disabled = !isLive(state);
    lock(parts.change, mayChange(state) ? null : 'admin');
    setAttributes(parts.flash, { 'aria-label': t('flash_of', { name }), title: t('flash_of', { name }) });
    lock(parts.flash, mayControl(state.me) ? null : 'lights');
    setAttributes(parts.change, { 'aria-label': t('setup_change_of', { name }) });
    return element;
  }

  _makeRow(id) {
    const element = document.getElementById('row').content.firstElementChild.cloneNode(true);
    translate(element);
    const find = (selector) => element.querySelector(selector);
    const parts = {
      name: find('h2'),
      where: find('.row-where'),
      special: find('.row-special'),
      why: find('.row-why'),
      flash: find('.flash'),
      change: find('.change'),
    };
    const row = { element, parts, setup: null };
    parts.flash.addEventListener('click', () => this._flash(id));
    parts.change.addEventListener('click', () => this._change(row.setup, row.name));
    return row;
  }
}

/** In words, where a light differs from one that is only plugged in. */
function specialsOf(light) {
  const { frequency, gamma, min, max, exit, restore, auto_off, active_high } = light;
  return [
    light.fixed && t('setup_fixed'),
    frequency !== 100 && t('setup_is_frequency', { value: frequency }),
    gamma !== 1 && t('setup_is_gamma', { value: gamma }),
    (min !== 0 || max !== 100) && t('setup_is_range', { min, max }),
    auto_off !== null && t('setup_is_auto_off', { value: auto_off }),
    restore !== 'last' && t('setup_is_restore', { value: restore }),
    exit !== 'keep' && t('setup_is_exit', { value: exit }),
    !active_high && t('setup_is_active_low'),
  ].filter(Boolean);
}
