// Notices at the foot of the page: what was refused, and why. Each disappears after some seconds.

import { t } from '../words.js';
import { crossButton, make } from './dom.js';
import { inWords } from './problem.js';

const SHOWN = 7000; // ms

export class Notices {
  /** `dismiss(id)` removes a notice from the state. */
  constructor(dismiss) {
    this._box = document.getElementById('notices');
    this._dismiss = dismiss;
    this._shown = new Map();
  }

  /** `wordsOf(notice)` returns `{title, detail, foreign, look}`; the default takes them from its problem. */
  render(notices, wordsOf = ({ problem }) => inWords(problem)) {
    const wanted = new Set(notices.map((notice) => notice.id));
    for (const [id, element] of this._shown) {
      if (wanted.has(id)) continue;
      element.remove();
      this._shown.delete(id);
    }
    for (const notice of notices) {
      const { id } = notice;
      if (this._shown.has(id)) continue;
      const element = noticeOf(wordsOf(notice), () => this._dismiss(id));
      this._shown.set(id, element);
      this._box.append(element);
      setTimeout(() => this._dismiss(id), SHOWN);
    }
  }
}

function noticeOf({ title, detail, foreign = false, look = '' }, dismiss) {
  const said = foreign ? make('small', { lang: 'en' }, detail) : make('span', {}, detail);
  const text = make('p', {}, make('strong', {}, title), said);
  const element = make('div', { className: 'notice' }, text, crossButton(t('dismiss'), dismiss));
  if (look) element.dataset.look = look;
  return element;
}
