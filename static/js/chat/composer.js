// The field for a new message: a draft for each thread, Enter sends, notices of typing for the others.

import { remember, remembered } from '../remember.js';
import { t } from '../words.js';
import { labelOf } from './dom.js';

const AGAIN = 3000; // ms between two notices of typing; receivers drop one after 6 s
const IDLE = 5000; // ms without a key after which typing has stopped
const KEPT = 300; // ms after the last key until the draft is stored

export class Composer {
  /** `say(key, text)` sends a message, `typing(key, typing)` a notice of typing. */
  constructor({ say, typing }) {
    this._say = say;
    this._typing = typing;
    this._key = null;
    this._drafts = remembered('chat.drafts', {}, 'sessionStorage');
    this._told = -Infinity;
    this._timers = {};
    this._text = document.getElementById('say');
    const form = document.getElementById('composer');
    this._button = form.querySelector('button');

    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this._send();
    });
    // The button must not take the focus, or the keyboard of a phone would close after each message.
    this._button.addEventListener('pointerdown', (event) => event.preventDefault());
    this._text.addEventListener('keydown', (event) => {
      // An Enter that ends the input of a Chinese word does not send. In Safari only the key code tells.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this._send();
    });
    this._text.addEventListener('input', () => this._changed());
    this._text.addEventListener('blur', () => this._stopped());
    addEventListener('pagehide', () => this._keep());
  }

  render(key) {
    if (key === this._key) return;
    this._stopped();
    this._keep();
    this._key = key;
    this._text.value = this._drafts[key] ?? '';
    const words = t('chat_write', { name: labelOf(key) });
    this._text.placeholder = words;
    this._text.setAttribute('aria-label', words);
    this._fit();
  }

  focus() {
    this._text.focus();
  }

  _send() {
    const text = this._text.value.trim();
    if (!text) return;
    this._text.value = '';
    this._stopped();
    this._keep();
    this._fit();
    this._say(this._key, text);
    this._text.focus();
  }

  _changed() {
    this._fit();
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
    if (!this._key) return;
    const { [this._key]: _, ...others } = this._drafts;
    this._drafts = this._text.value ? { ...others, [this._key]: this._text.value } : others;
    remember('chat.drafts', this._drafts, 'sessionStorage');
  }

  /** Make the field as high as its text; the style sheet has the limit. */
  _fit() {
    this._text.style.height = 'auto';
    this._text.style.height = `${this._text.scrollHeight + 2}px`;
    this._button.disabled = !this._text.value.trim();
  }
}
