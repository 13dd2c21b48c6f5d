// The Runs page: connects the state with the views, watches the run that the address names, loads its log.

import './words.js';

import { LOST } from '../connection.js';
import { Page } from '../page.js';
import { SOCKETS } from '../transports.js';
import { chatBadge } from '../unread.js';
import { t, textOf } from '../words.js';
import { DrivesView } from './drives-view.js';
import { FrameView } from './frame-view.js';
import { ListView } from './list-view.js';
import { RunView } from './run-view.js';
import { lookOf, nameOf, percentOf } from './run-words.js';
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

document.getElementById('elsewhere').textContent = t('watch_none_panel', { origin: location.origin });
document.getElementById('curl').textContent =
  `curl -H 'Content-Type: application/json' -d '{"name": "make all"}' ${location.origin}/runs`;

function title(state) {
  const shown = runOnShow(state);
  if (!shown) return `${t('runs')} · Pilot Light`;
  const far = shown.state === 'ended' ? t(`watch_is_${lookOf(shown)}`) : percentOf(shown);
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

/** The run that the address names, or null. */
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
  const before = page.state.watch?.run ?? null;
  if (wanted === before) return;
  if (before !== null) ask({ do: 'unwatch_run', run: before });
  loading = null;
  dispatch({ event: 'opened', run: wanted });
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
    dispatch({ event: 'opened', run: wanted.run }); // another run with the same id: drop the lines that are here
    return watch();
  }
  dispatch({ ...reply, event: 'watched', again });
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

function more(direction) {
  const { log } = page.state.watch;
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
  const { log } = page.state.watch;
  if (!log.tail) {
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

/** Download the whole log as text. A plain link would get JSON, which is what the panel sends to browsers. */
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
  dismiss: page.dismiss,
  retry: page.retry,
});
const list = new ListView({ start, all });
const run = new RunView({
  signal,
  save,
  log: { more, fill, latest, follow: (follow) => dispatch({ event: 'follow', follow }) },
});
const drives = new DrivesView(() => dispatch({ event: 'answered', answer: null }));

addEventListener('hashchange', open);
page.start();
open();
