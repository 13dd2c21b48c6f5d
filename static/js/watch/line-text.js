// What a line of a log says: its text without terminal codes, its coloured parts, its level. Needs no page.

import { textOf } from '../text-of.js';

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
const ORDINARY = 1; // info, notice, success, and unknown levels

export const RANKS = { debug: 0, info: 1, warning: 2, error: 3 };

// ECMA-48, 5.4 and 5.6: CSI sequences, strings (OSC; DCS, SOS, PM, APC, titles), escapes; in 7 bits and in 8.
const CODES = new RegExp(
  [
    '(?:\\x1b\\[|\\x9b)([0-?]*)[ -/]*([@-~])',
    '(?:\\x1b\\]|\\x9d)[^\\x07\\x1b\\x9c]*(?:\\x07|\\x1b\\\\|\\x9c)?',
    '(?:\\x1b[PX^_k]|[\\x90\\x98\\x9e\\x9f])[^\\x1b\\x9c]*(?:\\x1b\\\\|\\x9c)?',
    '\\x1b[ -/]*[0-~]',
  ].join('|'),
  'g',
);
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
const COLOURS = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];
export const PALETTE = [...COLOURS, ...COLOURS.map((colour) => `bright-${colour}`)];
const CUBE = [0, 95, 135, 175, 215, 255]; // levels of xterm's 6 × 6 × 6 colours
const ON = { 1: 'bold', 2: 'dim', 3: 'italic', 4: 'underline', 7: 'inverse', 8: 'hidden', 9: 'strike', 21: 'underline' };
const OFF = { 22: ['bold', 'dim'], 23: ['italic'], 24: ['underline'], 27: ['inverse'], 28: ['hidden'], 29: ['strike'] };

const read = new WeakMap(); // line -> its reading: a line never changes

/** `{text, parts}`: the text, and its coloured parts where it has any. */
export function reading(line) {
  if (!read.has(line)) read.set(line, Array.isArray(line.spans) ? withSpans(line) : readingOf(line.msg));
  return read.get(line);
}

export function rank({ level }) {
  return LEVELS[String(level ?? '').toLowerCase()] ?? ORDINARY;
}

/** Whether the line has what is looked for: `q`, `level` and `stream` of `search_log`. */
export function passes(line, { q = '', level, stream }) {
  if (level && rank(line) < RANKS[level]) return false;
  if (stream && line.stream !== stream) return false;
  return !q || reading(line).text.toLowerCase().includes(q.toLowerCase());
}

/** One of "debug", "info", "warning", "error": the look of the level. */
export function look(line) {
  return ['debug', 'info', 'warning', 'error'][rank(line)];
}

/** A line whose colours come as spans; their offsets count code points. */
function withSpans({ msg, spans }) {
  const whole = textOf(msg);
  const points = [...whole];
  const clean = (from, upto) => points.slice(from, upto).join('').replace(CONTROLS, '');
  const parts = [];
  let at = 0;
  for (const { start, end, ...style } of spans) {
    if (!(start >= at && end > start)) continue;
    if (start > at) parts.push({ text: clean(at, start) });
    parts.push({ text: clean(start, end), ...style });
    at = end;
  }
  if (at < points.length) parts.push({ text: clean(at) });
  return { text: parts.map(({ text }) => text).join(''), parts };
}

function readingOf(msg) {
  const raw = leftOver(textOf(msg));
  if (!/[\x1b\x80-\x9f]/.test(raw)) return { text: raw.replace(CONTROLS, ''), parts: null };
  const parts = [];
  let style = {};
  let at = 0;
  const say = (piece) => piece && parts.push({ text: piece.replace(CONTROLS, ''), ...style });
  for (const found of raw.matchAll(CODES)) {
    say(raw.slice(at, found.index));
    at = found.index + found[0].length;
    if (found[2] === 'm' && /^[0-9;:]*$/.test(found[1])) style = styled(style, found[1]);
  }
  say(raw.slice(at));
  return { text: parts.map(({ text }) => text).join(''), parts: parts.length ? parts : null };
}

/** The text after its last carriage return: a progress bar writes over its line again and again. */
function leftOver(text) {
  if (!text.includes('\r')) return text;
  const last = (line) => line.split('\r').findLast(Boolean) ?? '';
  return text.split('\n').map(last).join('\n');
}

/** Select Graphic Rendition, ECMA-48 8.3.117, with xterm's 256 and direct colours: as `styled` of runner/colours.py. */
function styled(style, parameters) {
  let is = { ...style };
  const codes = parameters.split(';').map((code) => code.split(':'));
  for (let at = 0; at < codes.length; at += 1) {
    const code = Number(codes[at][0]);
    if (code === 0) is = {};
    else if (code === 4 && codes[at][1] === '0') delete is.underline;
    else if (ON[code]) is[ON[code]] = true;
    else if (OFF[code]) OFF[code].forEach((name) => delete is[name]);
    else if (code >= 30 && code <= 37) is.fg = PALETTE[code - 30];
    else if (code >= 90 && code <= 97) is.fg = PALETTE[code - 82];
    else if (code >= 40 && code <= 47) is.bg = PALETTE[code - 40];
    else if (code >= 100 && code <= 107) is.bg = PALETTE[code - 92];
    else if (code === 39) delete is.fg;
    else if (code === 49) delete is.bg;
    else if (code === 38 || code === 48 || code === 58) {
      const { colour, last } = extended(codes, at);
      if (code !== 58) is[code === 38 ? 'fg' : 'bg'] = colour;
      at = last;
    }
  }
  return is;
}

/** The colour of code 38, 48 or 58, with colons (ITU T.416) or semicolons, and the index of its last code. */
function extended(codes, at) {
  const withColons = codes[at].length > 1;
  const given = withColons ? codes[at].slice(1) : codes.slice(at + 1).map(([code]) => code);
  const [kind = 0, ...values] = given.map(Number);
  const count = { 2: 3, 5: 1 }[kind] ?? 0;
  // With colons a colour space, which is mostly empty, may come before red, green and blue.
  const numbers = withColons && kind === 2 ? values.slice(-3) : values.slice(0, count);
  const colour = kind === 5 ? ofPalette(numbers[0]) : kind === 2 ? rgb(numbers) : undefined;
  return { colour, last: withColons ? at : at + 1 + count };
}

function ofPalette(number) {
  if (number < 16) return PALETTE[number];
  if (number < 232) return rgb([36, 6, 1].map((step) => CUBE[Math.floor((number - 16) / step) % 6]));
  return number < 256 ? rgb(Array(3).fill(8 + 10 * (number - 232))) : undefined;
}

function rgb(values) {
  const known = values.length === 3 && values.every((value) => value >= 0 && value < 256);
  return known ? `#${values.map((value) => value.toString(16).padStart(2, '0')).join('')}` : undefined;
}
