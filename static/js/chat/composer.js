// Where one writes: a draft for each thread, Enter sends, and the others are told that somebody is typing.

import { remember, remembered } from '../remember.js';
import { t } from '../words.js';
import { nameOf } from './state.js';

const AGAIN = 3000; // ms between two notices of typing; a receiver forgets it after 6 s
const IDLE = 5000; // ms without a key after which one has stopped
const KEPT = 300; // ms after the last key at which the draft is kept

export class Composer {
  /** `say(key, text)` sends, `typing(key, typing)` tells the others. */
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
    // A press on the button must not take the focus, or the keyboard of a phone would go after each message.
    this._button.addEventListener('pointerdown', (event) => event.preventDefault());
    this._text.addEventListener('keydown', (event) => {
      // Enter that ends the input of a Chinese word is not ours; Safari says so with the key code alone.
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
    const words = t('chat_write', { name: nameOf(key) });
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

  /** As high as what is written; the style sheet says how high at most. */
  _fit() {
    this._text.style.height = 'auto';
    this._text.style.height = `${this._text.scrollHeight + 2}px`;
    this._button.disabled = !this._text.value.trim();
  }
}
