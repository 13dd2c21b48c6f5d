// How a line of a log reads: its text without terminal codes, its colours, its level, its time.

import { language, t } from '../words.js';

const LEVELS = {
  trace: 0,
  debug: 0,
  verbose: 0,
  warning: 2,
  warn: 2,
  error: 3,
  err: 3,
  critical: 3,
  fatal: 3,
  alert: 3,
  emergency: 3,
};
const ORDINARY = 1; // info, notice, success, and what nobody has heard of

export const RANKS = { all: 0, info: 1, warning: 2, error: 3 };

// ECMA-48: CSI sequences, OSC strings (titles, links), and the two-character escapes.
const CODES = /\x1b(?:\[([0-9;:<=>?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_]|[ -/]+[0-~])/g;
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f]/g;
const COLOURS = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];

const read = new WeakMap(); // line -> what was made of it: a line never changes

/** `{text, parts}`: the text, and its coloured parts where it has any. */
export function reading(line) {
  if (!read.has(line)) read.set(line, readingOf(line.msg));
  return read.get(line);
}

export function textOf(value) {
  if (typeof value === 'string') return value;
  return JSON.stringify(value) ?? '';
}

export function rank({ level }) {
  return LEVELS[String(level ?? '').toLowerCase()] ?? ORDINARY;
}

/** What it says has finished, in a line that has a sign; else null. */
export function signOf({ sign }) {
  if (sign === undefined || sign === null || sign === false) return null;
  return typeof sign === 'string' ? sign : t('watch_sign');
}

/** "info", "error", …: the four looks of a level. */
export function look(line) {
  return ['debug', 'info', 'warning', 'error'][rank(line)];
}

/** `{short, full}` of a line's time, which is the producer's own text, or seconds since the Unix epoch. */
export function timeOf({ time }) {
  if (typeof time === 'number') {
    const at = new Date(time * 1000);
    if (Number.isNaN(at.getTime())) return { short: '', full: String(time) };
    return { short: at.toLocaleTimeString('en-GB'), full: at.toLocaleString(language) };
  }
  const full = String(time ?? '');
  return { short: /\d\d:\d\d(:\d\d)?/.exec(full)?.[0] ?? full.slice(0, 8), full };
}

function readingOf(msg) {
  const raw = leftOver(textOf(msg));
  if (!raw.includes('\x1b')) return { text: raw.replace(CONTROLS, ''), parts: null };
  const parts = [];
  let style = {};
  let at = 0;
  const say = (piece) => piece && parts.push({ text: piece.replace(CONTROLS, ''), ...style });
  for (const found of raw.matchAll(CODES)) {
    say(raw.slice(at, found.index));
    at = found.index + found[0].length;
    if (found[2] === 'm') style = styled(style, found[1]);
  }
  say(raw.slice(at));
  return { text: parts.map(({ text }) => text).join(''), parts: parts.length ? parts : null };
}

/** A progress bar goes back to the start of its line and writes over it: what is left is what it wrote last. */
function leftOver(text) {
  if (!text.includes('\r')) return text;
  const last = (line) => line.split('\r').findLast(Boolean) ?? '';
  return text.split('\n').map(last).join('\n');
}

/** Select Graphic Rendition, ECMA-48 8.3.117: the eight colours, bright or not, and bold. */
function styled(style, codes) {
  let { colour, bold } = style;
  const given = codes.split(/[;:]/).map(Number);
  for (let at = 0; at < given.length; at += 1) {
    const code = given[at];
    if (code === 0) colour = bold = undefined;
    else if (code === 1) bold = true;
    else if (code === 22) bold = undefined;
    else if (code === 39) colour = undefined;
    else if (code >= 30 && code <= 37) colour = COLOURS[code - 30];
    else if (code >= 90 && code <= 97) colour = COLOURS[code - 90];
    else if (code === 38 || code === 48) at += given[at + 1] === 5 ? 2 : 4; // colours beyond the eight
  }
  return { colour, bold };
}
