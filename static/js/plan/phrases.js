// A schedule in plain words: when, what, when it is due next, and what came of the last time.

import { known } from '../page-state.js';
import { showInWords } from '../watch/run-words.js';
import { locale, timeOf } from '../times.js';
import { language, t } from '../words.js';
import { DAYS } from './days.js';

const MONDAY = Date.UTC(2024, 0, 1);
const SHORT_DAY = new Intl.DateTimeFormat(locale, { weekday: 'short', timeZone: 'UTC' });
const LONG_DAY = new Intl.DateTimeFormat(locale, { weekday: 'long' });
const DATE = new Intl.DateTimeFormat(locale, { weekday: 'short', day: 'numeric', month: 'short' });
const FULL_DATE = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' });
const AND = new Intl.ListFormat(locale, { type: 'conjunction' });

export function dayName(day) {
  return SHORT_DAY.format(MONDAY + DAYS.indexOf(day) * 86_400_000);
}

/** "Every day", "Mon to Fri", "Mon, Wed and Fri". */
function daysInWords(days) {
  if (!days || days.length === 7) return t('plan_every_day');
  const first = DAYS.indexOf(days[0]);
  const inRow = days.every((day, n) => day === DAYS[first + n]);
  if (inRow && days.length > 2) return t('plan_days', { from: dayName(days[0]), to: dayName(days.at(-1)) });
  return AND.format(days.map(dayName));
}

/** "06:45" as the reader writes times. */
export function timeInWords(time) {
  const [hours, minutes] = time.split(':').map(Number);
  return timeOf(new Date(2024, 0, 1, hours, minutes).getTime() / 1000);
}

/** "20 min", "1 h 30 min", "45 s". */
export function durationInWords(seconds) {
  const whole = Math.round(seconds);
  const parts = [
    [Math.floor(whole / 86_400), 'plan_d'],
    [Math.floor((whole % 86_400) / 3600), 'plan_h'],
    [Math.floor((whole % 3600) / 60), 'plan_min'],
    [whole % 60, 'plan_s'],
  ];
  return parts.filter(([n]) => n > 0).map(([n, key]) => t(key, { n })).join(' ') || t('plan_s', { n: 0 });
}

/** "29:41", "1:29:41": what is left. */
export function countdown(seconds) {
  const left = Math.max(Math.ceil(seconds), 0);
  const two = (number) => String(number).padStart(2, '0');
  const minutes = Math.floor(left / 60) % 60;
  const hours = Math.floor(left / 3600);
  return hours ? `${hours}:${two(minutes)}:${two(left % 60)}` : `${minutes}:${two(left % 60)}`;
}

/** "tomorrow 06:25"; both are seconds on the wall clock of the panel (zone.js). */
export function momentInWords(at, now) {
  const days = dayNumber(at) - dayNumber(now);
  const date = new Date(at * 1000);
  const named = { '-1': 'plan_yesterday', 0: 'plan_today', 1: 'plan_tomorrow' }[days];
  if (named) return t('plan_moment', { day: t(named), time: timeOf(at) });
  if (days > 1 && days < 7) return t('plan_moment', { day: LONG_DAY.format(date), time: timeOf(at) });
  const format = date.getFullYear() === new Date(now * 1000).getFullYear() ? DATE : FULL_DATE;
  return t('plan_moment', { day: format.format(date), time: timeOf(at) });
}

function dayNumber(at) {
  const day = new Date(at * 1000);
  return Date.UTC(day.getFullYear(), day.getMonth(), day.getDate()) / 86_400_000;
}

/** When, as a person says it: "Mon to Fri, bright by 06:45". */
export function whenInWords({ when, do: command, next, is_timer }, shift) {
  if (when.every) return t('plan_when_every', { time: durationInWords(when.every) });
  if (when.once) {
    const wall = /[+-]\d\d:\d\d$|Z$/.test(when.once) ? Date.parse(when.once) / 1000 + 60 * shift : Date.parse(when.once) / 1000;
    if (is_timer && next !== null) return t('plan_when_timer', { time: timeOf(wall) });
    return t('plan_when_once', { day: FULL_DATE.format(new Date(wall * 1000)), time: timeOf(wall) });
  }
  const days = daysInWords(when.days);
  if (when.sun) return sunInWords(when, days);
  if (when.at) return t('plan_when_at', { days, time: timeInWords(when.at) });
  const end = command.do !== 'set_light' ? 'done' : command.on === false || command.level === 0 ? 'dark' : 'bright';
  return t(`plan_when_${end}_by`, { days, time: timeInWords(when.by) });
}

function sunInWords({ sun, offset = 0 }, days) {
  const name = t(`plan_at_${sun}`);
  if (offset === 0) return t('plan_when_sun', { days, sun: t(`plan_when_${sun}`) });
  const time = durationInWords(60 * Math.abs(offset));
  return t(offset < 0 ? 'plan_when_before' : 'plan_when_after', { days, time, sun: name });
}

/** What: `{text, gone}`; `gone` is whether the light, group, scene or show is no more. */
export function whatInWords(command, state) {
  const { what, gone } = byCommand(command, state);
  const fade = command.transition ? t('plan_over', { time: durationInWords(command.transition) }) : '';
  return { text: what + fade, gone };
}

function byCommand(command, state) {
  if (command.do === 'recall_scene') {
    const scene = known(state.scenes, command.scene);
    return { what: t('plan_do_scene', { name: scene?.name ?? command.scene }), gone: !scene };
  }
  if (command.do === 'start_show') {
    const show = known(state.shows, command.show);
    return { what: t('plan_do_show', { name: show ? showInWords(show).title : command.show }), gone: !show };
  }
  if (command.do === 'signal_run') {
    return { what: t('plan_do_signal', { signal: command.signal, run: known(state.runs, command.run)?.name ?? command.run }), gone: false };
  }
  const { name, gone } = targetOf(command, state);
  return { what: verbInWords(command, name), gone };
}

function targetOf({ light, group, lights }, state) {
  if (group === 'all') return { name: t('plan_all_lights'), gone: false };
  if (group !== undefined) return { name: known(state.groups, group)?.name ?? group, gone: !known(state.groups, group) };
  const ids = lights ?? [light];
  return {
    name: AND.format(ids.map((id) => known(state.lights, id)?.name ?? id)),
    gone: ids.some((id) => !known(state.lights, id)),
  };
}

/** What a command does with the lights of this name: "Desk to 40 %". */
export function verbInWords({ level, step, on, effect, flash }, name) {
  if (level !== undefined) return t('plan_do_level', { name, level });
  if (step !== undefined) return t(step < 0 ? 'plan_do_dimmer' : 'plan_do_brighter', { name, step: Math.abs(step) });
  if (on === false) return t('plan_do_off', { name });
  if (effect !== undefined) return t('plan_do_effect', { name, effect: t(`effect_${effect}`) });
  if (on) return t('plan_do_on', { name });
  return t('plan_do_flash', { name, n: flash });
}

/** Why there is no next time, or why it waits: `{text, foreign}`. */
export function whyInWords(why) {
  const known = Object.entries(WHY).find(([begin]) => why.startsWith(begin));
  return known ? { text: t(known[1]), foreign: false } : { text: why, foreign: language !== 'en' };
}

// The reasons that the panel writes, by how they begin.
const WHY = {
  'The clock of the panel': 'plan_why_clock',
  'The panel does not know where': 'plan_why_place',
  'There is no sunrise': 'plan_why_dark',
  'There is no sunset': 'plan_why_dark',
};
