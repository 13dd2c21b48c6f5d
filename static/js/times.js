// Times of day and days in the language and the time zone of the reader.

import { language } from './words.js';

// The browser chooses 12 or 24 hours; the page chooses only the language.
export const locale =
  navigator.languages.find((tag) => tag.startsWith(language)) ?? (language === 'zh' ? 'zh-CN' : 'en-GB');

const TIME = new Intl.DateTimeFormat(locale, { hour: 'numeric', minute: '2-digit' });
const HOUR = new Intl.DateTimeFormat(locale, { hour: 'numeric' });
const DAY_AND_TIME = new Intl.DateTimeFormat(locale, {
  day: 'numeric',
  month: 'short',
  hour: 'numeric',
  minute: '2-digit',
});

/** `at` is in seconds since the Unix epoch, as everywhere here. */
export function timeOf(at) {
  return TIME.format(at * 1000);
}

/** A full hour: "18:00", or "6 PM" where people count to 12. */
export function hourOf(at) {
  return (HOUR.resolvedOptions().hour12 ? HOUR : TIME).format(at * 1000);
}

/** A key of the day in the time zone of the reader. */
export function dayOf(at) {
  const day = new Date(at * 1000);
  return `${day.getFullYear()}-${day.getMonth() + 1}-${day.getDate()}`;
}

/** The time of day, with the day if that is not the day of `now`. */
export function momentOf(at, now) {
  return dayOf(at) === dayOf(now) ? timeOf(at) : DAY_AND_TIME.format(at * 1000);
}
