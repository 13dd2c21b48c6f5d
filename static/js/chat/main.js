// The chat page: connects the state with the views, loads messages, sends marks.

import './words.js';

import { panelNow } from '../clock.js';
import { LOST } from '../connection.js';
import { knownMe, learnMe, mayControl } from '../me.js';
import { Page } from '../page.js';
import { known } from '../page-state.js';
import { remember } from '../remember.js';
import { SOCKETS } from '../transports.js';
import { followedRooms, mutedThreads } from '../unread.js';
import { askFirst } from '../view/ask-first.js';
import { deviceName, inOrder } from '../view/settings.js';
import { t } from '../words.js';
import { Notifications } from './notify.js';
import { Outbox, keepPending, keptPending } from './outbox.js';
import { findMessages, messagesOf } from './reading.js';
import { Search } from './search.js';
import { hashOf } from './side.js';
import {
  EMPTY,
  addressOf,
  apply,
  changesMissingAfter,
  isRoom,
  keyOf,
  missingAfter,
  nameOf,
  personKey,
  roomKey,
  threadOf,
} from './state.js';
import { menuOf } from './talk-menu.js';
import { ChatView } from './view.js';

const SETTLED = 250; // ms; a message may come before the number that announces it, and a burst is marked once
const AGAIN = 3000; // ms until a failed request is sent again
const TICK = 1000; // ms
const PAGE = 50; // messages
const MOST_PAGES = 15; // of 200 messages that are loaded to show one of them
const READ_AGAIN = 5000; // ms; a viewer is in no room, so nothing announces what is new
const KEYBOARD = 120; // px; what covers less is a bar of the browser
const LOBBY = roomKey('lobby');

// --- state and connection ----------------------------------------------------------------------------------

const page = new Page({
  state: EMPTY,
  apply,
  render: (state) => view.render(state),
  transports: SOCKETS,
  connecting: () => become(inOrder(deviceName())),
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
  if (!mayControl(await learnMe())) return readOnly();
  if (!page.state.me || !page.live) return;
  asked.clear();
  const rooms = new Set(followedRooms());
  if (page.state.open && isRoom(page.state.open)) rooms.add(nameOf(page.state.open));
  // Join first: a message that is sent in between comes as an event or in the threads.
  const joining = [...rooms].map((room) => ask({ do: 'join_room', room }));
  const before = page.state.threads;
  const { reply, current } = await exchange({ do: 'get_threads' });
  if (!current || reply === LOST) return;
  if (!reply.ok) return refuseName(reply.problem);
  dispatch({ event: 'threads', threads: reply.threads, before });
  if (page.state.open) look(threadOf(page.state, page.state.open));
  await Promise.all(joining);
  for (const [key, { pending }] of Object.entries(page.state.threads)) if (pending.length) outbox.send(key);
}

/** A viewer has no name, no rooms and no private talks here, but reads what is in the rooms. */
function readOnly() {
  dispatch({ event: 'threads', threads: [] });
  readAgain();
}

/** Get what is new for a viewer. */
function readAgain() {
  if (!page.live || !page.state.open || mayControl(knownMe()) || document.hidden) return;
  const thread = threadOf(page.state, page.state.open);
  if (!thread.loaded) look(thread);
  else if (!thread.loading) load(thread.key, { after: thread.messages.at(-1)?.n ?? 0 });
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
      else if (changesMissingAfter(thread) !== null && !thread.loading) loadChanges(thread);
    }
    for (const thread of Object.values(page.state.threads)) mark(thread);
  }, SETTLED);
}

function look(thread) {
  if (!thread.loaded && !thread.loading) load(thread.key, {});
}

async function load(key, range) {
  dispatch({ event: 'loading', key, loading: true });
  const { connection } = page;
  const reply = await messagesOf(ask, key, { limit: PAGE, ...range });
  const current = connection === page.connection;
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

/** Get the messages that were changed meanwhile. */
async function loadChanges({ key, changes, changed: upto }) {
  dispatch({ event: 'loading', key, loading: true });
  const { connection } = page;
  const reply = await messagesOf(ask, key, { limit: 4 * PAGE, changed_after: changes });
  if (reply.ok && connection === page.connection) {
    dispatch({ event: 'changes', key, messages: reply.messages, more: reply.more, upto });
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
  if (!n || !last || !mayControl(knownMe()) || (isRoom(key) && !followedRooms().includes(nameOf(key)))) return;
  const before = asked.get(key) ?? known(thread.marks, page.state.me) ?? { delivered: 0, read: 0 };
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

/** Have a screen reader say a message of somebody else in the open thread; in the background, show a notification. */
function speak(message) {
  const key = keyOf(message, page.state.me);
  if (message.from === page.state.me) return;
  if (key === page.state.open) view.speak(message);
  if (!mutedThreads().includes(key)) notifications.show(key, message);
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
  if (opening && wide.matches && mayControl(knownMe())) view.composer.focus();
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
  if (!mayControl(knownMe())) return;
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

/** Go from the open thread to the list, or to the lobby; a room is left. */
function leave() {
  const { open: key } = page.state;
  if (isRoom(key)) {
    unfollow(nameOf(key));
    ask({ do: 'leave_room', room: nameOf(key) });
  }
  history.replaceState(null, '', location.pathname + location.search);
  route();
}

/** Open a thread at a message, and load what is before it. */
async function jump(key, n) {
  if (key !== page.state.open) open(key);
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    while (!threadOf(page.state, key).loaded || threadOf(page.state, key).loading) {
      if (!page.live || key !== page.state.open) return;
      await new Promise((resolve) => setTimeout(resolve, SETTLED / 5));
    }
    view.render(page.state); // now, and not with the next frame
    if (key !== page.state.open || view.log.show(n)) return;
    const { messages, more } = threadOf(page.state, key);
    if (!more || !messages.length || messages[0].n <= n) break;
    await load(key, { before: messages[0].n, limit: 4 * PAGE });
  }
  refuse({ title: t('chat_far_title'), detail: t('chat_far') });
}

function goBack() {
  if (listBehind) return history.back();
  history.replaceState(null, '', location.pathname + location.search);
  route();
}

/** Change a message, and show that; resolves to whether it was done. */
async function change(key, command) {
  const reply = await ask({ ...command, ...addressOf(key) });
  if (reply.ok) dispatch({ event: 'message_changed', message: reply.message });
  else refuse(reply.problem ?? null);
  return reply.ok;
}

function messageOf(key, n) {
  return threadOf(page.state, key).messages.find((message) => message.n === n);
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
    edit(n) {
      const message = messageOf(page.state.open, n);
      if (message) view.composer.edit(n, message.msg);
    },
    editLast() {
      const { open, me } = page.state;
      const last = threadOf(page.state, open).messages.findLast((one) => one.from === me && !one.deleted_at);
      if (typeof last?.msg !== 'string') return false;
      view.composer.edit(last.n, last.msg);
      return true;
    },
    change: (key, n, msg) => change(key, { do: 'edit_message', n, msg }),
    async remove(n) {
      const key = page.state.open;
      const sure = { title: t('chat_delete_sure'), what: t('chat_delete_what'), keep: t('chat_keep'), lose: t('chat_delete') };
      if (await askFirst(sure)) change(key, { do: 'delete_message', n });
    },
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
    menu: () => menuOf(page.state.open, { ask, leave, refuse, search: (key) => search.open(key), drawn: () => view.render(page.state) }),
    search: () => search.open(),
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

const search = new Search({ find: (wanted) => findMessages(ask, wanted), jump, me: () => page.state.me });
const notifications = new Notifications({ open, say: refuse });

// On iOS the keyboard covers the page. Other browsers make the page smaller, and `covered` is 0.
visualViewport?.addEventListener('resize', () => {
  const covered = Math.max(innerHeight - visualViewport.height * visualViewport.scale, 0);
  document.documentElement.style.setProperty('--keyboard', `${Math.round(covered)}px`);
  document.documentElement.classList.toggle('keyboard', covered > KEYBOARD);
});

setInterval(() => dispatch({ event: 'tick', now: Date.now() }), TICK);
setInterval(readAgain, READ_AGAIN);

become(inOrder(deviceName()));
route();
page.start();
