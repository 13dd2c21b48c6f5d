// Notices at the foot of the page: what was refused, and why.

import { t } from '../words.js';
import { crossButton, make } from './dom.js';

export class Notices {
  /** `dismiss(id)` takes a notice away. */
  constructor(box, dismiss) {
    this._box = box;
    this._dismiss = dismiss;
    this._shown = new Map();
  }

  render(notices) {
    const wanted = new Set(notices.map((notice) => notice.id));
    for (const [id, element] of this._shown) {
      if (wanted.has(id)) continue;
      element.remove();
      this._shown.delete(id);
    }
    for (const { id, problem } of notices) {
      if (this._shown.has(id)) continue;
      const element = noticeOf(problem, () => this._dismiss(id));
      this._shown.set(id, element);
      this._box.append(element);
    }
  }
}

function noticeOf({ title, detail }, dismiss) {
  const text = make('p', {}, make('strong', {}, title), make('span', {}, detail));
  return make('div', { className: 'notice' }, text, crossButton(t('dismiss'), dismiss));
}
