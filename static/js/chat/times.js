// Days and times of day in the language of the reader.

import { panelNow } from '../clock.js';
import { dayOf, locale, timeOf } from '../times.js';
import { t } from '../words.js';

export { dayOf, timeOf };

const DAY = new Intl.DateTimeFormat(locale, { weekday: 'long', day: 'numeric', month: 'long' });
const DAY_OF_YEAR = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'long', year: 'numeric' });
const SHORT_DAY = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short' });
const EXACT = new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'medium' });

export function exactTimeOf(at) {
  return EXACT.format(at * 1000);
}

export function dayInWords(at) {
  const now = panelNow();
  if (dayOf(at) === dayOf(now)) return t('chat_today');
  if (dayOf(at) === dayOf(now - 86400)) return t('chat_yesterday');
  const thisYear = new Date(at * 1000).getFullYear() === new Date(now * 1000).getFullYear();
  return (thisYear ? DAY : DAY_OF_YEAR).format(at * 1000);
}

/** The time if it was today, else the day. */
export function briefly(at) {
  if (dayOf(at) === dayOf(panelNow())) return timeOf(at);
  return dayOf(at) === dayOf(panelNow() - 86400) ? t('chat_yesterday') : SHORT_DAY.format(at * 1000);
}
