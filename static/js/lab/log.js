// The log: everything that was sent and received, the newest last, at most `KEPT` entries.

import { onceAFrame } from '../once-a-frame.js';
import { make } from '../view/dom.js';
import { inMilliseconds, t } from '../words.js';
import { packetText, payloadText, sizeText } from './payload.js';

const KEPT = 500;
const NEAR = 40; // px from the end within which the list follows new entries
const ARROWS = { out: '→', in: '←' };
const WIRES = { socketio: 'Socket.IO', websocket: 'WebSocket', http: 'HTTP' };

export class Log {
  constructor(box) {
    const part = (id) => document.getElementById(id);
    this._box = box;
    this._list = part('entries');
    this._parts = {
      count: part('log-count'),
      latest: part('latest'),
      nothing: part('nothing'),
      pause: part('log-pause'),
      toLatest: part('to-latest'),
    };
    this._rows = []; // {kind, wire, direction, element, line, text}
    this._waiting = []; // rows not drawn yet
    this._draw = onceAFrame(() => this._paused || this._take());
    this._paused = false;
    this._hidden = new Set(['pings', 'packets']);
    this._wanted = '';
    this._control(part);
  }

  /** Add an entry: `{wire, via, kind, direction, name, payload | packet, ms, bytes, bad}`. */
  add(entry) {
    this._waiting.push(makeRow(entry, new Date()));
    if (this._waiting.length > KEPT) this._waiting.shift();
    if (this._paused) this._count();
    else this._draw();
  }

  _control(part) {
    this._parts.pause.addEventListener('click', () => this._pause(!this._paused));
    part('log-clear').addEventListener('click', () => this._clear());
    part('log-search').addEventListener('input', ({ target }) => {
      this._wanted = target.value.toLowerCase();
      this._filter();
    });
    for (const toggle of part('shown').querySelectorAll('[data-show]')) {
      toggle.addEventListener('click', () => {
        const show = toggle.getAttribute('aria-pressed') !== 'true';
        toggle.setAttribute('aria-pressed', show);
        if (show) this._hidden.delete(toggle.dataset.show);
        else this._hidden.add(toggle.dataset.show);
        this._filter();
      });
    }
    this._list.addEventListener('scroll', () => this._offerLatest(), { passive: true });
    this._parts.toLatest.addEventListener('click', () => this.toEnd());
    const handle = part('log-handle');
    handle.addEventListener('click', () => {
      const open = this._box.dataset.open !== 'true';
      this._box.dataset.open = open;
      handle.setAttribute('aria-expanded', open);
      this.toEnd();
    });
    this._count();
  }

  /** Scroll to the newest entry. */
  toEnd() {
    this._list.scrollTop = this._list.scrollHeight;
    this._offerLatest();
  }

  _take() {
    const following = this._follows();
    const rows = this._waiting.splice(0);
    for (const row of rows) row.element.hidden = !this._shows(row);
    this._rows.push(...rows);
    this._list.append(...rows.map(({ element }) => element));
    for (const { element } of this._rows.splice(0, Math.max(this._rows.length - KEPT, 0))) element.remove();
    const latest = rows.findLast(({ element }) => !element.hidden);
    if (latest) this._showLatest(latest);
    this._count();
    if (following) this.toEnd();
    else this._offerLatest();
  }

  _showLatest({ direction, line }) {
    const arrow = make('span', { className: 'arrow' }, ARROWS[direction] ?? '·');
    this._parts.latest.dataset.direction = direction ?? 'none';
    this._parts.latest.replaceChildren(arrow, ` ${line}`);
  }

  _shows({ kind, wire, text }) {
    if (this._hidden.has(wire)) return false;
    if (kind === 'ping' && this._hidden.has('pings')) return false;
    if (kind === 'packet' && this._hidden.has('packets')) return false;
    return text.includes(this._wanted);
  }

  _filter() {
    const following = this._follows();
    for (const row of this._rows) row.element.hidden = !this._shows(row);
    this._count();
    if (following) this.toEnd();
  }

  _pause(paused) {
    this._paused = paused;
    this._parts.pause.textContent = t(paused ? 'resume' : 'pause');
    this._parts.pause.setAttribute('aria-pressed', paused);
    if (!paused) this._take();
    this._count();
  }

  _clear() {
    this._rows = [];
    this._waiting = [];
    this._list.replaceChildren();
    this._parts.latest.textContent = '';
    this._count();
  }

  _count() {
    const shown = this._rows.filter(({ element }) => !element.hidden).length;
    const { count, nothing } = this._parts;
    count.textContent = this._paused
      ? t('lab_paused', { n: this._waiting.length })
      : t('lab_count', { shown, all: this._rows.length });
    nothing.hidden = shown > 0;
  }

  _follows() {
    return this._list.scrollHeight - this._list.scrollTop - this._list.clientHeight < NEAR;
  }

  _offerLatest() {
    this._parts.toLatest.hidden = this._follows();
  }
}

function makeRow(entry, at) {
  const payload = entry.packet ? packetText(entry.packet) : payloadText(entry.payload);
  const wire = WIRES[entry.wire] + (entry.via ? ` · ${entry.via}` : '');
  const name = entry.packet ? entry.packet.type : entry.name;
  const figures = [];
  if (entry.bytes !== undefined) figures.push(sizeText(entry.bytes));
  if (entry.ms !== undefined) figures.push(t('round_trip', { ms: inMilliseconds(entry.ms) }));

  const element = make('div', { className: 'entry' });
  element.dataset.direction = entry.direction ?? 'none';
  element.dataset.wire = entry.wire;
  element.dataset.kind = entry.kind;
  if (entry.bad) element.dataset.bad = '';
  const arrow = make('span', { className: 'arrow' }, ARROWS[entry.direction] ?? '·');
  arrow.role = 'img';
  arrow.ariaLabel = t(`lab_went_${entry.direction ?? 'none'}`);
  element.append(
    arrow,
    make('time', { className: 'at' }, clock(at)),
    make('span', { className: 'wire' }, wire),
    make('span', { className: 'figures' }, figures.join(' · ')),
    make('code', { className: 'name' }, name),
  );
  if (payload) element.append(make('pre', { className: 'payload' }, payload));
  const line = `${name} ${payload}`.slice(0, 200);
  return { kind: entry.kind, wire: entry.wire, direction: entry.direction, element, line, text: `${wire} ${name} ${payload}`.toLowerCase() };
}

/** 14:03:59.042 */
function clock(at) {
  const two = (number) => String(number).padStart(2, '0');
  const seconds = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');
  return `${seconds}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}
