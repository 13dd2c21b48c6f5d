// The question before something is lost, in the sheet of templates/sure.html.

import { write } from './dom.js';

/** Ask before something is lost. `keep` and `lose` are the words of the buttons; returns a promise of whether it may be. */
export function askFirst({ title, what, keep, lose }) {
  const sheet = document.getElementById('sure');
  const words = { '#sure-title': title, '#sure-what': what, '[value=keep]': keep, '[value=lose]': lose };
  for (const [part, text] of Object.entries(words)) write(sheet.querySelector(part), text);
  sheet.returnValue = '';
  sheet.showModal();
  return new Promise((resolve) => {
    sheet.addEventListener('close', () => resolve(sheet.returnValue === 'lose'), { once: true });
  });
}
