// A run in words: name, state, progress, end and duration; and the words of a show.

import { language, t } from '../words.js';

/** `{title, description}` of a show, in the language of the page if the show has it. */
export function showInWords({ name, title, description, translations }) {
  const own = translations?.[language] ?? {};
  return { title: own.title || title || name, description: own.description || description || '' };
}

/** The name of a run; for a show, its title in the language of the page. */
export function nameOf(run, shows) {
  const show = run.kind === 'show' && Object.values(shows).find(({ title }) => title === run.name);
  return show ? showInWords(show).title : run.name;
}

/** One of: running, paused, done, failed, stopped, killed, lost. */
export function lookOf(run) {
  return run.state === 'ended' ? (run.outcome ?? 'done') : run.state;
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
