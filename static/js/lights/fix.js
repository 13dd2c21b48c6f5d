// The command that fixes a problem of the hardware, with a button that copies it.

import { copyOnClick } from '../view/copy.js';
import { make } from '../view/dom.js';
import { t } from '../words.js';

export function renderFix(box, command) {
  box.hidden = !command;
  if (!command || box.dataset.command === command) return;
  box.dataset.command = command;
  const code = make('code', { tabIndex: 0 }, command);
  const copy = make('button', { type: 'button', className: 'button' }, t('copy'));
  copyOnClick(copy, code);
  box.replaceChildren(make('span', { className: 'fix-intro' }, t('fix')), code, copy);
}
