// A refusal of the panel in the language of the page.
//
// The panel writes English; its words about a level are for old programs, so here is a sentence for people. In Chinese, the
// title and the detail come from problem-zh.js, by the type of the problem. Where it has no detail, the English one is shown
// in small print.
//
// So are the reasons for which lights are offline.

import { language, t } from '../words.js';
import { make, write } from './dom.js';

const ENGLISH_LEVEL = 'A level is a whole number from 0 to 100.';
const LEVELS = ['bad-level', 'level-missing', 'level-not-an-integer', 'level-out-of-range'];

let chinese = {};
let reasons = [];

/** Done once problems can be said in the language of the page. If its table does not come, they are in English. */
export const ready = language === 'zh' ? learnChinese() : Promise.resolve();

async function learnChinese() {
  try {
    ({ CHINESE: chinese, REASONS: reasons } = await import('./problem-zh.js'));
  } catch {
    // the English of the panel is better than nothing
  }
}

/**
 * `{title, detail, foreign}` of a problem of the panel or of this page; null is no answer at all.
 *
 * `foreign` is whether the detail is English on a page that is not.
 */
export function inWords(problem) {
  if (problem === null) return { title: t('unanswered'), detail: t('lost_answer'), foreign: false };
  const { type = '', title = t('refused'), detail = '' } = problem;
  const name = type.split(':').at(-1);
  const own = chinese[name];
  if (!own) return { title, detail: LEVELS.includes(name) ? ENGLISH_LEVEL : capital(detail), foreign: false };
  const words = typeof own[1] === 'function' ? own[1](problem) : own[1];
  return { title: own[0], detail: words ?? detail, foreign: words === undefined };
}

/** Why a light is offline, or why these pins drive the lights: what the panel wrote, as far as it can be said. */
export function reasonInWords(reason) {
  return reasons.reduce((text, [part, words]) => text.replace(part, words), reason ?? '');
}

/** A refusal of a field begins with its name. */
function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A problem as one line. */
export function lineOf(problem) {
  const { title, detail, foreign } = inWords(problem);
  return foreign ? `${title}。${t('details')}${detail}` : detail;
}

/** Write a problem into the element, a foreign detail in small print. */
export function renderProblem(element, problem) {
  const { title, detail, foreign } = inWords(problem);
  if (!foreign) write(element, detail);
  else if (element.textContent !== lineOf(problem)) {
    element.replaceChildren(`${title}。${t('details')}`, make('small', { lang: 'en' }, detail));
  }
}
