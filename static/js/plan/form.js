// What the sheet of a schedule holds, as plain values, and how they become a command. Pure.

import { DAYS, WEEKDAYS } from './days.js';

export const KINDS = ['at', 'by', 'sun', 'every', 'once', 'in'];
export const FADES = [0, 2, 10, 60, 300, 600, 900, 1200, 1800, 2700, 3600, 7200]; // seconds
const WAKE = 1200; // seconds of a wake-up light
const LEAST_WAKE = 60; // seconds; what is shorter is no wake-up light

const BLANK = {
  name: '',
  act: 'light', // light, scene, show, or kept: a command that this form cannot write stays as it is
  target: 'group:all',
  verb: 'on',
  level: 100,
  scene: '',
  show: '',
  fade: 0,
  kind: 'at',
  time: '07:00',
  untouched: false, // whether the time is one that nobody has chosen
  days: DAYS,
  sun: 'sunset',
  offset: 0, // minutes
  side: 'before',
  every: 90,
  unit: 60, // seconds
  date: '',
  minutes: 30,
  missed: 'skip',
};

/** The values of a new schedule, of one of the kinds that people want most, or of the next full hour. */
export function fresh(example, now) {
  const hour = new Date(now * 1000);
  hour.setMinutes(60, 0, 0);
  const next = { ...BLANK, untouched: true, time: `${String(hour.getHours()).padStart(2, '0')}:00` };
  if (example === 'wake') return { ...next, ...wake(next) };
  if (example === 'dusk') return { ...next, kind: 'sun', offset: 20, fade: 60 };
  if (example === 'night') return { ...next, verb: 'off', time: '23:30', fade: 300 };
  return next;
}

/** The values after somebody chose another kind: what it needs, and nothing else. */
export function ofKind(values, kind) {
  if (kind === 'by') return { ...values, ...wake(values) };
  return { ...values, kind, fade: values.kind === 'by' && values.fade === WAKE ? 0 : values.fade };
}

function wake({ act, verb, fade, untouched }) {
  return {
    kind: 'by',
    fade: fade < LEAST_WAKE ? WAKE : fade,
    ...(act === 'light' && verb === 'on' && { verb: 'level' }), // "on" may be a level of 5 %
    ...(untouched && { time: '06:45', days: WEEKDAYS }),
  };
}

/** The values of a schedule that is there. */
export function valuesOf({ name, when, do: command, if_missed: missed }) {
  return { ...BLANK, name, missed, ...valuesOfWhen(when), ...valuesOfCommand(command) };
}

function valuesOfWhen(when) {
  const days = when.days ?? DAYS;
  if (when.at) return { kind: 'at', time: when.at, days };
  if (when.by) return { kind: 'by', time: when.by, days };
  if (when.once) return { kind: 'once', date: when.once.slice(0, 16) };
  if (when.every) {
    const unit = when.every % 3600 === 0 ? 3600 : 60;
    return { kind: 'every', unit, every: when.every / unit };
  }
  const offset = when.offset ?? 0;
  return { kind: 'sun', sun: when.sun, days, offset: Math.abs(offset), side: offset > 0 ? 'after' : 'before' };
}

function valuesOfCommand(command) {
  const { do: verb, transition: fade = 0, light, group, level, on, scene, show, step, ...others } = command;
  if (Object.keys(others).length === 0 && !step) {
    if (verb === 'recall_scene') return { act: 'scene', scene, fade };
    if (verb === 'start_show') return { act: 'show', show };
    if (verb === 'set_light' && (level === undefined || on === undefined)) {
      const target = group === undefined ? `light:${light}` : `group:${group}`;
      if (level !== undefined) return { act: 'light', target, fade, verb: 'level', level };
      return { act: 'light', target, fade, verb: on ? 'on' : 'off' };
    }
  }
  return { act: 'kept', fade };
}

/** The time of these values, as the panel takes it. */
export function whenOf({ kind, time, days, sun, offset, side, every, unit, date, minutes }) {
  const some = days.length === DAYS.length ? {} : { days };
  if (kind === 'at') return { at: time, ...some };
  if (kind === 'by') return { by: time, ...some };
  if (kind === 'sun') {
    const shift = side === 'before' ? -offset : offset;
    return { sun, ...(shift ? { offset: shift } : {}), ...some };
  }
  if (kind === 'every') return { every: every * unit };
  if (kind === 'once') return { once: date };
  return { in: minutes * 60 };
}

/** The command of these values; null: it stays as it is. */
export function commandOf({ act, target, verb, level, scene, show, fade }) {
  const slow = fade ? { transition: fade } : {};
  if (act === 'scene') return { do: 'recall_scene', scene, ...slow };
  if (act === 'show') return { do: 'start_show', show };
  if (act === 'kept') return null;
  const [noun, ...id] = target.split(':');
  const verbs = verb === 'level' ? { level } : { on: verb === 'on' };
  return { do: 'set_light', [noun]: id.join(':'), ...verbs, ...slow };
}

/** The word for a schedule that nobody gives a name; null: what it does is its name. */
export function nameWordOf({ kind, act, verb, sun }) {
  if (kind === 'by') return 'plan_wake';
  return kind === 'sun' && sun === 'sunset' && act === 'light' && verb === 'on' ? 'plan_dusk' : null;
}

/** The field of the form that the panel names: `when.at` is `time`; null: none. */
export function fieldOf(field = '') {
  const known = field.split('.').findLast((part) => Object.hasOwn(FIELDS, part)); // of when.days.0 it is `days`
  return known ? FIELDS[known] : null;
}

const FIELDS = {
  name: 'name',
  at: 'time',
  by: 'time',
  days: 'days',
  offset: 'offset',
  every: 'every',
  once: 'date',
  in: 'minutes',
  light: 'target',
  group: 'target',
  lights: 'target',
  scene: 'scene',
  show: 'show',
  level: 'level',
  transition: 'fade',
};
