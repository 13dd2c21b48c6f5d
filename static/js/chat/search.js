// The search in messages: a sheet with what was found, the newest first. A press opens the talk at that message.

import { avatar } from '../view/avatar.js';
import { make, write } from '../view/dom.js';
import { renderProblem } from '../view/problem.js';
import { Sheet } from '../view/sheet.js';
import { textOf } from '../text-of.js';
import { t } from '../words.js';
import { labelOf } from './dom.js';
import { addressOf, keyOf, personKey } from './state.js';
import { briefly, exactTimeOf } from './times.js';

const PAUSE = 250; // ms after the last key
const AROUND = 60; // characters before the match that are shown
const SHOWN = 240; // characters of a message

export class Search extends Sheet {
  /** `find(command)` resolves to the reply, `jump(key, n)` shows a message, `me()` is the name of this person. */
  constructor({ find, jump, me }) {
    super(document.getElementById('search'));
    this._find = find;
    this._jump = jump;
    this._me = me;
    this._where = {};
    this._asked = 0;
    this._field = this.dialog.querySelector('input');
    this._count = this.dialog.querySelector('.found-count');
    this._list = this.dialog.querySelector('.found');
    this._more = this.dialog.querySelector('.found-more');
    this._field.addEventListener('input', () => {
      clearTimeout(this._timer);
      this._timer = setTimeout(() => this._search(), PAUSE);
    });
    this.dialog.querySelector('form').addEventListener('submit', (event) => {
      event.preventDefault();
      clearTimeout(this._timer);
      this._search();
    });
    this._more.addEventListener('click', () => this._search(this._oldest));
  }

  /** Search in one thread, or with no key everywhere. */
  open(key = null) {
    this._where = key === null ? {} : addressOf(key);
    const words = key === null ? t('chat_search') : t('chat_search_in', { name: labelOf(key) });
    write(this.dialog.querySelector('h2'), words);
    this._field.setAttribute('aria-label', words);
    this._show();
    this._field.select();
    this._search();
  }

  async _search(before = null) {
    const q = this._field.value.trim();
    const asked = (this._asked += 1);
    if (!q) return this._clear();
    const reply = await this._find({ q, ...this._where, ...(before === null ? {} : { before }) });
    if (asked !== this._asked) return; // something else is searched by now
    if (!reply.ok) {
      this._clear();
      return renderProblem(this._count, reply.problem ?? null);
    }
    const { messages, total, more, cut } = reply;
    write(this._count, [t('chat_found', { n: total }), cut ? t('chat_found_cut') : ''].join(' ').trim());
    const rows = messages.map((message) => this._row(message, q));
    if (before === null) this._list.replaceChildren(...rows);
    else this._list.append(...rows);
    if (before !== null) rows[0]?.querySelector('button').focus();
    this._oldest = messages.at(-1)?.id;
    this._more.hidden = !more;
  }

  _clear() {
    write(this._count, '');
    this._list.replaceChildren();
    this._more.hidden = true;
  }

  _row(message, q) {
    const key = keyOf(message, this._me());
    const time = make('time', { textContent: briefly(message.at), title: exactTimeOf(message.at) });
    const head = make('span', { className: 'found-head' }, make('strong', { textContent: message.from, dir: 'auto' }), make('span', { textContent: key === personKey(message.from) ? t('chat_privates') : labelOf(key), dir: 'auto' }), time);
    const text = make('span', { className: 'found-text', dir: 'auto' }, ...marked(textOf(message.msg), q));
    const button = make('button', { type: 'button' }, avatar(message.from), head, text);
    button.addEventListener('click', () => {
      this.close();
      this._jump(key, message.n);
    });
    return make('li', {}, button);
  }
}

/** The part of a text around its first match, with the match marked. */
function marked(text, q) {
  const at = text.toLowerCase().indexOf(q.toLowerCase());
  if (at < 0) return [text.slice(0, SHOWN)];
  const start = Math.max(at - AROUND, 0);
  const end = at + q.length;
  const before = `${start ? '…' : ''}${text.slice(start, at)}`;
  return [before, make('mark', { textContent: text.slice(at, end) }), text.slice(end, start + SHOWN)];
}
