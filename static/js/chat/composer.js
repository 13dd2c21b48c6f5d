// The field for a new message: a draft for each thread, Enter sends, notices of typing for the others.

import { lock } from '../lock.js';
import { remember, remembered } from '../remember.js';
import { write } from '../view/dom.js';
import { t } from '../words.js';
import { labelOf } from './dom.js';

const AGAIN = 3000; // ms between two notices of typing; receivers drop one after 6 s
const IDLE = 5000; // ms without a key after which typing has stopped
const BYTES_OF_ONE = 6; // of JSON, at most, for a UTF-16 unit of a text
const KEPT = 300; // ms after the last key until the draft is stored

export class Composer {
  /**
   * `say(key, text)` sends a message, `typing(key, typing)` a notice of typing. `change(key, n, text)` edits one, and
   * resolves to whether that was done. `editLast()` begins to edit the last one.
   */
  constructor({ say, typing, change, editLast }) {
    this._say = say;
    this._typing = typing;
    this._change = change;
    this._editing = null; // the number of the message that is edited
    this._head = document.getElementById('editing');
    this._tooLong = document.getElementById('too-long');
    this._head.querySelector('button').addEventListener('click', () => this._stopEditing());
    this._key = null;
    this._drafts = remembered('chat.drafts', {}, 'sessionStorage');
    this._told = -Infinity;
    this._timers = {};
    this._text = document.getElementById('say');
    const form = document.getElementById('composer');
    this._form = form;
    this._may = true;
    this._button = form.querySelector('.send');

    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this._send();
    });
    // The button must not take the focus, or the keyboard of a phone would close after each message.
    this._button.addEventListener('pointerdown', (event) => event.preventDefault());
    this._text.addEventListener('keydown', (event) => {
      // An Enter that ends the input of a Chinese word does not send. In Safari only the key code tells.
      if (event.key === 'Escape' && this._editing !== null) return this._stopEditing();
      if (event.key === 'ArrowUp' && !this._text.value && this._editing === null && editLast()) event.preventDefault();
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this._send();
    });
    this._text.addEventListener('input', () => this._changed());
    this._text.addEventListener('blur', () => this._stopped());
    addEventListener('pagehide', () => this._keep());
  }

  /** `may` is whether this browser may write. */
  render(key, may) {
    lock(this._form, may ? null : 'chat');
    if (key === this._key && may === this._may) return;
    this._may = may;
    this._stopped();
    this._keep();
    this._key = key;
    this._endEditing();
    const words = t('chat_write', { name: labelOf(key) });
    this._text.placeholder = may ? words : t('lock_chat');
    this._text.setAttribute('aria-label', words);
    this._fit();
  }

  focus() {
    this._text.focus();
  }

  /** Edit a message of the open thread. What was being written waits. */
  edit(n, text) {
    this._stopped();
    this._keep();
    this._editing = n;
    this._head.hidden = false;
    this._text.value = text;
    this._fit();
    this._text.focus();
  }

  _stopEditing() {
    this._endEditing();
    this._text.focus();
  }

  _endEditing() {
    this._editing = null;
    this._head.hidden = true;
    this._text.value = this._drafts[this._key] ?? '';
    this._fit();
  }

  async _sendEdit(text) {
    const [key, n] = [this._key, this._editing];
    this._button.disabled = true;
    const done = await this._change(key, n, text);
    if (key !== this._key || n !== this._editing) return;
    if (done) this._stopEditing();
    else this._fit();
  }

  _send() {
    const text = this._text.value.trim();
    if (!text || this._button.disabled) return;
    if (this._editing !== null) return this._sendEdit(text);
    this._text.value = '';
    this._stopped();
    this._keep();
    this._fit();
    this._say(this._key, text);
    this._text.focus();
  }

  _changed() {
    this._fit();
    if (this._editing !== null) return;
    clearTimeout(this._timers.keep);
    this._timers.keep = setTimeout(() => this._keep(), KEPT);
    if (!this._text.value.trim()) return this._stopped();
    if (performance.now() - this._told > AGAIN) {
      this._told = performance.now();
      this._typing(this._key, true);
    }
    clearTimeout(this._timers.idle);
    this._timers.idle = setTimeout(() => this._stopped(), IDLE);
  }

  _stopped() {
    clearTimeout(this._timers.idle);
    if (this._told === -Infinity) return;
    this._told = -Infinity;
    this._typing(this._key, false);
  }

  _keep() {
    clearTimeout(this._timers.keep);
    if (!this._key || this._editing !== null) return;
    const { [this._key]: _, ...others } = this._drafts;
    this._drafts = this._text.value ? { ...others, [this._key]: this._text.value } : others;
    remember('chat.drafts', this._drafts, 'sessionStorage');
  }

  /** Say that the text is longer than the panel takes. It is not cut: its author knows best what to leave out. */
  _mistake(text) {
    const most = Number(this._text.dataset.most);
    if (text.length * BYTES_OF_ONE < most) return '';
    const size = new TextEncoder().encode(JSON.stringify(text)).length;
    return size > most ? t('chat_too_long', { size, most }) : '';
  }

  /** Make the field as high as its text; the style sheet has the limit. */
  _fit() {
    this._text.style.height = 'auto';
    this._text.style.height = `${this._text.scrollHeight + 2}px`;
    const mistake = this._mistake(this._text.value.trim());
    write(this._tooLong, mistake);
    this._button.disabled = !this._text.value.trim() || mistake !== '';
  }
}
