// Refusals of commands on several lights: one notice, which names the lights.

import { inWords } from '../view/problem.js';
import { t } from '../words.js';

const NAMED = 4; // lights; of more the notice says how many

/** The notice of what some lights refused: `refused` has a problem by id. */
export function refusalOf(state, refused) {
  const ids = Object.keys(refused);
  return notice(state, ids, refused[ids[0]]);
}

/** The notice of a command that each light refused, or of one that has nothing to do with lights. */
export function wholeRefusalOf(state, problem) {
  const ids = (problem?.errors ?? []).map(({ field }) => field);
  return ids.length > 1 && ids.every((id) => id in (state.lights ?? {})) ? notice(state, ids, problem) : problem;
}

function notice(state, ids, problem) {
  const { title, detail } = inWords(problem);
  const names = ids.slice(0, NAMED).map((id) => state.lights[id]?.name ?? id);
  const all = new Intl.ListFormat(document.documentElement.lang, { type: 'unit' }).format(names);
  const more = ids.length - names.length;
  return { title: t('refused_by', { names: all, more }), detail: ids.length > 1 ? title : detail };
}
