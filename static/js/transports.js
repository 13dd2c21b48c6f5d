// The three transports to the panel, and the one that the address of the page names.

import { openREST } from './connection-rest.js';
import { openSocketIO } from './connection-socketio.js';
import { openWebSocket } from './connection-websocket.js';

export const TRANSPORTS = {
  websocket: { label: 'WebSocket', open: openWebSocket },
  socketio: { label: 'Socket.IO', open: openSocketIO },
  rest: { label: 'REST', open: openREST },
};

/** The transports that push events, messages and log lines too. */
export const SOCKETS = ['websocket', 'socketio'];

/** The transport in the address if the page can use it, else WebSocket; `usable` are names of TRANSPORTS. */
export function chosenTransport(usable) {
  const wanted = new URLSearchParams(location.search).get('transport');
  return usable.includes(wanted) ? wanted : 'websocket';
}

/** Keep the choice in the address, so that a bookmark or a reload has it. */
export function rememberTransport(transport) {
  const url = new URL(location.href);
  if (transport === 'websocket') url.searchParams.delete('transport');
  else url.searchParams.set('transport', transport);
  history.replaceState(null, '', url);
}
