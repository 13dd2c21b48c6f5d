// What the chat page knows, and the one function that changes it.
//
// `apply(state, event)` is pure: the same state and event give the same new state, and what did not change stays the
// very same object. Events are the server's own (`snapshot`, `message`, `typing`, `marks_changed`, `person_changed`,
// `room_changed`) and the page's (`link`, `threads`, `messages`, `opened`, `said`, … below).
//
// A thread is a room or a private talk with one person. Its key is `room:<name>` or `to:<name>`.

const TYPING_LASTS = 6000; // ms after which somebody who said nothing more has stopped

export const EMPTY = {
  me: '',
  epoch: null,
  rev: 0,
  people: {},
  storage: { kept: true, reason: null },
  threads: {},
  open: null, // the key of the thread on the screen
  known: false, // whether a snapshot came; before it, nothing is known
  listed: false, // whether the panel has told the threads of this person
  doubtful: false, // another run of the panel: what it has of the threads replaces what is here
  name_problem: null, // why the panel does not take this name
  link: { status: 'connecting', transport: null, roundTrip: null, since: 0, retryAt: null, restarting: false },
  notices: [],
};

const THREAD = {
  n: 0, // the number of the last message there is
  read: 0, // up to where this person has read
  last: null,
  at: 0,
  marks: {}, // per person, what they have got and read
  typing: {}, // per person, when they said so last (ms, this page's clock)
  loaded: false,
  loading: false,
  messages: [], // some of them, by ascending n
  more: false, // whether there are older ones
  bridges: [], // messages before which a hole is for ever: the panel has nothing there either
  pending: [], // what this page says and the panel has not confirmed: {client_id, msg, at, state, problem}
  new_after: null, // the last message that was read when the thread was opened
  problem: null, // why it cannot be shown
};

export function apply(state, event) {
  switch (event.event) {
    case 'snapshot':
      return afterSnapshot(state, event);
    case 'person_changed':
      return {
        ...withRev(state, event),
        people: event.devices.length
          ? { ...state.people, [event.person]: { name: event.person, devices: event.devices } }
          : without(state.people, event.person),
      };
    case 'storage_changed':
      return { ...withRev(state, event), storage: event.state };
    case 'room_changed':
      return event.state
        ? changed(withRev(state, event), roomKey(event.room), (thread) => asRoom(thread, event.state))
        : { ...withRev(state, event), threads: without(state.threads, roomKey(event.room)) };
    case 'message':
      return changed(state, keyOf(event.message, state.me), (thread) => withMessage(thread, event.message, state.me));
    case 'typing': {
      if (event.person === state.me) return state;
      const key = pairKey(event, state.me);
      if (!(key in state.threads) && !event.typing) return state;
      return changed(state, key, (thread) => ({
        ...thread,
        typing: event.typing ? { ...thread.typing, [event.person]: event.heard } : without(thread.typing, event.person),
      }));
    }
    case 'marks_changed':
      return changed(state, pairKey(event, state.me), (thread) => withMarks(thread, event.person, event, state.me));

    case 'link':
      return { ...state, link: { ...state.link, ...event.link } };
    case 'round_trip':
      return { ...state, link: { ...state.link, roundTrip: event.ms } };

    case 'me': // another name is another person: what was read and said privately is not theirs
      return event.name === state.me ? state : { ...EMPTY, me: event.name, link: state.link, open: state.open };
    case 'name_refused':
      return { ...state, name_problem: event.problem };
    case 'threads':
      return afterThreads(state, event.threads);
    case 'opened': {
      const opened = { ...state, open: event.key };
      if (!event.key || event.key === state.open) return opened;
      return changed(opened, event.key, (thread) => ({ ...thread, new_after: readUpTo(thread) }));
    }
    case 'loading':
      return changed(state, event.key, (thread) => ({ ...thread, loading: event.loading }));
    case 'messages':
      return changed(state, event.key, (thread) => withPage(thread, event));
    case 'unavailable':
      return changed(state, event.key, (thread) => ({ ...thread, loaded: true, loading: false, problem: event.problem }));

    case 'said':
      return changed(state, event.key, (thread) => ({ ...thread, pending: [...thread.pending, event.pending] }));
    case 'saying':
      return changed(state, event.key, (thread) => ({
        ...thread,
        pending: thread.pending.map((one) =>
          one.client_id === event.client_id ? { ...one, state: event.state, problem: event.problem ?? null } : one,
        ),
      }));
    case 'unsaid':
      return changed(state, event.key, (thread) => ({ ...thread, pending: notOf(thread.pending, event.client_id) }));
    case 'tick':
      return afterTick(state, event.now);

    case 'refused':
      return { ...state, notices: [...state.notices.slice(-2), { id: event.id, problem: event.problem }] };
    case 'notice_gone':
      return { ...state, notices: state.notices.filter((notice) => notice.id !== event.id) };
    default:
      return state; // the lights', the runs', or a newer server's
  }
}

// --- what is asked of it -----------------------------------------------------------------------------------

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

/** What a thread is called. */
export function nameOf(key) {
  return key.slice(key.indexOf(':') + 1);
}

export function isRoom(key) {
  return key.startsWith('room:');
}

/** The thread of this key, whether anything was ever said in it or not. */
export function threadOf(state, key) {
  return state.threads[key] ?? { ...THREAD, key };
}

export function unread(thread) {
  return Math.max(thread.n - thread.read, 0);
}

/** The number of the message after which some are missing here, or null. */
export function missingAfter(thread) {
  const { messages, bridges, n } = thread;
  if (!thread.loaded || thread.problem) return null;
  for (let at = messages.length - 1; at > 0; at -= 1) {
    if (messages[at].n !== messages[at - 1].n + 1 && !bridges.includes(messages[at].n)) return messages[at - 1].n;
  }
  const last = messages.at(-1)?.n ?? 0;
  return n > last ? last : null;
}

export function typists(thread) {
  return Object.keys(thread.typing);
}

/** How far an own message has come: `{state: 'stored' | 'delivered' | 'read', by: [names who have read it]}`. */
export function delivery(thread, message, me) {
  const others = Object.entries(thread.marks).filter(([person]) => person !== me);
  const by = others.filter(([, mark]) => mark.read >= message.n).map(([person]) => person);
  if (by.length) return { state: 'read', by };
  const got = message.room === null && others.some(([, mark]) => mark.delivered >= message.n);
  return { state: got ? 'delivered' : 'stored', by };
}

// --- how it changes ----------------------------------------------------------------------------------------

function afterSnapshot(state, { epoch, rev, state: told }) {
  const other = state.epoch !== null && state.epoch !== epoch;
  const storage = told.storage ?? state.storage;
  const forgotten = other && !(storage.kept && state.storage.kept);
  const threads = {};
  for (const [key, thread] of Object.entries(state.threads)) {
    const gone = isRoom(key) && !(nameOf(key) in (told.rooms ?? {})) && !thread.pending.length && key !== state.open;
    if (!gone) threads[key] = forgotten ? anew(thread) : thread;
  }
  for (const room of Object.values(told.rooms ?? {})) {
    const key = roomKey(room.name);
    const thread = threads[key] ?? { ...THREAD, key };
    threads[key] = asRoom(other && room.n < thread.n ? anew(thread) : thread, room);
  }
  const doubtful = state.doubtful || other;
  return { ...state, epoch, rev, people: told.people ?? {}, storage, threads, known: true, doubtful };
}

function afterThreads(state, told) {
  const threads = { ...state.threads };
  const listed = new Set();
  for (const { room, with: person, n, read, last, marks } of told) {
    const key = room === null ? personKey(person) : roomKey(room);
    listed.add(key);
    let thread = threads[key] ?? { ...THREAD, key };
    if (state.doubtful && n < thread.n) thread = anew(thread);
    const newer = last && last.n >= (thread.last?.n ?? 0);
    threads[key] = {
      ...thread,
      n: Math.max(thread.n, n),
      read: Math.max(thread.read, read),
      last: newer ? last : thread.last,
      at: newer ? last.at : thread.at,
      marks: joined(thread.marks, marks),
    };
  }
  for (const [key, thread] of Object.entries(threads)) {
    if (state.doubtful && !listed.has(key)) threads[key] = anew(thread);
  }
  // A thread that was opened by its address could not know yet what was new in it.
  const open = !state.listed && threads[state.open];
  if (open) threads[state.open] = { ...open, new_after: readUpTo(open) };
  return { ...state, threads, listed: true, doubtful: false, name_problem: null };
}

function afterTick(state, now) {
  let next = state;
  for (const [key, { typing }] of Object.entries(state.threads)) {
    const still = Object.entries(typing).filter(([, heard]) => now - heard < TYPING_LASTS);
    if (still.length === Object.keys(typing).length) continue;
    next = changed(next, key, (thread) => ({ ...thread, typing: Object.fromEntries(still) }));
  }
  return next;
}

function withMessage(thread, message, me) {
  const newest = message.n > (thread.last?.n ?? 0);
  return {
    ...thread,
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

/** A page of the history: the newest, those before a number, or those after one. */
function withPage(thread, { messages, more, after = null }) {
  const next = { ...thread, loaded: true, loading: false, problem: null };
  next.messages = merged(thread.messages, messages);
  next.n = Math.max(thread.n, messages.at(-1)?.n ?? 0);
  // The answer may know what was sent before the page was closed, and never confirmed.
  next.pending = messages.reduce((pending, { client_id }) => notOf(pending, client_id), thread.pending);
  if (after === null) next.more = more;
  if (after !== null && messages[0]?.n !== after + 1) {
    const beyond = next.messages.find(({ n }) => n > after);
    if (beyond) next.bridges = [...thread.bridges, beyond.n];
    else next.n = after; // there is nothing, whatever the number said
  }
  return next;
}

function withMarks(thread, person, { delivered = 0, read = 0 }, me) {
  return {
    ...thread,
    read: person === me ? Math.max(thread.read, read) : thread.read,
    marks: joined(thread.marks, { [person]: { delivered, read } }),
  };
}

function joined(marks, told) {
  const all = { ...marks };
  for (const [person, { delivered, read }] of Object.entries(told ?? {})) {
    const known = all[person] ?? { delivered: 0, read: 0 };
    all[person] = { delivered: Math.max(known.delivered, delivered ?? 0), read: Math.max(known.read, read ?? 0) };
  }
  return all;
}

function asRoom(thread, { n, at }) {
  return { ...thread, n: Math.max(thread.n, n), at: Math.max(thread.at, at ?? 0) };
}

/** Where the new ones begin; to who never read here nothing is new. */
function readUpTo(thread) {
  return thread.read && unread(thread) ? thread.read : null;
}

/** The thread without anything that the panel told; what was typed here stays. */
function anew({ key, pending }) {
  return { ...THREAD, key, pending };
}

/** Both by ascending number, each message once. */
function merged(messages, more) {
  if (more.length && (messages.at(-1)?.n ?? 0) < more[0].n) return [...messages, ...more];
  if (more.length && messages.length && more.at(-1).n < messages[0].n) return [...more, ...messages];
  const all = new Map(messages.map((message) => [message.n, message]));
  for (const message of more) if (!all.has(message.n)) all.set(message.n, message);
  return [...all.values()].sort((one, other) => one.n - other.n);
}

function keyOf({ room, to, from }, me) {
  if (room !== null && room !== undefined) return roomKey(room);
  return personKey(from === me ? to : from);
}

/** Of typing and marks: in private, `person` and `to` are the two. */
function pairKey({ room, to, person }, me) {
  return keyOf({ room, to, from: person }, me);
}

function changed(state, key, change) {
  return { ...state, threads: { ...state.threads, [key]: change(threadOf(state, key)) } };
}

function withRev(state, { rev }) {
  return rev > state.rev ? { ...state, rev } : state;
}

function notOf(pending, client_id) {
  return pending.some((one) => one.client_id === client_id)
    ? pending.filter((one) => one.client_id !== client_id)
    : pending;
}

function without(record, key) {
  const { [key]: _, ...rest } = record;
  return rest;
}
