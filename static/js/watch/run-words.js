// A run in words: name, state, progress, end and duration; and the words of a show.

import { language, t } from '../words.js';
import { lookOf } from './run-look.js';

/** `{title, description}` of a show, in the language of the page if the show has it. */
export function showInWords({ name, title, description, translations }) {
  const own = translations?.[language] ?? {};
  return { title: own.title || title || name, description: own.description || description || '' };
}

/** The show that a run plays; undefined if it plays none, or one that the panel no longer has. */
export function showOf(run, shows) {
  return shows[run.show];
}

/** The name of a run; for a show, its title in the language of the page. */
export function nameOf(run, shows) {
  const show = showOf(run, shows);
  return show ? showInWords(show).title : run.name;
}

/** "38 %", or '' if the progress is unknown. */
export function percentOf({ progress }) {
  return progress === null || progress === undefined ? '' : `${Math.floor(progress)} %`;
}

/** How the run ended: "It was killed (SIGKILL)", "exit code 137". */
export function endOf({ outcome, exit_code, signal }) {
  const how = t(`watch_outcome_${outcome ?? 'done'}`);
  const said = [signal ? `${how} (${signal})` : how];
  if (exit_code !== null && exit_code !== undefined) said.push(t('watch_exit', { code: exit_code }));
  return said;
}

/** The state in a word: "Running", "Done"; "exit 2" for a command that failed. */
export function stateOf(run) {
  const look = lookOf(run);
  const code = look === 'failed' && run.exit_code !== null;
  return code ? t('watch_exit_short', { code: run.exit_code }) : t(`watch_is_${look}`);
}

/** "3 min 20 s": how long it took, or how long it runs; '' if the clocks disagree. */
export function lastedOf({ started_at, ended_at }, now) {
  const seconds = (ended_at ?? now) - started_at;
  return seconds >= 0 ? duration(seconds) : '';
}

/** Since when nothing came from a producer that is gone; '' if it is not. */
export function silenceOf({ silent_since: since }, now) {
  return since ? t('watch_silent', { time: duration(now - since) }) : '';
}

/** "took 3 min 20 s" for a run that has ended. */
export function tookOf({ started_at, ended_at }) {
  return t('watch_took', { time: duration(ended_at - started_at) });
}

function duration(seconds) {
  const whole = Math.max(Math.round(seconds), 0);
  if (whole < 60) return t('watch_s', { s: seconds < 9.95 && seconds > 0 ? seconds.toFixed(1) : whole });
  if (whole < 3600) return t('watch_min', { min: Math.floor(whole / 60), s: whole % 60 });
  return t('watch_h', { h: Math.floor(whole / 3600), min: Math.floor((whole % 3600) / 60) });
}
