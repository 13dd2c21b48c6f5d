// The chat page: connects the state with the views, loads messages, sends marks.

import './words.js';

import { panelNow } from '../clock.js';
import { LOST } from '../connection.js';
import { Page } from '../page.js';
import { remember } from '../remember.js';
import { SOCKETS } from '../transports.js';
import { followedRooms } from '../unread.js';
import { deviceName, inOrder } from '../view/settings.js';
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

const SETTLED = 250; // ms; a message may come before the number that announces it, and a burst is marked once
const AGAIN = 3000; // ms until a failed request is sent again
const TICK = 1000; // ms
const PAGE = 50; // messages
const KEYBOARD = 120; // px; what covers less is a bar of the browser
const LOBBY = roomKey('lobby');

// --- state and connection ----------------------------------------------------------------------------------

const page = new Page({
  state: EMPTY,
  apply,
  render: (state) => view.render(state),
  transports: SOCKETS,
  connecting() {
    asked.clear();
    become(inOrder(deviceName()));
  },
  heard,
  changed(before) {
    const { me, threads } = page.state;
    if (me && threads !== before.threads) keepPending(me, before.threads, threads);
    settle();
  },
});
const { ask, refuse } = page;
const dispatch = (event) => page.dispatch(event);

function become(name) {
  if (name === page.state.me) return;
  const kept = keptPending(name); // read it first: the new state has no pending messages and would overwrite it
  dispatch({ event: 'me', name });
  for (const [key, all] of Object.entries(kept)) {
    for (const pending of all) dispatch({ event: 'said', key, pending });
  }
}

function heard(event) {
  const live = event.event === 'link' ? event.link.status === 'live' : event.event === 'snapshot' && page.live;
  if (live) queueMicrotask(greet); // once the state has the event
  if (event.event === 'gap') {
    fillGap(event);
    return null;
  }
  if (event.event === 'message') speak(event.message);
  return event.event === 'typing' ? { ...event, heard: Date.now() } : event;
}

/** Send a command; returns the reply, and whether the connection is still the same. */
async function exchange(command) {
  const { connection } = page;
  const reply = await ask(command);
  return { reply, current: connection === page.connection };
}

/** After each new connection: join the rooms again, load what was missed, send what waited. */
async function greet() {
  if (!page.state.me) return;
  asked.clear();
  const rooms = new Set(followedRooms());
  if (page.state.open && isRoom(page.state.open)) rooms.add(nameOf(page.state.open));
  // Join first: a message that is sent in between comes as an event or in the threads.
  const joining = [...rooms].map((room) => ask({ do: 'join_room', room }));
  const { reply, current } = await exchange({ do: 'get_threads' });
  if (!current || reply === LOST) return;
  if (!reply.ok) return refuseName(reply.problem);
  dispatch({ event: 'threads', threads: reply.threads });
  if (page.state.open) look(threadOf(page.state, page.state.open));
  await Promise.all(joining);
  for (const [key, { pending }] of Object.entries(page.state.threads)) if (pending.length) outbox.send(key);
}

function refuseName(problem) {
  if (/:(name-needed|bad-name)$/.test(problem.type)) dispatch({ event: 'name_refused', problem });
  else refuse(problem);
}

// --- missing messages, and marks of what was read -------------------------------------------------------------

const asked = new Map(); // per thread, the marks that were sent
let settling = null;

function settle() {
  settling ??= setTimeout(() => {
    settling = null;
    if (!page.live || !page.state.listed) return;
    if (page.state.open) look(threadOf(page.state, page.state.open));
    for (const thread of Object.values(page.state.threads)) {
      const after = missingAfter(thread);
      if (after !== null && !thread.loading) load(thread.key, { after, limit: 4 * PAGE });
    }
    for (const thread of Object.values(page.state.threads)) mark(thread);
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
  if (of === 'room' && threadOf(page.state, roomKey(room)).loaded) {
    load(roomKey(room), { after: threadOf(page.state, roomKey(room)).messages.at(-1)?.n ?? 0, limit: 4 * PAGE });
  } else if (of === 'room' || of === 'private') {
    greet(); // the numbers of the threads show what is missing
  }
}

/** Send the panel what was delivered to this device, and what this person has read. */
function mark(thread) {
  const { key, last, n } = thread;
  if (!n || !last || (isRoom(key) && !followedRooms().includes(nameOf(key)))) return;
  const before = asked.get(key) ?? thread.marks[page.state.me] ?? { delivered: 0, read: 0 };
  const marks = {};
  // In a room, each delivery would be sent to every member; only what was read is marked.
  if (!isRoom(key) && last.n > before.delivered && last.n > thread.read) marks.delivered = last.n;
  if (isOnScreen(thread) && last.n > thread.read) marks.read = last.n;
  if (!marks.delivered && !marks.read) return;
  asked.set(key, { delivered: last.n, read: marks.read ?? before.read });
  ask({ do: 'mark', ...addressOf(key), ...marks }).then((reply) => reply.ok || asked.delete(key));
  if (marks.read) {
    dispatch({ event: 'marks_changed', ...inPrivate(key), person: page.state.me, delivered: last.n, read: last.n });
  }
}

function inPrivate(key) {
  return isRoom(key) ? { room: nameOf(key), to: null } : { room: null, to: nameOf(key) };
}

/** Whether the person can see the end of the thread: it is open, at its end, in a visible page. */
function isOnScreen(thread) {
  const complete = thread.loaded && missingAfter(thread) === null;
  return thread.key === page.state.open && complete && view.log.atEnd && !document.hidden && !page.state.name_problem;
}

/** Have a screen reader say a message of somebody else in the open thread. */
function speak(message) {
  const key = message.room === null ? personKey(message.from) : roomKey(message.room);
  if (message.from !== page.state.me && key === page.state.open) view.speak(message);
}

// --- the open thread -------------------------------------------------------------------------------------------

const wide = matchMedia('(min-width: 720px)');
let listBehind = false; // whether the list is one step back in the history of this tab

function route() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const key = wanted.get('room') ? roomKey(wanted.get('room')) : wanted.get('to') ? personKey(wanted.get('to')) : null;
  const open = key ?? (wide.matches ? LOBBY : null);
  if (open === page.state.open) return;
  if (open && !page.state.open) listBehind = opening;
  if (open && isRoom(open)) follow(nameOf(open));
  dispatch({ event: 'opened', key: open });
  if (open && page.live && page.state.listed) look(threadOf(page.state, open));
  view.log.toEnd();
  view.render(page.state);
  if (opening && wide.matches) view.composer.focus();
  else if (opening) document.getElementById('talk-name').focus({ preventScroll: true });
  opening = false;
}

let opening = false; // whether a click opens the thread, and not the address of the page
document.addEventListener('click', (event) => (opening = Boolean(event.target.closest('a[href^="#"]'))));
addEventListener('popstate', route);
wide.addEventListener('change', route);
document.addEventListener('visibilitychange', settle);

function follow(room) {
  if (!followedRooms().includes(room)) remember('chat.rooms', [...followedRooms(), room]);
  if (page.live && page.state.me) join(room);
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

const outbox = new Outbox({ ask, dispatch, pendingOf: (key) => threadOf(page.state, key).pending });

const view = new ChatView(
  {
    say(key, text) {
      view.log.toEnd();
      outbox.say(key, text, panelNow());
    },
    typing(key, typing) {
      if (page.live && page.state.me) ask({ do: 'typing', ...addressOf(key), typing });
    },
    earlier() {
      const thread = threadOf(page.state, page.state.open);
      if (page.live && thread.messages.length) load(thread.key, { before: thread.messages[0].n });
    },
    read: settle,
    retry: (client_id) => outbox.retry(page.state.open, client_id),
    discard(client_id) {
      dispatch({ event: 'unsaid', key: page.state.open, client_id });
      view.composer.focus(); // the button that had the focus is gone
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
      const room = nameOf(page.state.open);
      unfollow(room);
      ask({ do: 'leave_room', room });
      history.replaceState(null, '', location.pathname + location.search);
      route();
    },
    back: goBack,
    name(given) {
      remember('name', inOrder(given));
      if (page.state.name_problem) dispatch({ event: 'name_refused', problem: null });
      page.connect();
    },
    reconnect: page.retry,
    dismiss: page.dismiss,
  },
  followedRooms,
);

// On iOS the keyboard covers the page. Other browsers make the page smaller, and `covered` is 0.
visualViewport?.addEventListener('resize', () => {
  const covered = Math.max(innerHeight - visualViewport.height * visualViewport.scale, 0);
  document.documentElement.style.setProperty('--keyboard', `${Math.round(covered)}px`);
  document.documentElement.classList.toggle('keyboard', covered > KEYBOARD);
});

setInterval(() => dispatch({ event: 'tick', now: Date.now() }), TICK);

become(inOrder(deviceName()));
route();
page.start();
