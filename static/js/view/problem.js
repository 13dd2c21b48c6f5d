// A refusal in the page's language: its title by the problem's type, and behind it the panel's own words, in English.

import { hasWord, t } from '../words.js';
import { make, write } from './dom.js';

const TYPE = /^urn:pilotlight:problem:/;

/**
 * `{title, detail, foreign}` of a problem, the panel's or this page's own; of null, which is no answer at all.
 *
 * `foreign` is whether the detail is not in the language of the page, which then has the title in it.
 */
export function inWords(problem) {
  if (problem === null) return { title: t('unanswered'), detail: t('lost_answer'), foreign: false };
  const { type = '', title = t('refused'), detail = '' } = problem;
  const word = type.replace(TYPE, 'problem_');
  const foreign = hasWord(word);
  return { title: foreign ? t(word) : title, detail, foreign };
}

/** A problem as one line. */
export function lineOf(problem) {
  const { title, detail, foreign } = inWords(problem);
  return foreign ? `${title} ${detail}` : detail;
}

/** The same in an element, where English that is not the page's language is small print. */
export function renderProblem(element, problem) {
  const { title, detail, foreign } = inWords(problem);
  if (!foreign) write(element, detail);
  else if (element.textContent !== lineOf(problem)) element.replaceChildren(`${title} `, make('small', { lang: 'en' }, detail));
}
