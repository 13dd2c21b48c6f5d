// The Runs page: connects the state with the views, watches the run that the address names, loads its log.

import './words.js';

import { LOST } from '../connection.js';
import { Page } from '../page.js';
import { ROOT } from '../root.js';
import { textOf } from '../text-of.js';
import { SOCKETS } from '../transports.js';
import { chatBadge } from '../unread.js';
import { t } from '../words.js';
import { DrivesView } from './drives-view.js';
import { Finder } from './finder.js';
import { FrameView } from './frame-view.js';
import { ListView } from './list-view.js';
import { addressOf } from './log-rows.js';
import { RunView } from './run-view.js';
import { AgainSheet, askToDelete } from './run-sheets.js';
import { nameOf, percentOf, showOf, stateOf } from './run-words.js';
import { EMPTY, apply, hole, needed, runOnShow } from './state.js';

const PAGE = 1000; // lines; the panel sends at most so many at once
const TAIL = 500;

// --- state and connection ----------------------------------------------------------------------------------

const page = new Page({
  state: EMPTY,
  apply,
  render(state) {
    frame.render(state);
    document.getElementById('watch').dataset.open = Boolean(state.watch);
    list.render(state);
    run.render(state);
    drives.render(state.answer);
    document.title = title(state);
  },
  transports: SOCKETS,
  heard,
  changed: fillHole,
});
const { ask, refuse } = page;
const dispatch = (event) => page.dispatch(event);
const updateBadge = chatBadge(page);

document.getElementById('elsewhere').textContent = t('watch_none_panel', { panel: location.origin + ROOT });
document.getElementById('curl').textContent =
  `curl -H 'Content-Type: application/json' -d '{"name": "make all"}' ${location.origin}${ROOT}/runs`;

function title(state) {
  const shown = runOnShow(state);
  if (!shown) return `${t('runs')} · Pilot Light`;
  const far = shown.state === 'ended' ? stateOf(shown) : percentOf(shown);
  return [far, nameOf(shown, state.shows), 'Pilot Light'].filter(Boolean).join(' · ');
}

function heard(event) {
  updateBadge(event);
  const back = event.event === 'link' && event.link.status === 'live' && page.state.watch;
  const again = event.event === 'run_changed' && beganAgain(event);
  if (back || again) queueMicrotask(watch); // once the state has the event
  if (event.event === 'link' && event.link.status !== 'live') {
    loading = null;
    dispatch({ event: 'asking', signal: null });
  }
  return event;
}

// --- the run on show ---------------------------------------------------------------------------------------

/** The run that the address names, and the line of its log; null where it names none. */
function named() {
  const found = /^#run=([^&]+)(?:&line=(\d{1,15}))?$/.exec(location.hash);
  try {
    return { run: found && decodeURIComponent(found[1]), line: found?.[2] ? Number(found[2]) : null };
  } catch {
    return { run: null, line: null };
  }
}

function open() {
  const { run: wanted, line } = named();
  const before = page.state.watch?.run ?? null;
  if (wanted === before) return wanted !== null && showLine(line);
  if (before !== null) ask({ do: 'unwatch_run', run: before });
  loading = null;
  finder.stay();
  dispatch({ event: 'opened', run: wanted, line });
  if (wanted !== null) {
    scrollTo(0, 0);
    if (page.live) watch();
  }
}

/** Whether a run that ended has begun again under its id: the watch was over with its end. */
function beganAgain({ run: id, state: is }) {
  const { watch: shown } = page.state;
  return shown?.run === id && shown.started !== null && is.state !== 'ended' && is.started_at !== shown.started;
}

/** Begin to watch the run, or go on where the log broke off. */
async function watch() {
  const { watch: wanted } = page.state;
  const from = needed(wanted);
  const again = from !== undefined;
  const reply = await ask({ do: 'watch_run', run: wanted.run, ...(again ? { from } : { lines: TAIL }) });
  if (reply === LOST || page.state.watch?.run !== wanted.run) return; // the next connection asks again
  if (!reply.ok) return dispatch({ event: 'missing', run: wanted.run, problem: reply.problem });
  const other = reply.run.started_at !== wanted.started && page.state.storage?.kept === false;
  if (again && (other || reply.run.lines < from)) {
    finder.stay();
    dispatch({ event: 'opened', run: wanted.run }); // another run with the same id: drop the lines that are here
    return watch();
  }
  dispatch({ ...reply, event: 'watched', again });
  const { marked } = page.state.watch;
  if (again) finder.again();
  else if (marked !== null) finder.show(marked);
}

/** Mark the line of the address, and show it. */
async function showLine(line) {
  dispatch({ event: 'marked', line });
  const { run, list, log } = page.state.watch;
  if (line === null || !log.known) return; // `watch` shows it once the log is here
  if (list) await finder.find({ show: 'all', only: false }, Infinity);
  const { watch: now } = page.state;
  if (now?.run === run && now.marked === line) finder.show(line);
}

/** Go to the address of a line. */
function goToLine(n) {
  const address = addressOf(page.state.watch.run, n);
  if (location.hash === address) showLine(n);
  else location.hash = address;
}

async function firstError() {
  const n = await finder.firstError();
  if (n !== undefined) goToLine(n);
}

let loading = null; // the page of lines that is on its way; one at a time

async function load(what, from, { limit = PAGE, fresh = false } = {}) {
  if (loading || !page.state.watch || limit < 1) return;
  const mine = (loading = { what });
  const { run: id } = page.state.watch;
  const reply = await ask({ do: 'get_log', run: id, from, limit: Math.min(limit, PAGE) });
  if (loading !== mine) return; // no longer wanted
  loading = null;
  if (!reply.ok) {
    if (reply !== LOST) refuse(reply.problem);
    return;
  }
  dispatch({ event: 'loaded', run: id, asked: from, log: reply.log, fresh });
  return reply.log.next; // a page has a limit in bytes, so it may have fewer lines than asked for
}

/** Load the part of the log around this line, or what is nearest to it; returns whether it is here. */
async function jump(n) {
  loading = null; // drop the reply that is on its way
  const { end } = page.state.watch.log;
  return (await load('jump', Math.max(Math.min(n - PAGE / 2, end - TAIL), 0), { fresh: true })) !== undefined;
}

function more(direction) {
  const { log, list: filtered } = page.state.watch;
  if (filtered) return finder.more(direction);
  if (direction === 'newer') return load('newer', log.next);
  const from = Math.max(log.first - PAGE, log.oldest, 0);
  return load('older', from, { limit: log.first - from });
}

async function fill({ n, upto }) {
  for (let from = n; from < upto; ) {
    const before = page.state.watch?.log;
    const next = await load('gap', from, { limit: upto - from });
    if (!page.state.watch || page.state.watch.log === before || !(next > from)) return;
    from = next;
  }
}

/** Load missing lines for which the panel sent no `gap`. */
function fillHole() {
  const missing = page.state.watch && page.live && !loading && hole(page.state.watch);
  if (missing) load('hole', missing.n, { limit: missing.upto - missing.n });
}

async function latest() {
  const { log, list: filtered } = page.state.watch;
  finder.stay();
  if (filtered && !filtered.tail) await finder.newest();
  if (!filtered && !log.tail) {
    loading = null; // drop the reply that is on its way
    await load('end', Math.max(log.end - TAIL, 0), { fresh: true });
  }
  dispatch({ event: 'follow', follow: true });
}

async function signal(name) {
  const { run: id } = page.state.watch;
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
  location.hash = addressOf(reply.run.id);
}

/** Start the show again, or say how the command is started again: that is up to its machine. */
function again(run) {
  const show = showOf(run, page.state.shows);
  if (show) start(show.name, false);
  else againSheet.open(run);
}

async function act(command) {
  const reply = await ask(command);
  if (!reply.ok) refuse(reply.problem);
  return reply.ok;
}

const pin = ({ id, pinned }) => act({ do: 'pin_run', run: id, pinned: !pinned });

async function remove(run) {
  const before = location.hash;
  if (!(await askToDelete(nameOf(run, page.state.shows))) || !(await act({ do: 'delete_run', run: run.id }))) return;
  if (location.hash === before) location.hash = '';
}

/** List only some of the runs; older ones may be among them. */
function seek(change) {
  dispatch({ event: 'sought', ...change });
  if (!page.state.everyOne && page.live) all();
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

/** Download the whole log as text. A plain link would get JSON, which is what the panel sends to browsers. */
async function save(id) {
  try {
    const response = await fetch(`${ROOT}/runs/${encodeURIComponent(id)}/log`, { headers: { Accept: 'text/plain' } });
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

const finder = new Finder({ ask, refuse, dispatch, jump, watch: () => page.state.watch });
const frame = new FrameView({
  dismiss: page.dismiss,
  retry: page.retry,
});
const list = new ListView({ start, all, seek });
const againSheet = new AgainSheet();
const run = new RunView({
  signal,
  save,
  again,
  pin,
  remove,
  log: {
    more,
    fill,
    latest,
    firstError,
    follow: (follow) => dispatch({ event: 'follow', follow }),
    find: (change, place) => finder.find(change, place),
    hop: (step, place) => finder.hop(step, place),
    line: goToLine,
  },
});
const drives = new DrivesView(() => dispatch({ event: 'answered', answer: null }));

addEventListener('hashchange', open);
page.start();
open();
