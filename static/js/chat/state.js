// What the chat page knows, and how each event changes it. What did not change stays the very same object.
//
// Events of the server: `snapshot`, `message`, `typing`, `marks_changed`, `person_changed`, `room_changed`,
// `storage_changed`. Events of the page: those of page-state.js, and `me`, `threads`, `opened`, `said` and more below.
//
// A thread is a room or a private talk with one person. Its key is `room:<name>` or `to:<name>`.

import { COMMON, person_changed, reducer, storage_changed, withRev, without } from '../page-state.js';

const TYPING_LASTS = 6000; // ms after the last notice of typing

export const EMPTY = {
  ...COMMON,
  me: '',
  people: {},
  storage: { kept: true, reason: null },
  threads: {},
  open: null, // the key of the thread on the screen
  known: false, // whether a snapshot came
  listed: false, // whether the panel has sent the threads of this person
  doubtful: false, // the panel was restarted: its threads replace those here
  name_problem: null, // why the panel does not accept this name
};

const THREAD = {
  n: 0, // the number of the last message
  read: 0, // the number of the last message that this person has read
  counted: 0, // the number up to which nothing counts as unread: said before this person came, or not kept
  last: null,
  at: 0,
  marks: {}, // per person, the last messages that were delivered and read
  typing: {}, // per person, when the last notice of typing came (ms, this page's clock)
  loaded: false,
  loading: false,
  messages: [], // some of the messages, by ascending n
  more: false, // whether there are older ones
  changed: 0, // the number of the last change of a message on the panel
  changes: 0, // up to which of them this page has all
  bridges: [], // messages before which numbers are missing on the panel, too
  pending: [], // messages that the panel has not confirmed: {client_id, msg, at, state, problem}
  new_after: null, // the last message that was read when the thread was opened
  problem: null, // why it cannot be shown
};

export const apply = reducer({
  storage_changed,

  snapshot(state, { epoch, rev, state: given }) {
    const other = state.epoch !== null && state.epoch !== epoch;
    const storage = given.storage ?? state.storage;
    const forgotten = other && !(storage.kept && state.storage.kept);
    const rooms = given.rooms ?? {};
    const threads = {};
    for (const [key, thread] of Object.entries(state.threads)) {
      const gone = isRoom(key) && !Object.hasOwn(rooms, nameOf(key)) && !thread.pending.length && key !== state.open;
      if (!gone) threads[key] = forgotten ? anew(thread) : thread;
    }
    for (const room of Object.values(rooms)) {
      const key = roomKey(room.name);
      const thread = threads[key] ?? { ...THREAD, key };
      threads[key] = asRoom(other && room.n < thread.n ? anew(thread) : thread, room);
    }
    const doubtful = state.doubtful || other;
    return { ...state, epoch, rev, people: given.people ?? {}, storage, threads, known: true, doubtful };
  },

  person_changed,

  room_changed(state, event) {
    const key = roomKey(event.room);
    if (event.state) return changed(withRev(state, event), key, (thread) => asRoom(thread, event.state));
    return { ...withRev(state, event), threads: without(state.threads, key) };
  },

  message: (state, { message }) =>
    changed(state, keyOf(message, state.me), (thread) => withMessage(thread, message, state.me)),

  talk_deleted: (state, { person }) => ({ ...state, threads: without(state.threads, personKey(person)) }),

  message_changed: (state, { message }) =>
    changed(state, keyOf(message, state.me), (thread) => withChange(thread, message)),

  typing(state, event) {
    if (event.person === state.me) return state;
    const key = pairKey(event, state.me);
    if (!(key in state.threads) && !event.typing) return state;
    return changed(state, key, ({ typing }) => ({
      typing: event.typing ? { ...typing, [event.person]: event.heard } : without(typing, event.person),
    }));
  },

  marks_changed: (state, event) =>
    changed(state, pairKey(event, state.me), (thread) => withMarks(thread, event.person, event, state.me)),

  // --- what this page does -----------------------------------------------------------------------------------

  /** Another name is another person: forget what was read and what was private. */
  me: (state, { name }) => (name === state.me ? state : { ...EMPTY, me: name, link: state.link, open: state.open }),

  name_refused: (state, { problem }) => ({ ...state, name_problem: problem }),

  /** The reply to `get_threads`. `before` are the threads when it was asked. */
  threads(state, { threads: given, before = {} }) {
    // What has no more messages than it had, and fewer on the panel, was deleted there.
    const isLess = (key, n) => before[key] && before[key].n === state.threads[key]?.n && n < before[key].n;

    const threads = { ...state.threads };
    const listed = new Set();
    for (const { room, with: person, n, read, unread, last, marks, changes = 0 } of given) {
      const key = room === null ? personKey(person) : roomKey(room);
      listed.add(key);
      let thread = threads[key] ?? { ...THREAD, key };
      if ((state.doubtful && n < thread.n) || isLess(key, n)) thread = anew(thread);
      const newer = last && last.n >= (thread.last?.n ?? 0);
      threads[key] = {
        ...withChanged(thread, changes),
        n: Math.max(thread.n, n),
        read: Math.max(thread.read, read),
        counted: n - unread,
        last: newer ? last : thread.last,
        at: newer ? last.at : thread.at,
        marks: joined(thread.marks, marks),
      };
    }
    for (const [key, thread] of Object.entries(threads)) {
      if (!listed.has(key) && (state.doubtful || isLess(key, 0))) threads[key] = anew(thread);
    }
    // Only now is it known what is new in a thread that was opened by its address.
    const open = !state.listed && threads[state.open];
    if (open) threads[state.open] = { ...open, new_after: readUpTo(open) };
    return { ...state, threads, listed: true, doubtful: false, name_problem: null };
  },

  opened(state, { key }) {
    const opened = { ...state, open: key };
    if (!key || key === state.open) return opened;
    return changed(opened, key, (thread) => ({ new_after: readUpTo(thread) }));
  },

  /** A page of what was changed: all that this thread had up to the change `upto`, unless there is `more`. */
  changes: (state, { key, messages, more, upto }) =>
    changed(state, key, (thread) => {
      const last = messages.at(-1)?.change ?? 0;
      const next = messages.reduce((all, message) => ({ ...all, ...replaced(all, message) }), thread);
      return { ...next, loading: false, changes: Math.max(thread.changes, more ? last : Math.max(last, upto)) };
    }),

  loading: (state, { key, loading }) => changed(state, key, () => ({ loading })),
  messages: (state, event) => changed(state, event.key, (thread) => withPage(thread, event)),
  unavailable: (state, { key, problem }) => changed(state, key, () => ({ loaded: true, loading: false, problem })),

  said: (state, { key, pending }) => changed(state, key, (thread) => ({ pending: [...thread.pending, pending] })),
  saying: (state, { key, client_id, state: is, problem = null }) =>
    changed(state, key, ({ pending }) => ({
      pending: pending.map((one) => (one.client_id === client_id ? { ...one, state: is, problem } : one)),
    })),
  unsaid: (state, { key, client_id }) => changed(state, key, ({ pending }) => ({ pending: notOf(pending, client_id) })),

  tick(state, { now }) {
    let next = state;
    for (const [key, { typing }] of Object.entries(state.threads)) {
      const still = Object.entries(typing).filter(([, heard]) => now - heard < TYPING_LASTS);
      if (still.length === Object.keys(typing).length) continue;
      next = changed(next, key, () => ({ typing: Object.fromEntries(still) }));
    }
    return next;
  },
});

// --- questions -----------------------------------------------------------------------------------------------

export function roomKey(room) {
  return `room:${room}`;
}

export function personKey(person) {
  return `to:${person}`;
}

/** `{room}` or `{to}`, as a command names the thread. */
export function addressOf(key) {
  return key.startsWith('room:') ? { room: key.slice(5) } : { to: key.slice(3) };
}

/** The name of the room or person. */
export function nameOf(key) {
  return key.slice(key.indexOf(':') + 1);
}

export function isRoom(key) {
  return key.startsWith('room:');
}

/** The thread of this key, an empty one if it is new. */
export function threadOf(state, key) {
  return state.threads[key] ?? { ...THREAD, key };
}

export function unread(thread) {
  return Math.max(thread.n - Math.max(thread.read, thread.counted), 0);
}

/** The number of the message after which some are missing on this page, or null. */
export function missingAfter(thread) {
  const { messages, bridges, n } = thread;
  if (!thread.loaded || thread.problem) return null;
  for (let at = messages.length - 1; at > 0; at -= 1) {
    if (messages[at].n !== messages[at - 1].n + 1 && !bridges.includes(messages[at].n)) return messages[at - 1].n;
  }
  const last = messages.at(-1)?.n ?? 0;
  return n > last ? last : null;
}

/** The number of the change after which some are missing on this page, or null. */
export function changesMissingAfter({ loaded, problem, changed, changes }) {
  return loaded && !problem && changed > changes ? changes : null;
}

export function typists(thread) {
  return Object.keys(thread.typing);
}

/** The delivery of an own message: `{state: 'stored' | 'delivered' | 'read', by: [names who have read it]}`. */
export function delivery(thread, message, me) {
  const others = Object.entries(thread.marks).filter(([person]) => person !== me);
  const by = others.filter(([, mark]) => mark.read >= message.n).map(([person]) => person);
  if (by.length) return { state: 'read', by };
  const got = message.room === null && others.some(([, mark]) => mark.delivered >= message.n);
  return { state: got ? 'delivered' : 'stored', by };
}

// --- changes of a thread -----------------------------------------------------------------------------------

function withMessage(thread, message, me) {
  const newest = message.n > (thread.last?.n ?? 0);
  return {
    n: Math.max(thread.n, message.n),
    read: message.from === me ? Math.max(thread.read, message.n) : thread.read,
    last: newest ? message : thread.last,
    at: newest ? message.at : thread.at,
    typing: message.from in thread.typing ? without(thread.typing, message.from) : thread.typing,
    messages: thread.loaded ? merged(thread.messages, [message]) : thread.messages,
    pending: message.from === me ? notOf(thread.pending, message.client_id) : thread.pending,
    problem: null,
  };
}

/** A changed message in the place of the one before. While a page is on its way, it may be older than the change. */
function withChange(thread, message) {
  const follows = message.change === thread.changes + 1 && !thread.loading;
  return {
    ...withChanged(thread, message.change),
    ...(follows ? { changes: message.change } : {}),
    ...replaced(thread, message),
  };
}

/** The thread that has this many changes on the panel. What is not loaded yet comes with all of them. */
function withChanged(thread, changes) {
  const changed = Math.max(thread.changed, changes);
  return { ...thread, changed, changes: thread.loaded || thread.loading ? thread.changes : changed };
}

function replaced({ messages, last }, message) {
  const old = messages.find(({ n }) => n === message.n);
  const newer = old && isNewer(message, old);
  return {
    messages: newer ? messages.map((one) => (one === old ? message : one)) : messages,
    last: last?.n === message.n && isNewer(message, last) ? message : last,
  };
}

function isNewer(message, other) {
  return (message.change ?? 0) > (other.change ?? 0);
}

/** The thread with a part of its history: the newest messages, those before a number, or those after one. */
function withPage(thread, { messages, more, after = null }) {
  const next = { loaded: true, loading: false, problem: null };
  next.messages = merged(thread.messages, messages);
  next.n = Math.max(thread.n, messages.at(-1)?.n ?? 0);
  // These may be messages of this page that were sent before a reload, and not confirmed.
  next.pending = messages.reduce((pending, { client_id }) => notOf(pending, client_id), thread.pending);
  if (after === null) next.more = more;
  if (after !== null && messages[0]?.n !== after + 1) {
    const beyond = next.messages.find(({ n }) => n > after);
    if (beyond) next.bridges = [...thread.bridges, beyond.n];
    else next.n = after; // the panel has no more messages, in spite of the number
  }
  return next;
}

function withMarks(thread, person, { delivered = 0, read = 0 }, me) {
  return {
    read: person === me ? Math.max(thread.read, read) : thread.read,
    marks: joined(thread.marks, { [person]: { delivered, read } }),
  };
}

function joined(marks, given) {
  const all = { __proto__: null, ...marks }; // by name, and somebody may be called "constructor"
  for (const [person, { delivered, read }] of Object.entries(given ?? {})) {
    const known = all[person] ?? { delivered: 0, read: 0 };
    all[person] = { delivered: Math.max(known.delivered, delivered ?? 0), read: Math.max(known.read, read ?? 0) };
  }
  return all;
}

function asRoom(thread, { n, at, changes = 0 }) {
  return { ...withChanged(thread, changes), n: Math.max(thread.n, n), at: Math.max(thread.at, at ?? 0) };
}

/** The last message that was read, if newer ones follow. Where nothing was ever read, nothing counts as new. */
function readUpTo(thread) {
  return thread.read && unread(thread) ? thread.read : null;
}

/** The thread without what came from the panel; messages of this page that wait stay. */
function anew({ key, pending }) {
  return { ...THREAD, key, pending };
}

/** Both lists as one, by ascending number and each message once. */
function merged(messages, more) {
  if (more.length && (messages.at(-1)?.n ?? 0) < more[0].n) return [...messages, ...more];
  if (more.length && messages.length && more.at(-1).n < messages[0].n) return [...more, ...messages];
  const all = new Map(messages.map((message) => [message.n, message]));
  for (const message of more) {
    if (!all.has(message.n) || isNewer(message, all.get(message.n))) all.set(message.n, message);
  }
  return [...all.values()].sort((one, other) => one.n - other.n);
}

/** The key of the thread of a message. */
export function keyOf({ room, to, from }, me) {
  if (room !== null && room !== undefined) return roomKey(room);
  return personKey(from === me ? to : from);
}

/** The key for an event of typing or marks: in a private talk, `person` and `to` are the two people. */
function pairKey({ room, to, person }, me) {
  return keyOf({ room, to, from: person }, me);
}

/** The state with a change of one thread: `change(thread)` returns what is different. */
function changed(state, key, change) {
  const thread = threadOf(state, key);
  return { ...state, threads: { ...state.threads, [key]: { ...thread, ...change(thread) } } };
}

function notOf(pending, client_id) {
  return pending.some((one) => one.client_id === client_id)
    ? pending.filter((one) => one.client_id !== client_id)
    : pending;
}
