// The name of this device.

import { remembered } from '../remember.js';

export function deviceName() {
  return remembered('name', '');
}

/** The name as the panel writes it: NFC, and one space for each white space. */
export function inOrder(name) {
  return name.normalize('NFC').trim().replace(/\s+/gu, ' ');
}
