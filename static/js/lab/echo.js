// `ws /echo` with the browser's own WebSocket: what is sent comes back, and is compared with what was sent.
//
// `listen(event)` is told `raw` (the socket's status) and `echoed`; `log(entry)` what was said on it.

export class RawEcho {
  constructor({ listen, log }) {
    this._listen = listen;
    this._log = (entry) => log({ wire: 'websocket', via: '/echo', ...entry });
    this._socket = null;
    this._sent = []; // {data, at} not come back yet; the panel keeps the order
  }

  get status() {
    return ['opening', 'open', 'closing', 'closed'][this._socket?.readyState ?? WebSocket.CLOSED];
  }

  /** Open it, or take the one that is open; resolves once it is, and rejects when it cannot be. */
  open() {
    if (this.status === 'open' || this.status === 'opening') return this._opened;
    const began = performance.now();
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/echo`);
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

  /** Send a text, or the bytes of a Uint8Array; opens the socket where it is not. */
  async send(data) {
    try {
      await this.open();
    } catch {
      return; // the closing has been told
    }
    this._sent.push({ data, at: performance.now() });
    this._log({ kind: 'frame', direction: 'out', ...described(data) });
    this._socket.send(data);
  }

  /** Close it with this code; raises what the browser does at a code that a page may not use. */
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
