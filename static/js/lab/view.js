// The tiles of the lab: `render(state)` draws the whole state.

import { crossButton, make, write } from '../view/dom.js';
import { inMilliseconds, t } from '../words.js';
import { Plot } from './plot.js';

export class LabView {
  /** The chip of a room calls `leave(room)`. */
  constructor({ leave }) {
    this._leave = leave;
    this._part = (id) => document.getElementById(id);
    this._plot = new Plot(this._part('plot'));
    this._rooms = null;
    this._sid = null;
  }

  render(state) {
    this._renderLink(state);
    this._renderLatency(state.trips);
    this._renderRooms(state);
    this._renderRaw(state.raw);
    for (const [tile, { text, bad }] of Object.entries(state.outcomes)) {
      const outcome = this._part(`${tile}-outcome`);
      write(outcome, text);
      outcome.toggleAttribute('data-bad', bad);
    }
  }

  _renderLink({ link, trips }) {
    const live = link.status === 'live';
    document.body.dataset.link = link.status;
    const status = t({ live: 'lab_connected', closed: 'lab_closed' }[link.status] ?? link.status);
    write(this._part('status'), status);
    write(this._part('status-why'), live || link.status === 'connecting' ? '' : why(link.reason));
    write(this._part('sid'), link.sid ?? '–');

    for (const step of this._part('steps').children) {
      const { transport } = step.dataset;
      const first = live && link.first === transport;
      const now = live && link.transport === transport;
      step.dataset.state = now ? 'now' : first ? 'was' : 'not';
      if (now) step.setAttribute('aria-current', 'step');
      else step.removeAttribute('aria-current');
      const said = first
        ? t('lab_after', { ms: Math.round(link.ms) })
        : now && link.upgraded !== null && t('lab_upgraded_after', { ms: Math.round(link.upgraded) });
      write(step.querySelector('small'), said || '');
    }

    const connect = this._part('connect');
    const off = link.status === 'closed';
    connect.classList.toggle('primary', off);
    write(connect.querySelector('span'), t(off ? 'lab_connect' : 'lab_disconnect'));
    write(connect.querySelector('code'), off ? 'io("/")' : 'socket.disconnect()');
    for (const needy of document.querySelectorAll('[data-needs="link"]')) needy.disabled = !live;

    const mark = this._part('mark');
    mark.dataset.status = link.status;
    write(mark.querySelector('.link-mark-text'), live ? t(NAMES[link.transport]) : status);
    write(mark.querySelector('.link-mark-ms'), live && trips.length ? `${inMilliseconds(trips.at(-1))} ms` : '');
  }

  _renderLatency(trips) {
    const figure = (id, ms) => write(this._part(id), trips.length ? inMilliseconds(ms) : '–');
    figure('average', trips.reduce((sum, ms) => sum + ms, 0) / trips.length);
    figure('latency-last', trips.at(-1));
    figure('latency-best', Math.min(...trips));
    figure('latency-worst', Math.max(...trips));
    write(this._part('average-caption'), trips.length ? t('lab_average_of', { n: trips.length }) : t('lab_average'));
    this._plot.render(trips);
  }

  _renderRooms({ link, rooms }) {
    if (rooms === this._rooms && link.sid === this._sid) return;
    this._rooms = rooms;
    this._sid = link.sid;
    const chips = rooms.map((room) => {
      const leave = crossButton(t('lab_leave_room', { room }), () => this._leave(room));
      return make('li', { className: 'room' }, make('span', { className: 'room-name' }, room), leave);
    });
    if (link.sid) {
      const sid = make('code', { className: 'room-name' }, link.sid);
      chips.unshift(make('li', { className: 'room own' }, sid, make('span', { className: 'caption' }, t('lab_own_room'))));
    } else {
      chips.unshift(make('li', { className: 'room none' }, t('lab_no_rooms')));
    }
    this._part('rooms').replaceChildren(...chips);
  }

  _renderRaw({ status, code, reason }) {
    const box = this._part('raw-status');
    box.dataset.status = status;
    write(box.querySelector('strong'), t(`lab_raw_${status}`));
    const meaning = code === null ? '' : CODES.has(code) ? t(`lab_code_${code}`) : '';
    write(box.lastElementChild, code === null ? '' : [code, meaning, reason && `“${reason}”`].filter(Boolean).join(' · '));
    write(this._part('raw-toggle'), t(status === 'closed' ? 'lab_open' : 'close'));
    this._part('raw-toggle').disabled = status === 'opening' || status === 'closing';
  }
}

const NAMES = { polling: 'lab_polling', websocket: 'lab_websocket' };
const CODES = new Set([1000, 1001, 1005, 1006, 1007, 1009, 1012, 4008]);
const REASONS = {
  'io client disconnect': 'lab_why_you',
  'io server disconnect': 'lab_why_panel',
  'ping timeout': 'lab_why_silent',
};

/** The reason of the library in plain words, if there are some. */
function why(reason) {
  if (!reason) return '';
  return reason in REASONS ? t(REASONS[reason]) : t('lab_why', { reason });
}
