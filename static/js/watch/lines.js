// How a line of a log is shown: its colours, sign and time.

import { language, t } from '../words.js';
import { PALETTE } from './line-text.js';

const RGB = /^#[0-9a-f]{6}$/;
const ATTRIBUTES = ['bold', 'dim', 'italic', 'underline', 'inverse', 'hidden', 'strike'];

/** Give the element the look of the part on the terminal. Only valid colours get into a style. */
export function lookLike(element, style) {
  for (const attribute of ATTRIBUTES) element.classList.toggle(attribute, style[attribute] === true);
  for (const [name, colour] of [['ansi', style.fg], ['on', style.bg]]) {
    if (PALETTE.includes(colour)) element.classList.add(`${name}-${colour.replace('bright-', '')}`);
    else if (RGB.test(colour)) {
      element.classList.add(`${name}-rgb`);
      element.style.setProperty(`--${name}`, colour);
    }
  }
}

/** The sign of a line, which says that something has finished, or null. */
export function signOf({ sign }) {
  if (sign === undefined || sign === null || sign === false) return null;
  return typeof sign === 'string' ? sign : t('watch_sign');
}

/** `{short, full}` of the time of a line: a text of the producer, or seconds since the Unix epoch. */
export function timeOf({ time }) {
  if (typeof time === 'number') {
    const at = new Date(time * 1000);
    if (Number.isNaN(at.getTime())) return { short: '', full: String(time) };
    return { short: at.toLocaleTimeString('en-GB'), full: at.toLocaleString(language) };
  }
  const full = String(time ?? '');
  return { short: /\d\d:\d\d(:\d\d)?/.exec(full)?.[0] ?? full.slice(0, 8), full };
}
