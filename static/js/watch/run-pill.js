// The state and the progress of a run, as every page draws them.

import { write } from '../view/dom.js';
import { addWords, t } from '../words.js';
import { lookOf } from './run-look.js';
import { stateOf } from './run-words.js';

addWords({
  en: { watch_progress_of: ({ name }) => `Progress of ${name}` },
  zh: { watch_progress_of: ({ name }) => `${name}的进度` },
});

export function renderState(pill, run) {
  pill.dataset.look = lookOf(run);
  write(pill, stateOf(run));
}

/** Draw the progress, or a moving bar where it is unknown. */
export function renderProgress(bar, run, name) {
  const known = run.progress !== null && run.progress !== undefined;
  bar.dataset.look = lookOf(run);
  bar.toggleAttribute('data-unknown', !known && run.state !== 'ended');
  bar.setAttribute('aria-label', t('watch_progress_of', { name }));
  if (known) bar.setAttribute('aria-valuenow', Math.floor(run.progress));
  else bar.removeAttribute('aria-valuenow');
  bar.style.setProperty('--share', known ? run.progress / 100 : run.state === 'ended' ? 1 : 0);
}
