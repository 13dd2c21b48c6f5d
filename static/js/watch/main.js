// The Runs page: state in the middle, the connection on one side, the list, the run and its log on the other.

import { itIs, learnClock } from '../clock.js';
import { Connection, LOST, lostSince } from '../connection.js';
import { onceAFrame } from '../once-a-frame.js';
import { TRANSPORTS, chosenSocket } from '../transports.js';
import { chatBadge } from '../unread.js';
import { deviceName, settingsSheet } from '../view/settings.js';
import { DrivesView } from './drives-view.js';
import { FrameView } from './frame-view.js';
import { textOf } from './lines.js';
import { ListView } from './list-view.js';
import { RunView } from './run-view.js';
import { lookOf, nameOf, percentOf } from './run-words.js';
import { EMPTY, apply, hole, needed, runOnShow } from './state.js';
import './words.js';
import { t, translate } from '../words.js';

const PAGE = 1000; // lines, what the panel gives at once
const TAIL = 500;

translate(document);
document.getElementById('elsewhere').textContent = t('watch_none_panel', { origin: location.origin });
document.getElementById('curl').textContent =
  `curl -H 'Content-Type: application/json' -d '{"name": "make all"}' ${location.origin}/runs`;

// --- state -------------------------------------------------------------------------------------------------

let state = EMPTY;
const draw = onceAFrame(() => {
  frame.render(state);
  document.getElementById('watch').dataset.open = Boolean(state.watch);
  list.render(state);
  run.render(state);
  drives.render(state.answer);
  document.title = title();
});

function dispatch(event) {
  const before = state;
  state = apply(state, event);
  if (state === before) return;
  draw();
  fillHole();
}

function title() {
  const shown = runOnShow(state);
  if (!shown) return `${t('runs')} · Pilot Light`;
  const far = shown.state === 'ended' ? t(`watch_is_${lookOf(shown)}`) : percentOf(shown);
  return [far, nameOf(shown, state.shows), 'Pilot Light'].filter(Boolean).join(' · ');
}

// --- connection --------------------------------------------------------------------------------------------

let connection = null;
const heardOfChat = chatBadge(() => connection);

function connect() {
  connection?.stop();
  const transport = chosenSocket();
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
  heardOfChat(event);
  if (event.event === 'clock_changed') itIs(event.at);
  if (event.event !== 'link') {
    dispatch(event);
    if (event.event === 'run_changed' && beganAgain(event)) watch();
    return;
  }
  const { status } = event.link;
  event.link.since = lostSince(state.link.since, status);
  if (status === 'live') {
    dispatch(event);
    learnClock().then(draw);
    if (state.watch) watch();
    return;
  }
  loading = null;
  dispatch({ event: 'asking', signal: null });
  dispatch(event);
}

const ask = (command) => connection.ask(command);

let refusals = 0;

function refuse(problem) {
  dispatch({ event: 'refused', id: (refusals += 1), problem });
}

// --- the run on show ---------------------------------------------------------------------------------------

/** Which run the address names. */
function named() {
  const found = /^#run=(.+)$/.exec(location.hash);
  try {
    return found && decodeURIComponent(found[1]);
  } catch {
    return null;
  }
}

function open() {
  const wanted = named();
  const before = state.watch?.run ?? null;
  if (wanted === before) return;
  if (before !== null) ask({ do: 'unwatch_run', run: before });
  loading = null;
  dispatch({ event: 'opened', run: wanted });
  if (wanted !== null) {
    scrollTo(0, 0);
    if (connection.live) watch();
  }
}

/** A run that ended goes on under its id: what is watched of it was over with its end. */
function beganAgain({ run: id, state: is }) {
  const { watch: shown } = state;
  return shown?.run === id && shown.started !== null && is.state !== 'ended' && is.started_at !== shown.started;
}

/** Begin to watch, or go on where the log broke off. */
async function watch() {
  const { watch: wanted } = state;
  const from = needed(wanted);
  const again = from !== undefined;
  const reply = await ask({ do: 'watch_run', run: wanted.run, ...(again ? { from } : { lines: TAIL }) });
  if (reply === LOST || state.watch?.run !== wanted.run) return; // it is asked for again once there is a connection
  if (!reply.ok) return dispatch({ event: 'missing', run: wanted.run, problem: reply.problem });
  const other = reply.run.started_at !== wanted.started && state.storage?.kept === false;
  if (again && (other || reply.run.lines < from)) {
    dispatch({ event: 'opened', run: wanted.run }); // not the run whose lines are here, for all its id
    return watch();
  }
  dispatch({ ...reply, event: 'watched', again });
}

let loading = null; // what is being asked for: one page at a time

async function load(what, from, { limit = PAGE, fresh = false } = {}) {
  if (loading || !state.watch || limit < 1) return;
  const mine = (loading = { what });
  const { run: id } = state.watch;
  const reply = await ask({ do: 'get_log', run: id, from, limit: Math.min(limit, PAGE) });
  if (loading !== mine) return; // the page has gone on to something else
  loading = null;
  if (!reply.ok) {
    if (reply !== LOST) refuse(reply.problem);
    return;
  }
  dispatch({ event: 'loaded', run: id, asked: from, log: reply.log, fresh });
  return reply.log.next; // which may be sooner than was asked: a page has a size in bytes
}

function more(direction) {
  const { log } = state.watch;
  if (direction === 'newer') return load('newer', log.next);
  const from = Math.max(log.first - PAGE, log.oldest, 0);
  return load('older', from, { limit: log.first - from });
}

async function fill({ n, upto }) {
  for (let from = n; from < upto; ) {
    const before = state.watch?.log;
    const next = await load('gap', from, { limit: upto - from });
    if (!state.watch || state.watch.log === before || !(next > from)) return;
    from = next;
  }
}

/** Lines that are missing although nobody said so are asked for at once. */
function fillHole() {
  const missing = state.watch && connection?.live && !loading && hole(state.watch);
  if (missing) load('hole', missing.n, { limit: missing.upto - missing.n });
}

async function latest() {
  const { log } = state.watch;
  if (!log.tail) {
    loading = null; // what was asked for is of no use any more
    await load('end', Math.max(log.end - TAIL, 0), { fresh: true });
  }
  dispatch({ event: 'follow', follow: true });
}

async function signal(name) {
  const { run: id } = state.watch;
  dispatch({ event: 'asking', signal: name });
  const reply = await ask({ do: 'signal_run', run: id, signal: name });
  dispatch({ event: 'asking', signal: null });
  if (!reply.ok) return refuse(reply.problem);
  const { answer } = reply;
  if (answer?.ok === false) refuse({ title: t('refused'), detail: textOf(answer.detail ?? answer) });
  else if (name === 'get_uia') dispatch({ event: 'answered', answer: { run: id, value: answer } });
}

async function start(show, step) {
  const reply = await ask({ do: 'start_show', show, step });
  if (!reply.ok) return refuse(reply.problem);
  location.hash = `run=${encodeURIComponent(reply.run.id)}`;
}

async function all() {
  const runs = [];
  for (let more = true; more; ) {
    const reply = await ask({ do: 'get_runs', ...(runs.length ? { before: runs.at(-1).id } : {}) });
    if (!reply.ok) return refuse(reply.problem);
    runs.push(...reply.runs);
    more = reply.more && reply.runs.length > 0;
  }
  dispatch({ event: 'listed', runs });
}

/** The whole log as a file. As a plain link it would be what the panel gives to browsers, which is JSON. */
async function save(id) {
  try {
    const response = await fetch(`/runs/${encodeURIComponent(id)}/log`, { headers: { Accept: 'text/plain' } });
    if (!response.ok) return refuse(await response.json());
    const link = document.createElement('a');
    link.href = URL.createObjectURL(await response.blob());
    link.download = `${id}.log`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  } catch {
    refuse({ title: t('unanswered'), detail: t('link_offline') });
  }
}

// --- view --------------------------------------------------------------------------------------------------

const frame = new FrameView({
  dismiss: (id) => dispatch({ event: 'notice_gone', id }),
  retry: () => connection.retry(),
});
const list = new ListView({ start, all });
const run = new RunView({
  signal,
  save,
  log: { more, fill, latest, follow: (follow) => dispatch({ event: 'follow', follow }) },
});
const drives = new DrivesView(() => dispatch({ event: 'answered', answer: null }));

settingsSheet(document.getElementById('mark'), connect);
addEventListener('hashchange', open);
setInterval(draw, 1000); // "5 s ago" grows older by itself

connect();
open();
