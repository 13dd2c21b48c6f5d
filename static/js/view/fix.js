// The command that would mend what is missing, with a button that copies it.

import { t } from '../words.js';

export function renderFix(box, command) {
  box.hidden = !command;
  if (!command || box.dataset.command === command) return;
  box.dataset.command = command;
  const intro = Object.assign(document.createElement('span'), { className: 'fix-intro', textContent: t('fix') });
  const code = Object.assign(document.createElement('code'), { textContent: command, tabIndex: 0 });
  const copy = Object.assign(document.createElement('button'), {
    type: 'button',
    className: 'button',
    textContent: t('copy'),
  });
  copy.addEventListener('click', async () => {
    if (!(await copied(command, code))) return;
    copy.textContent = t('copied');
    setTimeout(() => (copy.textContent = t('copy')), 2000);
  });
  box.replaceChildren(intro, code, copy);
}

/** Copy the text, or at least select it: over plain http a page may not touch the clipboard. */
async function copied(text, element) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(element);
    return document.execCommand('copy');
  }
}
