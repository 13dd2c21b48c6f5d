// The lab: shows what the sockets send and receive. Connects the state with the sockets, the tiles and the log.

import './words.js';

import { Page } from '../page.js';
import { ROOT } from '../root.js';
import { Choice } from '../view/choice.js';
import { onSubmit } from '../view/dom.js';
import { lineOf } from '../view/problem.js';
import { inMilliseconds, t } from '../words.js';
import { RawEcho } from './echo.js';
import { Log } from './log.js';
import { sizeText } from './payload.js';
import { CHOICES, SocketIO } from './socketio.js';
import { START, apply } from './state.js';
import { LabView } from './view.js';

const MIB = 2 ** 20;
const SIZES = [0, 1024, 65536, MIB, MIB + 1]; // bytes; the last is one more than the panel accepts by default
const TYPES = ['application/json', 'text/plain'];

const part = (id) => document.getElementById(id);

// --- state -------------------------------------------------------------------------------------------------

const page = new Page({ state: START, apply, render: (state) => view.render(state) });
const dispatch = (event) => page.dispatch(event.event === 'echoed' ? echoed(event) : event);

const outcome = (tile, text, bad) => dispatch({ event: 'outcome', tile, text, bad });

const log = new Log(part('log'));
const view = new LabView({ leave: (room) => changeRoom('leave', room) });
const wires = { listen: dispatch, log: (entry) => log.add(entry) };
const socketio = new SocketIO(wires);
const raw = new RawEcho(wires);

// --- connection --------------------------------------------------------------------------------------------

const choices = new Choice(
  part('choices'),
  Object.keys(CHOICES).map((value) => ({ value, label: t(`lab_choice_${value}`) })),
  (choice) => {
    const url = new URL(location.href);
    if (choice === 'auto') url.searchParams.delete('transport');
    else url.searchParams.set('transport', choice);
    history.replaceState(null, '', url); // a bookmark or a reload keeps it
    socketio.connect(choice);
  },
);

function wantedChoice() {
  const wanted = new URLSearchParams(location.search).get('transport');
  return wanted in CHOICES ? wanted : 'auto';
}

part('connect').addEventListener('click', () => {
  const { status, choice } = page.state.link;
  if (status === 'closed') socketio.connect(choice);
  else socketio.disconnect();
});

// --- events and rooms --------------------------------------------------------------------------------------

/** The text parsed as JSON, or the text itself if it is not JSON. */
function asData(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Send an event and show in its tile how it was acknowledged; returns whether it was done. */
async function send(tile, event, ...args) {
  if (!socketio.connected) return false;
  const { ms, problem } = await socketio.emit(event, ...args);
  if (problem) outcome(tile, t('lab_refused', { event, detail: lineOf(problem) }), true);
  else outcome(tile, t('lab_acked', { event, ms: inMilliseconds(ms) }));
  return !problem;
}

async function changeRoom(event, room) {
  if (!(await send('rooms', event, { room }))) return;
  if (event === 'leave') dispatch({ event: 'left', room });
  else if (room !== socketio.sid) dispatch({ event: 'joined', room });
}

const events = part('events');
const rooms = part('rooms-form');
const acts = {
  disconnect_request: () => socketio.connected && socketio.emit('disconnect_request'),
  my_event: () => send('events', 'my_event', { data: asData(events.elements.data.value) }),
  my_broadcast_event: () => send('events', 'my_broadcast_event', { data: asData(events.elements.data.value) }),
  bytes: () => send('events', 'my_event', { data: randomBytes(16) }),
  join: () => changeRoom('join', rooms.elements.room.value),
  leave: () => changeRoom('leave', rooms.elements.room.value),
  close_room: () => send('rooms', 'close_room', { room: rooms.elements.room.value }),
  my_room_event: () =>
    send('rooms', 'my_room_event', { room: rooms.elements.room.value, data: asData(rooms.elements.data.value) }),
};

for (const button of document.querySelectorAll('[data-act][type="button"]')) {
  button.addEventListener('click', () => acts[button.dataset.act]());
}

onSubmit(events, () => acts.my_event());
onSubmit(rooms, () => acts.my_room_event());
rooms.elements.room.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.isComposing) return;
  event.preventDefault(); // the form's own Enter sends to the room
  acts.join();
});

// --- raw WebSocket -----------------------------------------------------------------------------------------

let bytesToSend = SIZES[1];

const sizes = new Choice(
  part('sizes'),
  SIZES.map((value) => ({ value, label: value > MIB ? `${sizeText(MIB)} + 1` : sizeText(value) })),
  (value) => (bytesToSend = value),
);

onSubmit(part('raw-text'), (form) => raw.send(form.elements.text.value));
onSubmit(part('raw-bytes'), () => raw.send(randomBytes(bytesToSend)));
onSubmit(part('raw-close'), (form) => {
  if (raw.status === 'closed') {
    raw.open().catch(() => {}); // the close event says why
    return;
  }
  const code = Number(form.elements.code.value);
  if (mayCloseWith(code)) raw.close(code);
  else outcome('raw', t('lab_closing_how'), true);
});

/** Whether a page may close a WebSocket with this code (RFC 6455, 7.4.2). */
function mayCloseWith(code) {
  return code === 1000 || (code >= 3000 && code <= 4999);
}

function echoed({ type, bytes, ms, same }) {
  const key = same ? 'lab_echoed' : 'lab_echoed_wrong';
  const text = t(key, { type: t(`lab_${type}`), size: sizeText(bytes), ms: inMilliseconds(ms) });
  return { event: 'outcome', tile: 'raw', text, bad: !same };
}

function randomBytes(count) {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536)); // the most for one call
  return bytes;
}

// --- POST /api ---------------------------------------------------------------------------------------------

let contentType = TYPES[0];

const types = new Choice(
  part('types'),
  TYPES.map((value) => ({ value, label: value })),
  (value) => (contentType = value),
);

onSubmit(part('api'), async (form) => {
  const body = form.elements.body.value;
  const began = performance.now();
  const via = contentType;
  log.add({ wire: 'http', via, kind: 'request', direction: 'out', name: 'POST /api', payload: [asData(body)] });
  try {
    const response = await fetch(`${ROOT}/api`, { method: 'POST', headers: { 'Content-Type': contentType }, body });
    const answer = asData(await response.text());
    const ms = performance.now() - began;
    log.add({
      wire: 'http',
      via: response.headers.get('Content-Type'),
      kind: 'response',
      direction: 'in',
      name: `${response.status}`,
      payload: [answer],
      ms,
      bad: !response.ok,
    });
    const said = response.ok ? answer.response : lineOf(answer);
    outcome('api', `${response.status} · ${said} · ${inMilliseconds(ms)} ms`, !response.ok);
  } catch (error) {
    log.add({ wire: 'http', kind: 'response', name: 'error', payload: [error.message], bad: true });
    outcome('api', t('unanswered'), true);
  }
});

// --- running -----------------------------------------------------------------------------------------------

document.querySelector('[data-show="packets"]').title = t('lab_packets_what');
choices.render(wantedChoice());
sizes.render(bytesToSend);
types.render(contentType);
socketio.connect(wantedChoice());
