// The transport over Socket.IO, namespace `/panel`: `ask` with an ack for commands, `events` for frames.

import { ROOT } from './root.js';

let library = null;

/** Load the client of Socket.IO when it is needed: it is a classic script of 150 kB. */
function loadLibrary() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = '/static/socket.io.js';
    script.onload = () => resolve(window.io);
    script.onerror = () => {
      script.remove();
      library = null;
      reject(new Error('socket.io.js did not load'));
    };
    document.head.append(script);
  });
  return library;
}

export function openSocketIO({ resume, name, follow, received, closed }) {
  let socket = null;
  let abandoned = false;

  loadLibrary().then((io) => {
    if (abandoned) return;
    socket = io('/panel', {
      auth: { ...(name && { name }), ...(follow.length && { follow }), ...resume },
      path: `${ROOT}/socket.io`,
      forceNew: true,
      reconnection: false, // Connection does this for every transport
      transports: ['websocket', 'polling'],
      tryAllTransports: true, // polling is for networks that block WebSockets
    });
    socket.on('events', received);
    socket.on('connect_error', (error) => closed({ refused: error.data ?? null })); // its data is the problem
    socket.on('disconnect', () => closed({}));
  }, () => closed({}));

  return {
    exchange(command) {
      return new Promise((resolve) => {
        socket.emit('ask', command, (answer) => resolve('ok' in answer ? answer : { ok: false, problem: answer }));
      });
    },
    close() {
      abandoned = true;
      socket?.off();
      socket?.disconnect();
    },
  };
}
