// Notices at the foot of the page: what was refused and why, or what was done and can be undone. Each disappears after
// some seconds.

import { t } from '../words.js';
import { crossButton, make } from './dom.js';
import { inWords } from './problem.js';

const SHOWN = 7000; // ms
const SHOWN_WITH_ACTION = 12000;

export class Notices {
  /** `dismiss(id)` removes a notice from the state. */
  constructor(dismiss) {
    this._box = document.getElementById('notices');
    this._dismiss = dismiss;
    this._shown = new Map();
  }

  /** `wordsOf(notice)` returns `{title, detail, foreign, look, action}`; the default takes them from its problem. */
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
      const words = wordsOf(notice);
      const element = noticeOf(words, () => this._dismiss(id));
      this._shown.set(id, element);
      this._box.append(element);
      setTimeout(() => this._dismiss(id), words.action ? SHOWN_WITH_ACTION : SHOWN);
    }
  }
}

function noticeOf({ title, detail = '', foreign = false, look = '', action = null }, dismiss) {
  const said = foreign ? make('small', { lang: 'en' }, detail) : make('span', {}, detail);
  const text = make('p', {}, make('strong', {}, title), said);
  const button = action && make('button', { type: 'button', className: 'button' }, action.label);
  button?.addEventListener('click', action.press);
  const element = make('div', { className: 'notice' }, text, button, crossButton(t('dismiss'), dismiss));
  if (look) element.dataset.look = look;
  return element;
}
