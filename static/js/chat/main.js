// The chat page: state in the middle, the connection on one side, the view on the other.

import './words.js';

import { Outbox, keepPending, keptPending } from './outbox.js';
import { hashOf } from './side.js';
import {
  EMPTY,
  addressOf,
  apply,
  isRoom,
  missingAfter,
  nameOf,
  personKey,
  roomKey,
  threadOf,
} from './state.js';
import { ChatView } from './view.js';
import { itIs, learnClock, panelNow } from '../clock.js';
import { Connection, LOST, lostSince } from '../connection.js';
import { onceAFrame } from '../once-a-frame.js';
import { remember } from '../remember.js';
import { SOCKETS, TRANSPORTS, chosenSocket } from '../transports.js';
import { followedRooms } from '../unread.js';
import { deviceName, inOrder, settingsSheet } from '../view/settings.js';
import { transportChoice } from '../view/transport-choice.js';
import { translate } from '../words.js';

const SETTLED = 250; // ms; a message may overtake the number that announces it, and a burst is marked once
const AGAIN = 3000; // ms until what failed is asked for again
const PAGE = 50; // messages
const KEYBOARD = 120; // px; less is the bar of a browser
const LOBBY = roomKey('lobby');

translate(document);

// --- state -------------------------------------------------------------------------------------------------

let state = EMPTY;
const draw = onceAFrame(() => view.render(state));

function dispatch(event) {
  const before = state;
  state = apply(state, event);
  if (state === before) return;
  if (state.me && state.threads !== before.threads) keepPending(state.me, before.threads, state.threads);
  settle();
  draw();
}

function become(name) {
  if (name === state.me) return;
  const kept = keptPending(name); // before the state of this name, which has none, is kept in its place
  dispatch({ event: 'me', name });
  for (const [key, all] of Object.entries(kept)) {
    for (const pending of all) dispatch({ event: 'said', key, pending });
  }
}

// --- connection --------------------------------------------------------------------------------------------

let connection = null;

function connect(transport) {
  connection?.stop();
  asked.clear();
  become(inOrder(deviceName()));
  connection = new Connection({
    transport,
    open: TRANSPORTS[transport].open,
    name: deviceName,
    resume: () => (state.epoch ? { epoch: state.epoch, rev: state.rev } : null),
    listen,
  });
  connection.start();
}

function listen(event) {
  if (event.event === 'link') linked(event.link);
  if (event.event === 'clock_changed') itIs(event.at);
  if (event.event === 'gap') return fillGap(event);
  if (event.event === 'message') heard(event.message);
  dispatch(event.event === 'typing' ? { ...event, heard: Date.now() } : event);
  if (event.event === 'snapshot' && connection.live) greet();
}

function linked(link) {
  link.since = lostSince(state.link.since, link.status);
  if (link.status !== 'live') return;
  learnClock().then(draw);
  queueMicrotask(greet);
}

async function ask(command) {
  const { reply } = await exchange(command);
  return reply;
}

/** The reply, and whether it is of the connection there still is. */
async function exchange(command) {
  const via = connection;
  const reply = await via.ask(command);
  return { reply, current: via === connection };
}

/** After each new connection: hear the rooms again, learn what was missed, and say what waited. */
async function greet() {
  if (!state.me) return;
  asked.clear();
  const rooms = new Set(followedRooms());
  if (state.open && isRoom(state.open)) rooms.add(nameOf(state.open));
  // In this order, for what is said in between must come one way or the other.
  const joining = [...rooms].map((room) => ask({ do: 'join_room', room }));
  const { reply, current } = await exchange({ do: 'get_threads' });
  if (!current || reply === LOST) return;
  if (!reply.ok) return refuseName(reply.problem);
  dispatch({ event: 'threads', threads: reply.threads });
  if (state.open) look(threadOf(state, state.open));
  await Promise.all(joining);
  for (const [key, { pending }] of Object.entries(state.threads)) if (pending.length) outbox.send(key);
}

function refuseName(problem) {
  if (/:(name-needed|bad-name)$/.test(problem.type)) dispatch({ event: 'name_refused', problem });
  else refuse(problem);
}

// --- what is missing here, and what is to be marked ----------------------------------------------------------

const asked = new Map(); // per thread, the marks that were sent
let settling = null;

function settle() {
  settling ??= setTimeout(() => {
    settling = null;
    if (!connection?.live || !state.listed) return;
    if (state.open) look(threadOf(state, state.open));
    for (const thread of Object.values(state.threads)) {
      const after = missingAfter(thread);
      if (after !== null && !thread.loading) load(thread.key, { after, limit: 4 * PAGE });
    }
    for (const thread of Object.values(state.threads)) mark(thread);
  }, SETTLED);
}

function look(thread) {
  if (!thread.loaded && !thread.loading) load(thread.key, {});
}

async function load(key, range) {
  dispatch({ event: 'loading', key, loading: true });
  const { reply, current } = await exchange({ do: 'get_messages', ...addressOf(key), limit: PAGE, ...range });
  if (!current) {
    dispatch({ event: 'loading', key, loading: false });
  } else if (reply.ok) {
    dispatch({ event: 'messages', key, messages: reply.messages, more: reply.more, ...range });
  } else if (reply.problem?.status === 404 || reply.problem?.status === 400) {
    dispatch({ event: 'unavailable', key, problem: reply.problem });
  } else {
    setTimeout(() => dispatch({ event: 'loading', key, loading: false }), reply === LOST ? 0 : AGAIN);
  }
}

function fillGap({ of, room }) {
  if (of === 'room' && threadOf(state, roomKey(room)).loaded) {
    load(roomKey(room), { after: threadOf(state, roomKey(room)).messages.at(-1)?.n ?? 0, limit: 4 * PAGE });
  } else if (of === 'room' || of === 'private') {
    greet(); // the numbers of the threads tell what is missing
  }
}

/** Tell the others what has arrived on this device, and what this person has read. */
function mark(thread) {
  const { key, last, n } = thread;
  if (!n || !last || (isRoom(key) && !followedRooms().includes(nameOf(key)))) return;
  const before = asked.get(key) ?? thread.marks[state.me] ?? { delivered: 0, read: 0 };
  const marks = {};
  // In a room of a hundred everybody's receipt would go to everybody; that it was read is enough there.
  if (!isRoom(key) && last.n > before.delivered && last.n > thread.read) marks.delivered = last.n;
  if (isOnScreen(thread) && last.n > thread.read) marks.read = last.n;
  if (!marks.delivered && !marks.read) return;
  asked.set(key, { delivered: last.n, read: marks.read ?? before.read });
  ask({ do: 'mark', ...addressOf(key), ...marks }).then((reply) => reply.ok || asked.delete(key));
  if (marks.read) {
    dispatch({ event: 'marks_changed', ...inPrivate(key), person: state.me, delivered: last.n, read: last.n });
  }
}

function inPrivate(key) {
  return isRoom(key) ? { room: nameOf(key), to: null } : { room: null, to: nameOf(key) };
}

/** Read is what somebody could see: the thread is open, at its end, in a page that is looked at. */
function isOnScreen(thread) {
  const complete = thread.loaded && missingAfter(thread) === null;
  return thread.key === state.open && complete && view.log.atEnd && !document.hidden && !state.name_problem;
}

function heard(message) {
  const key = message.room === null ? personKey(message.from === state.me ? message.to : message.from) : roomKey(message.room);
  if (message.from !== state.me && key === state.open) view.speak(message);
}

// --- where one is ----------------------------------------------------------------------------------------------

const wide = matchMedia('(min-width: 720px)');
let listBehind = false; // whether the list is one step back in this tab's history

function route() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const key = wanted.get('room') ? roomKey(wanted.get('room')) : wanted.get('to') ? personKey(wanted.get('to')) : null;
  const open = key ?? (wide.matches ? LOBBY : null);
  if (open === state.open) return;
  if (open && !state.open) listBehind = opening;
  if (open && isRoom(open)) follow(nameOf(open));
  dispatch({ event: 'opened', key: open });
  if (open && connection?.live && state.listed) look(threadOf(state, open));
  view.log.toEnd();
  view.render(state);
  if (opening && wide.matches) view.composer.focus();
  else if (opening) document.getElementById('talk-name').focus({ preventScroll: true });
  opening = false;
}

let opening = false; // whether somebody chose a thread just now, rather than came with its address
document.addEventListener('click', (event) => (opening = Boolean(event.target.closest('a[href^="#"]'))));
addEventListener('popstate', route);
wide.addEventListener('change', route);
document.addEventListener('visibilitychange', settle);

function follow(room) {
  if (!followedRooms().includes(room)) remember('chat.rooms', [...followedRooms(), room]);
  if (connection?.live && state.me) join(room);
}

async function join(room) {
  const reply = await ask({ do: 'join_room', room });
  if (reply.ok) return dispatch({ event: 'room_changed', room: reply.room.name, state: reply.room });
  if (reply.problem) dispatch({ event: 'unavailable', key: roomKey(room), problem: reply.problem });
}

function unfollow(room) {
  remember('chat.rooms', followedRooms().filter((one) => one !== room));
}

function open(key) {
  opening = true;
  history.pushState(null, '', hashOf(key));
  route();
}

function goBack() {
  if (listBehind) return history.back();
  history.replaceState(null, '', location.pathname + location.search);
  route();
}

// --- what people do ----------------------------------------------------------------------------------------------

const outbox = new Outbox({ ask, dispatch, pendingOf: (key) => threadOf(state, key).pending });

let refusals = 0;

function refuse(problem) {
  dispatch({ event: 'refused', id: (refusals += 1), problem });
}

const view = new ChatView(
  {
    say(key, text) {
      view.log.toEnd();
      outbox.say(key, text, panelNow());
    },
    typing(key, typing) {
      if (connection.live && state.me) ask({ do: 'typing', ...addressOf(key), typing });
    },
    earlier() {
      const thread = threadOf(state, state.open);
      if (connection.live && thread.messages.length) load(thread.key, { before: thread.messages[0].n });
    },
    read: settle,
    retry: (client_id) => outbox.retry(state.open, client_id),
    discard(client_id) {
      dispatch({ event: 'unsaid', key: state.open, client_id });
      view.composer.focus(); // the button that had it is gone
    },
    async join(name) {
      const room = inOrder(name);
      const reply = await ask({ do: 'join_room', room });
      if (!reply.ok) return reply;
      dispatch({ event: 'room_changed', room: reply.room.name, state: reply.room });
      open(roomKey(reply.room.name));
      return reply;
    },
    leave() {
      const room = nameOf(state.open);
      unfollow(room);
      ask({ do: 'leave_room', room });
      history.replaceState(null, '', location.pathname + location.search);
      route();
    },
    back: goBack,
    name(given) {
      remember('name', inOrder(given));
      if (state.name_problem) dispatch({ event: 'name_refused', problem: null });
      connect(connection.transport);
    },
    reconnect: () => connection.retry(),
    dismiss: (id) => dispatch({ event: 'notice_gone', id }),
  },
  followedRooms,
);

settingsSheet(document.getElementById('mark'), () => connect(connection.transport));

// iOS lays its keyboard over the page; elsewhere the page is made smaller, and this is nothing.
visualViewport?.addEventListener('resize', () => {
  const covered = Math.max(innerHeight - visualViewport.height * visualViewport.scale, 0);
  document.documentElement.style.setProperty('--keyboard', `${Math.round(covered)}px`);
  document.documentElement.classList.toggle('keyboard', covered > KEYBOARD);
});

setInterval(() => {
  dispatch({ event: 'tick', now: Date.now() });
  if (!document.hidden) draw(); // the banner of a lost connection comes by itself
}, 1000);

transportChoice(SOCKETS, connect).render(chosenSocket());
become(inOrder(deviceName()));
route();
connect(chosenSocket());
