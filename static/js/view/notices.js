// Notices at the foot of the page: what was refused, and why. Each goes by itself.

import { t } from '../words.js';
import { crossButton, make } from './dom.js';

const SHOWN = 7000; // ms

export class Notices {
  /** `dismiss(id)` takes a notice away. */
  constructor(dismiss) {
    this._box = document.getElementById('notices');
    this._dismiss = dismiss;
    this._shown = new Map();
  }

  /** `inWords(notice)` is `{title, detail, look}` of one; without it, that of its problem. */
  render(notices, inWords = ({ problem }) => problem) {
    const wanted = new Set(notices.map((notice) => notice.id));
    for (const [id, element] of this._shown) {
      if (wanted.has(id)) continue;
      element.remove();
      this._shown.delete(id);
    }
    for (const notice of notices) {
      const { id } = notice;
      if (this._shown.has(id)) continue;
      const element = noticeOf(inWords(notice), () => this._dismiss(id));
      this._shown.set(id, element);
      this._box.append(element);
      setTimeout(() => this._dismiss(id), SHOWN);
    }
  }
}

function noticeOf({ title, detail = '', look = '' }, dismiss) {
  const text = make('p', {}, make('strong', {}, title), make('span', {}, detail));
  const element = make('div', { className: 'notice' }, text, crossButton(t('dismiss'), dismiss));
  if (look) element.dataset.look = look;
  return element;
}
