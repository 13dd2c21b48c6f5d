// A button that copies a text.

import { t } from '../words.js';

const SAID = 2000; // ms, that the button says so

/** Let the button copy the text of the element. */
export function copyOnClick(button, element) {
  const label = button.querySelector('span') ?? button;
  button.addEventListener('click', async () => {
    if (!(await copied(element))) return;
    label.textContent = t('copied');
    setTimeout(() => (label.textContent = t('copy')), SAID);
  });
}

/** Copy the text, or at least select it: over plain http a page cannot use the clipboard. */
async function copied(element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(element);
    return document.execCommand('copy');
  }
}
