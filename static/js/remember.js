// Small values in the storage of the browser. Where a browser has no storage, they are forgotten.

import { ROOT } from './root.js';

export function remembered(key, fallback = null, storage = 'localStorage') {
  try {
    return JSON.parse(window[storage].getItem(`pilotlight${ROOT}.${key}`)) ?? fallback;
  } catch {
    return fallback;
  }
}

export function remember(key, value, storage = 'localStorage') {
  try {
    window[storage].setItem(`pilotlight${ROOT}.${key}`, JSON.stringify(value));
  } catch {
    // no storage, as in private windows of some browsers
  }
}
