// The state of the connection: the mark in the header, the banner without a connection, words for screen readers.

import { TRANSPORTS } from '../transports.js';
import { ago, language, t } from '../words.js';
import { write } from './dom.js';

const BLINK = 1500; // ms without a connection that only the mark shows, before the banner comes

/** Whether there is no connection, and for longer than BLINK. */
export function isLost({ status, refused, since }) {
  if (refused) return false; // the strip under the header says so
  return status === 'offline' || (status === 'reconnecting' && Date.now() - since >= BLINK);
}

/** Draw the mark: a dot and a word. */
export function renderMark(mark, { status, transport, refused }) {
  const words = t(refused ? 'not_signed_in' : status);
  mark.dataset.status = status;
  write(mark.querySelector('.mark-status'), words);
  mark.setAttribute('aria-label', t('link_label', { status: words }));
  mark.title = TRANSPORTS[transport]?.label ?? '';
}

export class LinkView {
  /** `retry()` connects now. */
  constructor(retry) {
    const part = (id) => document.getElementById(id);
    this._parts = { mark: part('mark'), lost: part('lost'), spoken: part('spoken') };
    this._status = null;
    this._parts.lost.querySelector('button').addEventListener('click', retry);
  }

  /** `known` is whether the page shows something that is now old. */
  render(link, known) {
    document.body.dataset.link = link.status;
    renderMark(this._parts.mark, link);
    this._renderLost(link, known);
    this._speak(link);
  }

  _renderLost(link, known) {
    const { lost } = this._parts;
    lost.hidden = !isLost(link);
    if (lost.hidden) return;
    const { restarting, retryAt, since } = link;
    const seconds = retryAt ? Math.max(Math.ceil((retryAt - Date.now()) / 1000), 0) : 0;
    const said = [t('lost_retry', { seconds })];
    if (!navigator.onLine) said.unshift(t('lost_network'));
    if (known && since) said.unshift(t('lost_since', { age: ago(since / 1000, Date.now() / 1000) }));
    write(lost.querySelector('.banner-title'), t(restarting ? 'lost_restarting' : 'lost_title'));
    write(lost.querySelector('.banner-text'), said.join(language === 'zh' ? '' : ' '));
  }

  /** Have a screen reader say when the connection is lost and back, but not each attempt. */
  _speak({ status }) {
    if (status === this._status) return;
    const back = status === 'live' && this._status !== 'connecting' && this._status !== null;
    const key = { reconnecting: 'link_lost', offline: 'link_offline', live: back && 'link_live' }[status];
    if (key) write(this._parts.spoken, t(key));
    this._status = status;
  }
}
