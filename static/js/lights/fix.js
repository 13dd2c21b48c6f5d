// The command that fixes a problem of the hardware, with a button that copies it.

import { make } from '../view/dom.js';
import { t } from '../words.js';

export function renderFix(box, command) {
  box.hidden = !command;
  if (!command || box.dataset.command === command) return;
  box.dataset.command = command;
  const code = make('code', { tabIndex: 0 }, command);
  const copy = make('button', { type: 'button', className: 'button' }, t('copy'));
  copy.addEventListener('click', async () => {
    if (!(await copied(command, code))) return;
    copy.textContent = t('copied');
    setTimeout(() => (copy.textContent = t('copy')), 2000);
  });
  box.replaceChildren(make('span', { className: 'fix-intro' }, t('fix')), code, copy);
}

/** Copy the text, or at least select it: over plain http a page cannot use the clipboard. */
async function copied(text, element) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(element);
    return document.execCommand('copy');
  }
}
