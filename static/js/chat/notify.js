// Notifications of this browser while the page is in the background: only after somebody has asked for them.

import { remember, remembered } from '../remember.js';
import { textOf } from '../text-of.js';
import { t } from '../words.js';
import { labelOf } from './dom.js';
import { isRoom } from './state.js';

const TEXT = 200; // characters

export class Notifications {
  /** `open(key)` opens a thread, `say(words)` tells why there can be no notifications. */
  constructor({ open, say }) {
    this._open = open;
    this._say = say;
    this._button = document.getElementById('notify');
    this._button.addEventListener('click', () => this._toggle());
    this._render();
  }

  get _on() {
    return this._possible() === null && Notification.permission === 'granted' && remembered('chat.notify', false);
  }

  /** Why this browser can show none, as a word; or null. */
  _possible() {
    if (!isSecureContext) return 'chat_notify_https';
    if (!('Notification' in window)) return 'chat_notify_none';
    return Notification.permission === 'denied' ? 'chat_notify_denied' : null;
  }

  async _toggle() {
    const on = !this._on;
    if (on && this._possible() === null) await Notification.requestPermission();
    const why = on && this._possible();
    if (why) this._say({ title: t('chat_notify_not'), detail: t(why) });
    remember('chat.notify', on && !why);
    this._render();
  }

  _render() {
    this._button.setAttribute('aria-pressed', this._on);
    const words = t(this._on ? 'chat_notify_on' : 'chat_notify_off');
    this._button.setAttribute('aria-label', words);
    this._button.title = words;
    this._button.querySelector('use').setAttribute('href', this._on ? '#sign-bell' : '#sign-bell-off');
  }

  /** Show a message of somebody else, if nobody looks at the page. */
  show(key, { from, msg }) {
    if (!this._on || (!document.hidden && document.hasFocus())) return;
    const title = isRoom(key) ? t('chat_notify_in', { from, room: labelOf(key) }) : from;
    const body = textOf(msg).slice(0, TEXT);
    const options = { body, tag: key, icon: '/static/icons/icon-192.png', data: key };
    try {
      const notification = new Notification(title, options);
      notification.addEventListener('click', () => {
        focus();
        this._open(key);
        notification.close();
      });
    } catch {
      // Android shows them only by a service worker, which opens the page at a click.
      navigator.serviceWorker?.ready.then((worker) => worker.showNotification(title, options));
    }
  }
}
