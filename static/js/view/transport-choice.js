// The row of transports in the settings: the one that is chosen is used at once, and kept in the address.

import { TRANSPORTS, rememberTransport } from '../transports.js';
import { Choice } from './choice.js';

/** `names` are the transports that the page can use; `connect(transport)` is called with the one somebody chose. */
export function transportChoice(names, connect) {
  return new Choice(
    document.getElementById('transports'),
    names.map((value) => ({ value, label: TRANSPORTS[value].label })),
    (transport) => {
      rememberTransport(transport);
      connect(transport);
    },
  );
}
