// The same words over Socket.IO, namespace `/panel`: `ask` with an ack, `events` with the frames.

let library = null;

/** Socket.IO's client is a classic script of 150 kB, so it is loaded by the first page that wants it. */
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

export function openSocketIO({ resume, name, received, closed }) {
  let socket = null;
  let given_up = false;

  loadLibrary().then((io) => {
    if (given_up) return;
    socket = io('/panel', {
      auth: { ...(name && { name }), ...resume },
      forceNew: true,
      reconnection: false, // Connection does that, the same way for every transport
      transports: ['websocket', 'polling'],
      tryAllTransports: true, // polling is for networks where a WebSocket cannot pass
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
      given_up = true;
      socket?.off();
      socket?.disconnect();
    },
  };
}
