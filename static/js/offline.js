// The service worker, which opens the pages without a network, and says so where a browser has none.

import { ROOT } from './root.js';

/** Why this browser cannot keep the pages, as a word; null where it can: only over https and on the machine itself. */
export function cannotKeep() {
  if (!isSecureContext) return 'http';
  return 'serviceWorker' in navigator ? null : 'browser';
}

const REST = 3000; // ms

/** What waits until the page has nothing to do, or until it should have been drawn. Safari cannot say the first. */
const later = (act) => (window.requestIdleCallback ? requestIdleCallback(act, { timeout: REST }) : setTimeout(act, REST));

/**
 * Have the browser keep the pages, once this one is drawn: WebKit's service worker works in the process that draws.
 * A browser refuses that where nobody trusts the certificate: the event `pilotlight:not-kept`.
 */
export function keepPages() {
  if (cannotKeep()) return;
  const register = () => navigator.serviceWorker.register('/static/js/service-worker.js', { scope: `${ROOT}/` });
  const refused = ({ name }) => name === 'SecurityError' && dispatchEvent(new Event('pilotlight:not-kept'));
  addEventListener('load', () => later(() => register().catch(refused)));
}
