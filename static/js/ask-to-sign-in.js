// Asks to sign in: by a sheet over the page, by links to it, and by the code of a QR code. The sheet comes when it is needed.

import { knownMe, mayControl } from './me.js';
import { ROOT } from './root.js';
import { addWords } from './words.js';

addWords({ en: { sign_in: 'Sign in' }, zh: { sign_in: '登录' } });

/** Open the sheet. `why` is a sentence about what needs it, `token` whether the PIN is not enough. */
export function askToSignIn(what = {}) {
  load().then(
    ({ openSignIn }) => openSignIn(what),
    () => location.assign(`${ROOT}/access`), // it has a form
  );
}

function load() {
  return import('./sign-in.js');
}

// Who may need it has it before the press: a phone shows its keys only for a field that gets the focus at once.
addEventListener('pilotlight:me', () => {
  if (!mayControl(knownMe())) load().catch(() => {});
});

document.addEventListener('click', (event) => {
  const link = event.target.closest('[data-sign-in]');
  if (!link || !document.getElementById('sign-in') || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  askToSignIn();
});

function useCode() {
  if (location.hash.startsWith('#code=')) load().then(({ useCode: use }) => use(), () => {});
}

addEventListener('hashchange', useCode);
useCode();
