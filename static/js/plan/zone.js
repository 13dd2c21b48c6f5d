// The wall clock of the panel. The panel tells no time zone; the times of its schedules show how far ahead it is.

import { panelNow } from '../clock.js';

const DAY = 1440; // minutes
const OFFSET = /([+-])(\d\d):(\d\d)$/;

/** Minutes by which the panel's wall clock is ahead of this browser's, by most of the schedules; 0 if none tells. */
export function clockShift(schedules) {
  const votes = new Map();
  for (const schedule of Object.values(schedules)) {
    const shift = shiftOf(schedule);
    if (shift !== null) votes.set(shift, (votes.get(shift) ?? 0) + 1);
  }
  const [most] = [...votes].sort((a, b) => b[1] - a[1] || Math.abs(a[0]) - Math.abs(b[0]));
  return most ? most[0] : 0;
}

function shiftOf({ when, do: command, next, is_timer }) {
  const offset = OFFSET.exec(when.once ?? '');
  if (is_timer && offset) {
    const [, sign, hours, minutes] = offset; // the panel writes the date of a timer in its own time
    return (sign === '-' ? -1 : 1) * (60 * Number(hours) + Number(minutes)) + new Date(when.once).getTimezoneOffset();
  }
  if (next === null || offset) return null;
  if (when.once) return Math.round((Date.parse(when.once) / 1000 - next) / 60);
  const time = when.at ?? when.by;
  if (!time) return null;
  const here = new Date((next + (when.by ? (command.transition ?? 0) : 0)) * 1000);
  const [hours, minutes] = time.split(':').map(Number);
  const there = new Date(here);
  there.setHours(hours, minutes);
  if (there.getHours() !== hours) return null; // the night of the change does not have this time
  const ahead = 60 * hours + minutes - (60 * here.getHours() + here.getMinutes());
  return ((ahead + DAY / 2 + DAY) % DAY) - DAY / 2;
}

/** What the clock on the panel's wall shows, as seconds that this browser writes that way. */
export function wallNow(shift) {
  return panelNow() + 60 * shift;
}

/** Such seconds as the value of an `<input type="datetime-local">`. */
export function asInput(seconds) {
  const date = new Date(seconds * 1000);
  const two = (number) => String(number).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}`;
}
