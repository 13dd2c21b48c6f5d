// The three ways to the panel, and which one this page was asked to use.

import { openREST } from './connection-rest.js';
import { openSocketIO } from './connection-socketio.js';
import { openWebSocket } from './connection-websocket.js';

export const TRANSPORTS = {
  websocket: { label: 'WebSocket', open: openWebSocket },
  socketio: { label: 'Socket.IO', open: openSocketIO },
  rest: { label: 'REST', open: openREST },
};

/** Those that bring what others do by themselves, messages and log lines too. */
export const SOCKETS = ['websocket', 'socketio'];

export function chosenTransport() {
  const wanted = new URLSearchParams(location.search).get('transport');
  return wanted in TRANSPORTS ? wanted : 'websocket';
}

/** For a page that needs a socket: who chose REST for the lights gets a WebSocket there. */
export function chosenSocket() {
  const chosen = chosenTransport();
  return SOCKETS.includes(chosen) ? chosen : 'websocket';
}

/** Keep the choice in the address, so that a bookmark or a reload has it. */
export function rememberTransport(transport) {
  const url = new URL(location.href);
  if (transport === 'websocket') url.searchParams.delete('transport');
  else url.searchParams.set('transport', transport);
  history.replaceState(null, '', url);
}
