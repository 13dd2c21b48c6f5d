// The sheet that the mark in the header opens: what the connection is, and since when.

import { momentOf } from '../times.js';
import { TRANSPORTS } from '../transports.js';
import { ago, inMilliseconds, t } from '../words.js';
import { write } from './dom.js';
import { Sheet } from './sheet.js';

export class LinkSheet extends Sheet {
  /** `mark` opens it. */
  constructor(mark) {
    super(document.getElementById('link-sheet'));
    const find = (selector) => this.dialog.querySelector(selector);
    this._parts = {
      status: find('.link-status'),
      word: find('.link-word'),
      sinceName: find('.link-since-name'),
      since: find('.link-since'),
      transport: find('.link-transport'),
      ms: find('.link-ms'),
    };
    mark.addEventListener('click', () => {
      this._show(mark);
      this.render(this._link);
    });
  }

  render(link) {
    this._link = link;
    if (!this.isOpen) return;
    const { status, word, sinceName, since, transport, ms } = this._parts;
    const now = Date.now() / 1000;
    status.dataset.status = link.status;
    write(word, t(link.status));
    write(sinceName, t(link.status === 'live' ? 'link_since' : 'link_lost_since'));
    write(since, link.since ? t('link_moment', { time: momentOf(link.since / 1000, now), age: ago(link.since / 1000, now) }) : '–');
    write(transport, TRANSPORTS[link.transport]?.label ?? '–');
    write(ms, link.roundTrip === null ? '–' : t('round_trip', { ms: inMilliseconds(link.roundTrip) }));
  }
}
