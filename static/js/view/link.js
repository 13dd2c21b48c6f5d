// How the connection is: the mark, the banner when there is none, and a word for who sees neither.

import { ago, t } from '../words.js';
import { write } from './dom.js';
import { renderMark } from './mark.js';

const BLINK = 1500; // ms without a connection that the mark alone tells; the banner is for what lasts

/** Whether the connection has been gone for longer than a blink of the network. */
export function isLost({ status, refused, since }) {
  if (refused) return false; // it says so itself
  return status === 'offline' || (status === 'reconnecting' && Date.now() - since >= BLINK);
}

export class LinkView {
  /** `retry()` connects now. */
  constructor(retry) {
    const part = (id) => document.getElementById(id);
    this._parts = { mark: part('mark'), lost: part('lost'), spoken: part('spoken') };
    this._status = null;
    this._parts.lost.querySelector('button').addEventListener('click', retry);
  }

  /** `known` is whether there is something on the page that grows old. */
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
    write(lost.querySelector('.banner-text'), said.join(' '));
  }

  /** Tell a screen reader when the connection goes and comes, not each attempt. */
  _speak({ status }) {
    if (status === this._status) return;
    const back = status === 'live' && this._status !== 'connecting' && this._status !== null;
    const key = { reconnecting: 'link_lost', offline: 'link_offline', live: back && 'link_live' }[status];
    if (key) write(this._parts.spoken, t(key));
    this._status = status;
  }
}
