// Days and times of day, as the reader's language writes them.

import { panelNow } from '../clock.js';
import { language, t } from '../words.js';

// A British browser wants 24 hours and an American one 12; only the language is this page's affair.
const locale = navigator.languages.find((tag) => tag.startsWith(language)) ?? (language === 'zh' ? 'zh-CN' : 'en-GB');
const TIME = new Intl.DateTimeFormat(locale, { hour: 'numeric', minute: '2-digit' });
const DAY = new Intl.DateTimeFormat(locale, { weekday: 'long', day: 'numeric', month: 'long' });
const DAY_OF_YEAR = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'long', year: 'numeric' });
const SHORT_DAY = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short' });
const EXACT = new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'medium' });

export function timeOf(at) {
  return TIME.format(at * 1000);
}

export function exactTimeOf(at) {
  return EXACT.format(at * 1000);
}

/** The same for every second of a day in the reader's time zone. */
export function dayOf(at) {
  const day = new Date(at * 1000);
  return `${day.getFullYear()}-${day.getMonth() + 1}-${day.getDate()}`;
}

export function dayInWords(at) {
  const now = panelNow();
  if (dayOf(at) === dayOf(now)) return t('chat_today');
  if (dayOf(at) === dayOf(now - 86400)) return t('chat_yesterday');
  const thisYear = new Date(at * 1000).getFullYear() === new Date(now * 1000).getFullYear();
  return (thisYear ? DAY : DAY_OF_YEAR).format(at * 1000);
}

/** The time of today, the day of any other. */
export function briefly(at) {
  if (dayOf(at) === dayOf(panelNow())) return timeOf(at);
  return dayOf(at) === dayOf(panelNow() - 86400) ? t('chat_yesterday') : SHORT_DAY.format(at * 1000);
}
