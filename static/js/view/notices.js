// Notices at the foot of the page: what was refused, and why.

import { t } from '../words.js';

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
  const make = (tag, more) => Object.assign(document.createElement(tag), more);
  const element = make('div', { className: 'notice' });
  const text = make('p', {});
  text.append(make('strong', { textContent: title }), make('span', { textContent: detail }));
  const close = make('button', { type: 'button', className: 'round quiet' });
  close.setAttribute('aria-label', t('dismiss'));
  close.innerHTML = '<svg class="icon" aria-hidden="true"><use href="#close"/></svg>';
  close.addEventListener('click', dismiss);
  element.append(text, close);
  return element;
}
