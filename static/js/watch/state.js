// What the Runs page knows, and how each event changes it.
//
// Events of the server: `snapshot`, `run_changed`, `run_removed`, `run_log`, `run_begun`, `run_graph`, `run_ended`, `gap`,
// `storage_changed`, `show_changed`. Events of the page: those of page-state.js, and `opened`, `watched`, `missing`, `loaded`,
// `listed`, `follow`, `asking`, `answered`; those of the search, `find`, `found`, `filtered`, `hit`; `goal`;
// and `sought`.

import { COMMON, reducer, show_changed, storage_changed, withNotices, withRev, without } from '../page-state.js';
import { NO_FIND, found, has, heard, listed, searching } from './find.js';
import { lookOf } from './run-look.js';
import { firstWhere } from './search.js';

const KEPT = 5000; // lines in the page while it follows the log
const HELD = 2 * KEPT; // lines in the page while somebody reads older ones
const SLACK = 250; // lines over KEPT before some are dropped, so that not each new line copies them all

// The part of a log that is in the page. An item is `{n, line}`, or `{n, upto}` where the lines n..upto-1 are missing.
const NO_LOG = {
  items: [],
  known: false, // whether the panel has answered
  first: 0, // offset of the first item
  next: 0, // offset after the last item
  end: 0, // offset after the last line of the log on the panel
  tail: true, // whether the page has the end of the log, and appends new lines
  oldest: 0, // offset of the first line that the panel still has
};

const ENDED = 5; // ended runs that are listed at first, so that the shows stay visible
const NONE = [];

export const EMPTY = {
  ...COMMON,
  runs: null, // null until the first snapshot: unknown is not the same as none
  revs: {}, // per run, the revision its state is from
  others: {}, // older runs, which the panel sends on request
  everyOne: false, // whether all older runs are here
  sought: { text: '', look: 'all' }, // which runs are listed: `look` is a key of LOOKS
  shows: {},
  storage: null,
  watch: null, // the run on show
  asking: null, // the signal that waits for its answer
  answer: null, // the reply to `get_uia`: what the run drives
};

const UNWATCHED = {
  status: 'asking', // watching, missing
  started: null, // when the watched run began: after its end, another run may begin under its id
  problem: null,
  graph: null,
  log: NO_LOG,
  begun: NONE, // lines after the end of the log that may still change
  follow: true,
  find: NO_FIND,
  list: null, // the lines that pass the filter, in place of the log; null without a filter
  goal: null, // the line to show, `{n}`; `{n, gone}` if the log does not have it: the offsets that it has; or `{n, lost: true}`
  marked: null, // the offset in the address
  passed: [], // edges the run has left behind
  broke: [], // the edges where it was when it failed or was stopped
};

export const apply = reducer({
  storage_changed,
  show_changed,

  snapshot(state, { epoch, rev, state: given }) {
    const runs = given.runs ?? {};
    const watched = state.watch && everyRun(state)[state.watch.run];
    const others = watched && !(watched.id in runs) ? { [watched.id]: watched } : {};
    const known = { ...state, epoch, rev, others, everyOne: false };
    return moved(state, {
      ...known,
      runs,
      revs: Object.fromEntries(Object.keys(runs).map((id) => [id, rev])),
      shows: given.shows ?? state.shows,
      storage: given.storage ?? state.storage,
    });
  },

  run_changed: (state, event) => withRun(withRev(state, event), { ...event.state, id: event.run }, event.rev),

  run_removed(state, { run, by, rev }) {
    const { runs, others, revs } = state;
    const left = { ...withRev(state, { rev }), others: without(others, run), revs: without(revs, run) };
    const gone = onRun({ ...left, runs: runs && without(runs, run) }, run, () => ({ status: 'deleted', problem: by }));
    return gone;
  },

  run_log(state, { run, from, lines }) {
    const { watch } = state;
    if (watch?.run !== run) return state;
    const log = added(watch.log, from, lines, watch.follow);
    return withNotices({ ...state, watch: { ...heard(watch, from, lines), log } }, signs(run, from, lines, watch.log));
  },

  run_graph(state, { run, graph }) {
    return onRun(state, run, () => ({ graph }));
  },

  run_begun(state, { run, lines }) {
    return onRun(state, run, () => ({ begun: lines }));
  },

  run_ended(state, { run, exit_code, signal, outcome, lines }) {
    const ended = state.runs?.[run];
    const now = { ...ended, state: 'ended', exit_code, outcome, lines, ...(signal && { signal }) };
    return { ...state, runs: ended ? { ...state.runs, [run]: now } : state.runs };
  },

  gap(state, { of, run, from, upto }) {
    if (of !== 'run') return state;
    return onRun(state, run, ({ log }) => ({ log: skipped(log, from, upto) }));
  },

  // --- what this page does -----------------------------------------------------------------------------------

  opened: (state, { run, line = null }) => ({
    ...state,
    answer: null,
    asking: null,
    watch: run === null ? null : { ...UNWATCHED, run, marked: line, follow: line === null },
  }),

  /** The reply to `watch_run`. `again` is true after a reconnect, false when the run was just opened. */
  watched(state, { run, graph, log, begun, rev, again }) {
    if (state.watch?.run !== run.id) return state;
    const known = withRun(state, run, rev ?? state.rev);
    const { watch } = known;
    const sent = again ? added(watch.log, log.from, log.lines, watch.follow) : opening(watch.log, log);
    const lines = again ? missed(sent, run.lines) : sent;
    const { started_at: started } = run;
    const now = { status: 'watching', started, problem: null, graph: graph ?? null, log: lines, begun: begun ?? NONE };
    const news = again ? signs(run.id, log.from, log.lines, watch.log) : NONE;
    return withNotices({ ...known, watch: { ...watch, ...now } }, news);
  },

  missing: (state, { run, problem }) => onRun(state, run, () => ({ status: 'missing', problem })),

  /** The reply to `get_log` from offset `asked`; with `fresh` it replaces the lines that are there. */
  loaded(state, { run, asked, log, fresh }) {
    return onRun(state, run, ({ log: known }) => ({ log: fresh ? jumped(known, log) : filled(known, asked, log) }));
  },

  sought: (state, { event: _, ...change }) => ({ ...state, sought: { ...state.sought, ...change } }),

  /** The reply to `get_runs`. */
  listed: (state, { runs }) => ({
    ...state,
    others: Object.fromEntries(runs.map((run) => [run.id, run])),
    everyOne: true,
  }),

  follow: (state, { follow }) =>
    state.watch && state.watch.follow !== follow
      ? { ...state, watch: { ...state.watch, follow, ...(follow && { log: trimmed(state.watch.log), goal: null }) } }
      : state,

  // --- the search; an answer to an older question is dropped

  find: (state, { change }) => ({ ...state, watch: searching(state.watch, change) }),

  found: (state, { run, key, found: answer }) =>
    onRun(state, run, (watch) => (watch.find.key === key ? found(watch, answer) : watch)),

  filtered: (state, { run, key, found: answer, fresh }) =>
    onRun(state, run, (watch) => (watch.find.key === key && watch.list ? listed(watch, answer, fresh) : watch)),

  hit: (state, { n }) => ({ ...state, watch: { ...state.watch, find: { ...state.watch.find, hit: n } } }),

  marked: (state, { line }) => ({ ...state, watch: { ...state.watch, marked: line, goal: null } }),

  /** Go to a line. `lost` is true if the panel did not answer: nobody knows whether the log has it. */
  goal(state, { n, lost = false }) {
    const { log, list } = state.watch;
    const missing = lost ? { lost } : { gone: { from: log.first, upto: log.end } };
    const goal = has(list ?? log, n) ? { n } : { n, ...missing };
    return { ...state, watch: { ...state.watch, goal } };
  },

  asking: (state, { signal }) => ({ ...state, asking: signal }),
  answered: (state, { answer }) => ({ ...state, answer }),
});

// --- questions ---------------------------------------------------------------------------------------------

/** Every run this page knows, by id. */
export function everyRun(state) {
  return { __proto__: null, ...state.others, ...state.runs }; // so that no run "toString" is found if there is none
}

/** The filters of the list, by their names on the page: the looks of run-words.js that they have. */
export const LOOKS = {
  all: null,
  going: ['running', 'paused', 'silent'],
  failed: ['failed', 'killed', 'lost'],
  done: ['done', 'stopped'],
};

/** The runs to list, and how many older ones are left out until somebody asks for all. `name(run)` is its name. */
export function listedRuns(state, name) {
  const { text, look } = state.sought;
  const order = inOrder(state);
  const words = text.trim().toLowerCase();
  if (words || look !== 'all') {
    const fits = (run) => !LOOKS[look] || LOOKS[look].includes(lookOf(run));
    return { listed: order.filter((run) => fits(run) && `${name(run)} ${run.id}`.toLowerCase().includes(words)), left: 0 };
  }
  let ended = 0;
  const listed = order.filter((run) => {
    if (run.state !== 'ended' || run.pinned) return true;
    ended += 1;
    return state.everyOne || ended <= ENDED || run.id === state.watch?.run;
  });
  return { listed, left: order.length - listed.length };
}

/** All runs in the order of the list: those that are pinned, that run, that ended; each with the newest first. */
export function inOrder(state) {
  return Object.values(everyRun(state)).sort(
    (a, b) =>
      Boolean(b.pinned) - Boolean(a.pinned) ||
      (a.state === 'ended') - (b.state === 'ended') ||
      (b.ended_at ?? b.started_at) - (a.ended_at ?? a.started_at) ||
      (a.id < b.id ? -1 : 1),
  );
}

/** The run on show, or null. */
export function runOnShow(state) {
  return (state.watch && everyRun(state)[state.watch.run]) ?? null;
}

/** The offset from which the page needs the log after a reconnect; undefined if it has no lines yet. */
export function needed({ log }) {
  if (!log.known) return undefined;
  return log.tail ? log.next : log.end;
}

/** The first lines that are missing without a `gap` of the panel, `{n, upto}`: ask for them at once. */
export function hole({ log }) {
  return log.items.find((item) => item.hole) ?? null;
}

// --- runs --------------------------------------------------------------------------------------------------

function withRun(state, run, rev) {
  if (!state.runs || (state.revs[run.id] ?? -1) > rev) return state;
  return moved(state, { ...state, runs: { ...state.runs, [run.id]: run }, revs: { ...state.revs, [run.id]: rev } });
}

/** Remember the edges that the run on show has passed: the panel sends only where it is now. */
function moved(before, state) {
  const { watch } = state;
  const was = watch && everyRun(before)[watch.run];
  const is = runOnShow(state);
  if (!was || !is) return state;
  const left = was.running_edge.filter((edge) => !is.running_edge.includes(edge));
  if (!left.length) return state;
  const passed = [...new Set([...watch.passed, ...left])];
  // A run that ended is on no edge; people look for the edge where it stopped.
  const broke = is.state === 'ended' && is.outcome !== 'done' ? left : watch.broke;
  return { ...state, watch: { ...watch, passed, broke } };
}

/** The state with a change of the run on show, if it is this one: `change(watch)` returns what is different. */
function onRun(state, run, change) {
  const { watch } = state;
  return watch?.run === run ? { ...state, watch: { ...watch, ...change(watch) } } : state;
}

// --- the log -----------------------------------------------------------------------------------------------

/** The log with the first lines of a run that was just opened; newer lines may be there already. */
function opening(log, { from, next, lines }) {
  const items = placed(log.items, from, lines);
  return bounded({ ...log, known: true, first: from, next, items, end: Math.max(log.end, next) });
}

/** The log with new lines at its end: no line twice, and an item for lines that are missing between. */
function added(log, from, lines, follow) {
  const end = Math.max(log.end, from + lines.length);
  if (!log.tail) return { ...log, end };
  const begun = log.known || log.items.length > 0;
  const known = begun ? Math.max(log.next - from, 0) : 0;
  if (known >= lines.length) return end === log.end ? log : { ...log, end };
  if (!follow && log.items.length + lines.length > HELD) return { ...log, end, tail: false };
  const items = [...log.items];
  if (begun && from > log.next) items.push({ n: log.next, upto: from, hole: true });
  for (let at = known; at < lines.length; at += 1) items.push({ n: from + at, line: lines[at] });
  const grown = bounded({ ...log, items, end });
  return follow ? trimmed(grown) : grown;
}

/** The log with a hole for the lines that did not fit into the reply after a reconnect. */
function missed(log, lines) {
  if (!log.tail || !log.items.length || log.next >= lines) return log;
  return bounded({ ...log, items: [...log.items, { n: log.next, upto: lines, hole: true }], end: lines });
}

/** The log with a gap: the panel says that it left lines out. */
function skipped(log, from, upto) {
  const end = Math.max(log.end, upto);
  const begin = Math.max(from, log.next);
  if (!log.tail || begin >= upto) return { ...log, end };
  return bounded({ ...log, items: [...log.items, { n: begin, upto }], end });
}

/** The log with a page of lines in its place: before the lines that are there, in a gap, or after them. */
function filled(log, asked, { from, next, lines }) {
  const older = from < log.first;
  const newer = from >= log.next;
  let items = placed(log.items, from, lines);
  // Do not ask again for lines that the panel does not have.
  const begin = lines.length ? from : log.first;
  const oldest = asked < log.first && begin > asked ? Math.max(log.oldest, begin) : log.oldest;
  if (!lines.length || from > asked) {
    items = items.map((item) => (item.hole && item.n <= asked ? { ...item, hole: false } : item));
  }
  const end = Math.max(log.end, next);
  let { tail } = log;
  if (newer && next >= end) tail = true;
  if (items.length > HELD && older) {
    items = items.slice(0, HELD);
    tail = false;
  } else if (items.length > HELD && newer) {
    items = items.slice(-HELD);
  }
  return bounded({ ...log, items, tail, end, oldest });
}

/** Another part of the log, in place of the one where the reader was. */
function jumped(log, { from, next, lines }) {
  const end = Math.max(log.end, next);
  return bounded({ ...log, items: placed([], from, lines), first: from, next, end, tail: next >= end, known: true });
}

function trimmed(log) {
  return log.tail && log.items.length > KEPT + SLACK ? bounded({ ...log, items: log.items.slice(-KEPT) }) : log;
}

function bounded(log) {
  const { items } = log;
  return items.length ? { ...log, first: items[0].n, next: after(items.at(-1)) } : log;
}

function after(item) {
  return item.upto ?? item.n + 1;
}

/** The items with these lines in their place; lines that are missing between two items become a hole. */
function placed(items, from, lines) {
  if (!lines.length) return items;
  const upto = from + lines.length;
  const start = firstWhere(items, (item) => after(item) > from);
  const stop = firstWhere(items, (item) => item.n >= upto);
  const head = items.slice(0, start);
  const tail = items.slice(stop);
  if (start < stop) {
    // Keep what is left of a gap around the new lines.
    const begun = items[start];
    const ending = items[stop - 1];
    if (begun.n < from) head.push({ n: begun.n, upto: from });
    if (after(ending) > upto) tail.unshift({ n: upto, upto: ending.upto, ...(ending.hole && { hole: true }) });
  }
  if (head.length && after(head.at(-1)) < from) head.push({ n: after(head.at(-1)), upto: from, hole: true });
  if (tail.length && tail[0].n > upto) tail.unshift({ n: upto, upto: tail[0].n, hole: true });
  return [...head, ...lines.map((line, at) => ({ n: from + at, line })), ...tail];
}

// --- notices -----------------------------------------------------------------------------------------------

/** A notice for each new line with a sign: something has finished. */
function signs(run, from, lines, log) {
  const since = Math.max(log.end - from, 0);
  return lines
    .map((line, at) => ({ id: `sign ${run} ${from + at}`, run, line }))
    .slice(since)
    .filter(({ line }) => line.sign !== undefined && line.sign !== null && line.sign !== false);
}
