// A WebSocket to `/echo`: each frame comes back and is compared with the one that was sent.
//
// `listen(event)` gets `raw` (the status of the socket) and `echoed`; `log(entry)` gets each frame.

import { ROOT } from '../root.js';

export class RawEcho {
  constructor({ listen, log }) {
    this._listen = listen;
    this._log = (entry) => log({ wire: 'websocket', via: '/echo', ...entry });
    this._socket = null;
    this._sent = []; // {data, at} of frames that are not back yet, in order
  }

  get status() {
    return ['opening', 'open', 'closing', 'closed'][this._socket?.readyState ?? WebSocket.CLOSED];
  }

  /** Open the socket if it is not open; resolves once it is open, rejects if that fails. */
  open() {
    if (this.status === 'open' || this.status === 'opening') return this._opened;
    const began = performance.now();
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${ROOT}/echo`);
    socket.binaryType = 'arraybuffer';
    this._socket = socket;
    this._sent = [];
    this._listen({ event: 'raw', status: 'opening' });
    socket.addEventListener('message', ({ data }) => this._came(data));
    socket.addEventListener('close', ({ code, reason, wasClean }) => {
      if (socket !== this._socket) return;
      this._log({ kind: 'life', name: 'close', payload: [{ code, reason, wasClean }], bad: code !== 1000 });
      this._listen({ event: 'raw', status: 'closed', code, reason });
    });
    this._opened = new Promise((resolve, reject) => {
      socket.addEventListener('close', reject);
      socket.addEventListener('open', () => {
        this._log({ kind: 'life', name: 'open', payload: [], ms: performance.now() - began });
        this._listen({ event: 'raw', status: 'open' });
        resolve();
      });
    });
    return this._opened;
  }

  /** Send a text or the bytes of a Uint8Array; opens the socket if needed. */
  async send(data) {
    try {
      await this.open();
    } catch {
      return; // the close event has told why
    }
    this._sent.push({ data, at: performance.now() });
    this._log({ kind: 'frame', direction: 'out', ...described(data) });
    this._socket.send(data);
  }

  /** Close the socket with this code; throws if a page may not use the code. */
  close(code) {
    this._socket.close(code, 'the lab');
    this._listen({ event: 'raw', status: 'closing' });
  }

  _came(data) {
    const came = typeof data === 'string' ? data : new Uint8Array(data);
    const { data: sent, at } = this._sent.shift() ?? {};
    const ms = performance.now() - at;
    const same = equal(sent, came);
    this._log({ kind: 'frame', direction: 'in', ...described(came), ms, bad: !same });
    this._listen({ event: 'echoed', type: typeof data === 'string' ? 'text' : 'binary', bytes: size(came), ms, same });
  }
}

function described(data) {
  return { name: typeof data === 'string' ? 'text' : 'binary', payload: [data], bytes: size(data) };
}

function size(data) {
  return typeof data === 'string' ? new TextEncoder().encode(data).length : data.byteLength;
}

function equal(sent, came) {
  if (typeof sent === 'string' || typeof came === 'string') return sent === came;
  return sent.byteLength === came.byteLength && sent.every((byte, index) => byte === came[index]);
}
