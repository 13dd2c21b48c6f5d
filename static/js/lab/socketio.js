// The stock Socket.IO client on the default namespace, and everything that it sends and receives.
//
// `listen(event)` gets the changes of the connection (connecting, opened, upgraded, connected, lost, round_trip, left);
// `log(entry)` gets each message.

import { ROOT } from '../root.js';

export const CHOICES = { auto: ['polling', 'websocket'], polling: ['polling'], websocket: ['websocket'] };

const PACE = 1000; // ms between two pings
const PINGS = new Set(['my_ping', 'my_pong']);
const OFFSET = '_offset'; // tells the library where to go on after a break
const CLOSING = /^Room (.*) is closing\.$/s;

export class SocketIO {
  constructor({ listen, log }) {
    this._listen = listen;
    this._log = (entry) => log({ wire: 'socketio', via: this._transport(), ...entry });
    this._socket = null;
    this._pinged = null; // when the current ping was sent; 0 if its time is not to be shown
    setInterval(() => this._ping(), PACE);
  }

  get connected() {
    return Boolean(this._socket?.connected);
  }

  get sid() {
    return this._socket?.id;
  }

  /** Connect over the transports of this choice, and end the connection before. */
  connect(choice) {
    this._socket?.off().offAny();
    this._socket?.disconnect();
    this._listen({ event: 'connecting', choice });
    this._began = performance.now();
    const socket = window.io('/', {
      path: `${ROOT}/socket.io`,
      forceNew: true, // the library would reuse the connection of the last choice
      transports: CHOICES[choice],
      reconnectionDelay: 500,
      reconnectionDelayMax: 4000,
    });
    this._socket = socket;
    this._watchEngine();
    socket.io.on('reconnect_attempt', () => {
      this._began = performance.now();
      queueMicrotask(() => this._watchEngine()); // the library makes the new engine right after this event
    });
    socket.on('connect', () => this._connected());
    socket.on('connect_error', (error) => {
      this._log({ kind: 'life', name: 'connect_error', payload: [error.message], bad: true });
      this._listen({ event: 'lost', reason: error.message, coming_back: socket.active });
    });
    socket.on('disconnect', (reason) => this._lost(reason));
    socket.onAny((event, ...args) => {
      if (event !== OFFSET) this._heard(event, args);
    });
  }

  /** End the connection from this side. */
  disconnect() {
    this._socket?.disconnect();
    if (!this._socket?.active) this._listen({ event: 'lost', reason: 'io client disconnect', coming_back: false });
  }

  /** Send an event; resolves with its ack, `{args, ms, problem}`. */
  emit(event, ...args) {
    const began = performance.now();
    this._log({ kind: 'event', direction: 'out', name: event, payload: args });
    return new Promise((resolve) => {
      this._socket.emit(event, ...args, (...answer) => {
        const ms = performance.now() - began;
        const bad = isProblem(answer[0]);
        this._log({ kind: 'ack', direction: 'in', name: `ack ${event}`, payload: answer, ms, bad });
        resolve({ args: answer, ms, problem: bad ? answer[0] : null });
      });
    });
  }

  // --- what is received ------------------------------------------------------------------------------------

  _heard(event, args) {
    const acknowledge = typeof args.at(-1) === 'function' ? args.pop() : null;
    const ping = PINGS.has(event);
    const ms = event === 'my_pong' && this._pinged ? performance.now() - this._pinged : undefined;
    this._log({ kind: ping ? 'ping' : 'event', direction: 'in', name: event, payload: args, ms });
    if (event === 'my_pong') this._pinged = null;
    if (ms !== undefined) this._listen({ event: 'round_trip', ms });
    const closed = event === 'my_response' && CLOSING.exec(args[0]?.data);
    if (closed) this._listen({ event: 'left', room: closed[1] });
    if (acknowledge) {
      this._log({ kind: 'ack', direction: 'out', name: `ack ${event}`, payload: [] });
      acknowledge();
    }
  }

  _ping() {
    if (!this.connected || this._pinged !== null) return;
    this._pinged = performance.now();
    this._log({ kind: 'ping', direction: 'out', name: 'my_ping', payload: [] });
    this._socket.emit('my_ping');
  }

  // --- what the connection does ----------------------------------------------------------------------------

  _connected() {
    const ms = performance.now() - this._began;
    const recovered = Boolean(this._socket.recovered);
    this._pinged = null;
    this._log({ kind: 'life', name: 'connect', payload: [{ sid: this.sid, recovered }], ms });
    this._listen({ event: 'connected', sid: this.sid, ms, recovered });
    this._ping();
  }

  _lost(reason) {
    this._pinged = null;
    this._log({ kind: 'life', name: 'disconnect', payload: [reason] });
    this._listen({ event: 'lost', reason, coming_back: this._socket.active });
  }

  /** Follow a new Engine.IO connection: its packets, its first transport, and its change to another. */
  _watchEngine() {
    const { engine } = this._socket.io;
    if (!engine || engine === this._engine) return;
    this._engine = engine;
    // One that was left may still change to a WebSocket, and ends only then.
    const on = (event, hear) => engine.on(event, (...args) => engine === this._engine && hear(...args));
    const packet = (direction) => (packet) =>
      this._log({ kind: 'packet', direction, via: engine.transport?.name, packet });
    on('packetCreate', packet('out'));
    on('packet', packet('in'));
    on('handshake', () => this._listen({ event: 'opened', transport: engine.transport.name }));
    on('upgrading', (transport) => {
      this._log({ kind: 'life', name: 'upgrading', payload: [`${engine.transport.name} → ${transport.name}`] });
    });
    on('upgrade', (transport) => {
      const ms = performance.now() - this._began;
      this._log({ kind: 'life', name: 'upgrade', via: transport.name, payload: [`now ${transport.name}`], ms });
      this._listen({ event: 'upgraded', transport: transport.name, ms });
      if (this._pinged !== null) this._pinged = 0; // half of it went over the other transport
      else this._ping();
    });
    on('upgradeError', (error) => {
      this._log({ kind: 'life', name: 'upgradeError', payload: [error.message], bad: true });
    });
  }

  _transport() {
    return this._socket?.io.engine?.transport?.name;
  }
}

/** Whether an ack is a problem (RFC 9457). */
function isProblem(answer) {
  return String(answer?.type).startsWith('urn:pilotlight:problem:');
}
