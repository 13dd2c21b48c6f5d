// What the Runs page knows, and the one function that changes it.
//
// `apply(state, event)` is pure: the same state and event give the same new state. Events are the server's own
// (`run_changed`, `run_log`, `run_begun`, `run_graph`, `run_ended`, `gap`, and a `snapshot` for a whole frame) and the page's
// (`link`, `round_trip`, `opened`, `watched`, `missing`, `loaded`, `listed`, `follow`, `asking`, `answered`, `refused`,
// `notice_gone`).

const KEPT = 5000; // lines in the page while it follows the log
const HELD = 2 * KEPT; // while somebody reads older ones
const SLACK = 250; // lines over KEPT before any are dropped: not each line moves five thousand
const NOTICES = 3;

// The part of a log that is in the page. `items` are `{n, line}`, and `{n, upto}` where lines n..upto-1 are missing.
const NO_LOG = {
  items: [],
  known: false, // whether the panel has said yet what there is
  first: 0, // offset of the first item
  next: 0, // offset after the last item
  end: 0, // offset after the last line there is
  tail: true, // whether the page has the end of the log, and takes what is added
  oldest: 0, // offset of the first line that can be had at all
};

const NONE = [];

export const EMPTY = {
  epoch: null,
  rev: 0,
  runs: null, // null until the first snapshot: unknown is not the same as none
  revs: {}, // per run, the revision its state is from
  others: {}, // older runs, which the panel tells only who asks
  everyOne: false, // whether all of those are here
  shows: {},
  storage: null,
  link: { status: 'connecting', transport: null, roundTrip: null, since: 0, retryAt: null, restarting: false },
  watch: null, // the run on show
  asking: null, // the signal that waits for its answer
  answer: null, // what the run said that it drives
  notices: [],
};

const UNWATCHED = {
  status: 'asking', // watching, missing
  started: null, // when the run began that is watched: one that ended may begin again under its id
  problem: null,
  graph: null,
  log: NO_LOG,
  begun: NONE, // lines behind the end of the log, which may still change
  follow: true,
  passed: [], // edges the run has left behind
  broke: [], // those it was on when it ended before its end
};

export function apply(state, event) {
  return changes[event.event]?.(state, event) ?? state; // an event of a newer server changes nothing
}

const changes = {
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

  storage_changed(state, { rev, state: storage }) {
    return { ...state, rev: Math.max(state.rev, rev), storage };
  },

  run_changed(state, { rev, run, state: given }) {
    return withRun({ ...state, rev: Math.max(state.rev, rev) }, { ...given, id: run }, rev);
  },

  run_log(state, { run, from, lines }) {
    return onLog(state, run, (watch) => ({
      watch: { ...watch, log: added(watch.log, from, lines, watch.follow) },
      notices: withNotices(state.notices, signs(run, from, lines, watch.log)),
    }));
  },

  run_graph(state, { run, graph }) {
    return onLog(state, run, (watch) => ({ watch: { ...watch, graph } }));
  },

  run_begun(state, { run, lines }) {
    return onLog(state, run, (watch) => ({ watch: { ...watch, begun: lines } }));
  },

  run_ended(state, { run, exit_code, signal, outcome, lines }) {
    const ended = state.runs?.[run];
    const now = { ...ended, state: 'ended', exit_code, outcome, lines, ...(signal && { signal }) };
    return { ...state, runs: ended ? { ...state.runs, [run]: now } : state.runs };
  },

  gap(state, { of, run, from, upto, href }) {
    if (of !== 'run') return state;
    return onLog(state, run, (watch) => ({ watch: { ...watch, log: skipped(watch.log, from, upto, href) } }));
  },

  // --- what this page does -----------------------------------------------------------------------------------

  link: (state, { link }) => ({ ...state, link: { ...state.link, ...link } }),
  round_trip: (state, { ms }) => ({ ...state, link: { ...state.link, roundTrip: ms } }),

  opened: (state, { run }) => ({
    ...state,
    answer: null,
    asking: null,
    watch: run === null ? null : { ...UNWATCHED, run },
  }),

  /** The answer to `watch_run`: of a page that opens the run, or of one that comes back to it (`again`). */
  watched(state, { run, graph, log, begun, rev, again }) {
    if (state.watch?.run !== run.id) return state;
    const known = withRun(state, run, rev ?? state.rev);
    const { watch } = known;
    const told = again ? added(watch.log, log.from, log.lines, watch.follow) : opening(watch.log, log);
    const lines = again ? missed(told, run.lines) : told;
    return {
      ...known,
      watch: {
        ...watch,
        status: 'watching',
        started: run.started_at,
        problem: null,
        graph: graph ?? null,
        log: lines,
        begun: begun ?? NONE,
      },
      notices: again ? withNotices(state.notices, signs(run.id, log.from, log.lines, watch.log)) : state.notices,
    };
  },

  missing: (state, { run, problem }) =>
    onLog(state, run, (watch) => ({ watch: { ...watch, status: 'missing', problem } })),

  /** The answer to `get_log`, asked from offset `asked`; with `fresh` it replaces what is there. */
  loaded(state, { run, asked, log, fresh }) {
    return onLog(state, run, (watch) => ({
      watch: { ...watch, log: fresh ? jumped(watch.log, log) : filled(watch.log, asked, log) },
    }));
  },

  /** The answer to `get_runs`. */
  listed: (state, { runs }) => ({
    ...state,
    others: Object.fromEntries(runs.map((run) => [run.id, run])),
    everyOne: true,
  }),

  follow: (state, { follow }) =>
    state.watch && state.watch.follow !== follow
      ? { ...state, watch: { ...state.watch, follow, log: follow ? trimmed(state.watch.log) : state.watch.log } }
      : state,

  asking: (state, { signal }) => ({ ...state, asking: signal }),
  answered: (state, { answer }) => ({ ...state, answer }),

  refused: (state, { id, problem }) => ({ ...state, notices: withNotices(state.notices, [{ id, problem }]) }),
  notice_gone: (state, { id }) => ({ ...state, notices: state.notices.filter((notice) => notice.id !== id) }),
};

// --- questions ---------------------------------------------------------------------------------------------

export function isLive(state) {
  return state.link.status === 'live';
}

/** Every run this page knows, by id. */
export function everyRun(state) {
  return { ...state.others, ...state.runs };
}

/** The runs as a person wants them: what runs first, then what ended last; the newest first. */
export function inOrder(state) {
  return Object.values(everyRun(state)).sort(
    (a, b) =>
      (a.state === 'ended') - (b.state === 'ended') ||
      (b.ended_at ?? b.started_at) - (a.ended_at ?? a.started_at) ||
      (a.id < b.id ? -1 : 1),
  );
}

/** The run on show, or null. */
export function runOnShow(state) {
  return (state.watch && everyRun(state)[state.watch.run]) ?? null;
}

/** The offset from which a page that comes back needs the log; undefined for one that has nothing yet. */
export function needed({ log }) {
  if (!log.known) return undefined;
  return log.tail ? log.next : log.end;
}

/** The first lines that went missing without the panel saying so, `{n, upto}`: to be asked for at once. */
export function hole({ log }) {
  return log.items.find((item) => item.hole) ?? null;
}

// --- runs --------------------------------------------------------------------------------------------------

function withRun(state, run, rev) {
  if (!state.runs || (state.revs[run.id] ?? -1) > rev) return state;
  return moved(state, { ...state, runs: { ...state.runs, [run.id]: run }, revs: { ...state.revs, [run.id]: rev } });
}

/** The edges that the run on show has left behind are remembered: the panel tells only where it is now. */
function moved(before, state) {
  const { watch } = state;
  const was = watch && everyRun(before)[watch.run];
  const is = runOnShow(state);
  if (!was || !is) return state;
  const left = was.running_edge.filter((edge) => !is.running_edge.includes(edge));
  if (!left.length) return state;
  const passed = [...new Set([...watch.passed, ...left])];
  // Once it has ended it is nowhere; where it broke off is what people look for.
  const broke = is.state === 'ended' && is.outcome !== 'done' ? left : watch.broke;
  return { ...state, watch: { ...watch, passed, broke } };
}

function onLog(state, run, change) {
  return state.watch?.run === run ? { ...state, ...change(state.watch) } : state;
}

// --- the log -----------------------------------------------------------------------------------------------

/** The first lines of a run that was just opened; lines that overtook them are there already. */
function opening(log, { from, next, lines }) {
  const items = placed(log.items, from, lines);
  return bounded({ ...log, known: true, first: from, next, items, end: Math.max(log.end, next) });
}

/** Lines at the end: those that are there are not taken twice, and none between is lost without a mark. */
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

/** What did not fit in the answer of a page that comes back is a hole, which is asked for. */
function missed(log, lines) {
  if (!log.tail || !log.items.length || log.next >= lines) return log;
  return bounded({ ...log, items: [...log.items, { n: log.next, upto: lines, hole: true }], end: lines });
}

/** The panel says that it left lines out. */
function skipped(log, from, upto, href) {
  const end = Math.max(log.end, upto);
  const begin = Math.max(from, log.next);
  if (!log.tail || begin >= upto) return { ...log, end };
  const gap = begin === from ? { n: from, upto, href } : { n: begin, upto };
  return bounded({ ...log, items: [...log.items, gap], end });
}

/** A page of the log where it belongs: before what is there, in a gap of it, or after it. */
function filled(log, asked, { from, next, lines }) {
  const older = from < log.first;
  const newer = from >= log.next;
  let items = placed(log.items, from, lines);
  // What cannot be had is not asked for again and again.
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

/** Away from where the reader was, to another part of the log. */
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

/** These lines among the items, instead of what was there; what then lies between two items is a hole. */
function placed(items, from, lines) {
  if (!lines.length) return items;
  const upto = from + lines.length;
  const start = position(items, (item) => after(item) > from);
  const stop = position(items, (item) => item.n >= upto);
  const head = items.slice(0, start);
  const tail = items.slice(stop);
  if (start < stop) {
    // A gap that reaches over the new lines keeps what is left of it, without the address of the whole.
    const begun = items[start];
    const ending = items[stop - 1];
    if (begun.n < from) head.push({ n: begun.n, upto: from });
    if (after(ending) > upto) tail.unshift({ n: upto, upto: ending.upto, ...(ending.hole && { hole: true }) });
  }
  if (head.length && after(head.at(-1)) < from) head.push({ n: after(head.at(-1)), upto: from, hole: true });
  if (tail.length && tail[0].n > upto) tail.unshift({ n: upto, upto: tail[0].n, hole: true });
  return [...head, ...lines.map((line, at) => ({ n: from + at, line })), ...tail];
}

/** Index of the first item of which it is true; once true it stays so, which makes it a search by halves. */
function position(items, isTrue) {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isTrue(items[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

// --- notices -----------------------------------------------------------------------------------------------

/** Lines with a sign say that something has finished: a notice for each that is new. */
function signs(run, from, lines, log) {
  const since = Math.max(log.end - from, 0);
  return lines
    .map((line, at) => ({ id: `sign ${run} ${from + at}`, run, line }))
    .slice(since)
    .filter(({ line }) => line.sign !== undefined && line.sign !== null && line.sign !== false);
}

function withNotices(notices, more) {
  return more.length ? [...notices, ...more].slice(-NOTICES) : notices;
}
