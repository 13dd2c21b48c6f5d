// Who this browser is, for the pages of Settings that need an admin.

import { learnMe } from '../me.js';
import { t } from '../words.js';

/** Ask who this is. The strip of the header says what to sign in with, where that would allow more here. */
export async function learnRole(page) {
  const me = await learnMe();
  page.dispatch({ event: 'me', me });
  if (me === null || me.role === 'nobody' || me.role === 'admin') return;
  const strip = document.getElementById('access-strip');
  strip.hidden = false;
  strip.querySelector('.strip-text').textContent = t('setup_strip');
}
