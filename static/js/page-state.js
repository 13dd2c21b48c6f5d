// What the state of every page with a connection holds, and how it changes: the revision, the link, the notices.

const NOTICES = 3; // shown at once

export const COMMON = {
  epoch: null,
  rev: 0,
  link: { status: 'connecting', transport: null, roundTrip: null, since: 0, retryAt: null, restarting: false },
  notices: [],
};

const common = {
  link: (state, { link }) => ({ ...state, link: { ...state.link, ...link } }),
  round_trip: (state, { ms }) => ({ ...state, link: { ...state.link, roundTrip: ms } }),
  refused: (state, { id, problem }) => withNotices(state, [{ id, problem }]),
  notice_gone: (state, { id }) => ({ ...state, notices: state.notices.filter((notice) => notice.id !== id) }),
};

/**
 * The pure function `apply(state, event)` of a page: the same state and event give the same new state.
 *
 * `changes` has a function `(state, event)` for each event that changes this page. Other events return the same state:
 * they are for other pages, or of a newer server.
 */
export function reducer(changes) {
  const all = { ...common, ...changes };
  return (state, event) => (Object.hasOwn(all, event.event) ? all[event.event](state, event) : state);
}

/** For a page that shows whether the panel keeps what is said and logged. */
export function storage_changed(state, event) {
  return { ...withRev(state, event), storage: event.state };
}

/** For a page that shows what plays. */
export function run_changed(state, event) {
  return { ...withRev(state, event), runs: { ...state.runs, [event.run]: { ...event.state, id: event.run } } };
}

export function run_removed(state, event) {
  return { ...withRev(state, event), runs: without(state.runs, event.run) };
}

export function show_changed(state, event) {
  const shows = event.state ? { ...state.shows, [event.show]: event.state } : without(state.shows, event.show);
  return { ...withRev(state, event), shows };
}

/** For a page that shows who is present. */
export function person_changed(state, event) {
  const { person: name, devices } = event;
  const people = devices.length ? { ...state.people, [name]: { name, devices } } : without(state.people, name);
  return { ...withRev(state, event), people };
}

export function isLive(state) {
  return state.link.status === 'live';
}

export function withRev(state, { rev }) {
  return rev > state.rev ? { ...state, rev } : state;
}

export function withNotices(state, more) {
  return more.length ? { ...state, notices: [...state.notices, ...more].slice(-NOTICES) } : state;
}

export function without(record, key) {
  const { [key]: _, ...rest } = record;
  return rest;
}

/** What the record has under this name, or undefined. Somebody may be called "constructor", which every object has. */
export function known(record, name) {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** All of these in this order of ids; those that it does not name come after the others. */
export function ordered(all, order) {
  return { ...Object.fromEntries(order.filter((id) => Object.hasOwn(all, id)).map((id) => [id, all[id]])), ...all };
}

/** The node of a light, a panel of several that share an engine: the id of such a light is `node.light`. */
export function nodeOf(id) {
  return id.includes('.') ? id.split('.')[0] : '';
}

/** The order of names for people: room-2 comes before room-10. */
export const naturally = new Intl.Collator(undefined, { numeric: true }).compare;
