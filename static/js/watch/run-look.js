// What a run looks like in one word. Needs no page.

/** One of: running, silent (its producer is gone), paused, done, failed, stopped, killed, lost. */
export function lookOf(run) {
  if (run.state === 'ended') return run.outcome ?? 'done';
  return run.silent_since ? 'silent' : run.state;
}
