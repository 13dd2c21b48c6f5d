// The connection mark of a page: how the connection is, over which transport, and how long an answer takes.

import { TRANSPORTS } from '../transports.js';
import { t } from '../words.js';
import { write } from './dom.js';

export function renderMark(mark, { status, transport, roundTrip }) {
  const ms = status === 'live' && roundTrip !== null ? inMilliseconds(roundTrip) : null;
  const label = TRANSPORTS[transport]?.label ?? '';
  mark.dataset.status = status;
  write(mark.querySelector('.mark-status'), t(status));
  write(mark.querySelector('.mark-ms'), ms === null ? '' : t('round_trip', { ms }));
  mark.setAttribute('aria-label', t('link_label', { status: t(status), transport: label, ms }));
  mark.title = label;
}

/** 0.4, 3.2, 48: as many digits as tell something. */
export function inMilliseconds(ms) {
  return ms < 10 ? ms.toFixed(1) : Math.round(ms).toString();
}
