// The sheet in which the lights are put into an order: by buttons, by keys, or by dragging a row at its handle.

import { mayControl } from '../me.js';
import { isLive, nodeOf } from '../page-state.js';
import { arrange, make, icon, setAttributes, write } from '../view/dom.js';
import { lineOf } from '../view/problem.js';
import { Sheet } from '../view/sheet.js';
import { t } from '../words.js';

const SETTLES = 1000; // ms

export class OrderSheet extends Sheet {
  /** `send(order)` returns a promise of the reply to the new order, the ids of all lights. */
  constructor(dialog, send) {
    super(dialog);
    write(dialog.querySelector('h2'), t('order_title'));
    this._send = send;
    this._list = dialog.querySelector('.order-rows');
    this._problem = dialog.querySelector('.form-problem');
    this._said = dialog.querySelector('.order-said');
    this._rows = new Map();
    this._order = []; // as it is shown
    this._sending = 0; // orders without an answer
    this._answered = null; // the last order that the panel has taken, until the state has it too
    this._dragged = null; // the light whose row is in the hand
  }

  open(state) {
    this._answered = null;
    this._problem.hidden = true;
    write(this._said, '');
    this._show();
    this.render(state);
    this._list.querySelector('button:enabled')?.focus({ preventScroll: true });
  }

  /** Draw what the panel has; but the order of this page, until the panel has answered to it. */
  render(state) {
    if (!this.isOpen) return;
    this._state = state;
    const ids = Object.keys(state.lights);
    if (this._answered === ids.join(' ')) this._answered = null;
    const own = this._sending || this._answered || this._dragged;
    const kept = own ? this._order.filter((id) => id in state.lights) : [];
    this._order = kept.length ? [...kept, ...ids.filter((id) => !kept.includes(id))] : ids;
    this._draw();
  }

  _draw() {
    const usable = isLive(this._state) && mayControl(this._state.me);
    const rows = this._order.map((id, place) => this._rowOf(id, { place, usable }));
    arrange(this._list, rows);
    for (const id of this._rows.keys()) if (!(id in this._state.lights)) this._rows.delete(id);
  }

  _rowOf(id, { place, usable }) {
    if (!this._rows.has(id)) this._rows.set(id, this._makeRow(id));
    const { element, parts } = this._rows.get(id);
    const { name } = this._state.lights[id];
    write(parts.name, name);
    write(parts.node, nodeOf(id));
    // `disabled` would take the focus away from a light that has come to the end.
    setAttributes(parts.up, { 'aria-label': t('order_up', { name }), 'aria-disabled': !usable || place === 0 });
    setAttributes(parts.down, {
      'aria-label': t('order_down', { name }),
      'aria-disabled': !usable || place === this._order.length - 1,
    });
    parts.handle.hidden = !usable;
    element.classList.toggle('in-hand', this._dragged === id);
    return element;
  }

  _makeRow(id) {
    const button = (direction) => make('button', { type: 'button', className: `round quiet ${direction}` }, icon(direction));
    const parts = {
      handle: make('span', { className: 'order-handle', ariaHidden: 'true' }, icon('grip')),
      name: make('span', { className: 'order-name' }),
      node: make('span', { className: 'order-node' }),
      up: button('up'),
      down: button('down'),
    };
    const element = make('li', { className: 'order-row' }, ...Object.values(parts));
    element.dataset.light = id;
    for (const [direction, by] of [['up', -1], ['down', 1]]) {
      parts[direction].addEventListener('click', ({ currentTarget: { ariaDisabled } }) => {
        if (ariaDisabled === 'true') return;
        this._move(id, this._order.indexOf(id) + by);
        this._keep(id);
      });
    }
    this._listen(id, parts.handle);
    return { element, parts };
  }

  /** A row in the hand is moved in the list, which ends a capture of the pointer: so the window hears it. */
  _listen(id, handle) {
    handle.addEventListener('pointerdown', (event) => {
      if (event.button !== 0 || this._dragged) return;
      event.preventDefault();
      const before = this._order;
      const end = new AbortController();
      const drop = (kept) => {
        end.abort();
        this._dragged = null;
        if (!kept) this._order = before;
        this._draw();
        if (kept && this._order !== before) this._keep(id);
      };
      const listen = (type, act) =>
        addEventListener(type, (one) => one.pointerId === event.pointerId && act(one), { signal: end.signal });
      listen('pointermove', ({ clientY }) => this._dragTo(id, clientY));
      listen('pointerup', () => drop(true));
      listen('pointercancel', () => drop(false));
      this._dragged = id;
      this._draw();
    });
  }

  _dragTo(id, y) {
    const place = this._order.findIndex((one) => y < this._rows.get(one).element.getBoundingClientRect().bottom);
    this._move(id, place < 0 ? this._order.length - 1 : place);
    this._rows.get(id).element.scrollIntoView({ block: 'nearest' });
  }

  _move(id, place) {
    if (this._order[place] === id) return;
    const order = this._order.filter((one) => one !== id);
    order.splice(place, 0, id);
    this._order = order;
    this._draw();
  }

  /** Have the panel keep the order as it is shown. */
  async _keep(id) {
    const place = this._order.indexOf(id) + 1;
    write(this._said, t('order_said', { name: this._state.lights[id].name, place, all: this._order.length }));
    this._sending += 1;
    const order = this._order;
    const reply = await this._send(order);
    this._sending -= 1;
    if (reply.ok) this._settle(order.join(' '));
    this._problem.hidden = reply.ok;
    if (!reply.ok) write(this._problem, reply.problem ? lineOf(reply.problem) : t('setup_failed'));
    this.render(this._state);
  }

  /** The answer comes before the state that is drawn has the order. If it never has, somebody else was faster. */
  _settle(order) {
    this._answered = order;
    setTimeout(() => {
      if (this._answered !== order) return;
      this._answered = null;
      this.render(this._state);
    }, SETTLES);
  }
}
