// The sheets of a run: how to start it again, and whether it may be deleted.

import { copyOnClick } from '../view/copy.js';
import { write } from '../view/dom.js';
import { Sheet } from '../view/sheet.js';
import { t } from '../words.js';

/** Says how a command is started again, on the machine where it ran. */
export class AgainSheet extends Sheet {
  constructor() {
    super(document.getElementById('again'));
    this._line = this.dialog.querySelector('code');
    copyOnClick(this.dialog.querySelector('.copy'), this._line);
  }

  open({ command }) {
    write(this._line, `pilotlight run -- ${command}`);
    this._show();
  }
}

/** Ask before a run is deleted; returns a promise of whether it may be. */
export function askToDelete(name) {
  const sheet = document.getElementById('sure');
  write(sheet.querySelector('h2'), t('watch_delete_sure', { name }));
  sheet.returnValue = '';
  sheet.showModal();
  return new Promise((resolve) => {
    sheet.addEventListener('close', () => resolve(sheet.returnValue === 'delete'), { once: true });
  });
}
