// One live connection to the panel, whatever the transport: it comes up, is watched, breaks, and comes back.
//
// A transport is one function, `open({ resume, name, received, closed })`, that returns a wire:
//   exchange(command)  a promise of the reply, which never rejects: a fault is LOST, or a reply with a problem
//   close()            hang up; nothing is called back after this
//   pace               optional: milliseconds between two pings, where the wire wants its own (REST polls with them)
// `received(frame)` takes the server's frames, `closed({ restarting, refused })` says that the wire broke; `refused` is the
// problem where the panel did not let this page in.

const PACE = 2000; // ms between two pings
const FIRST_PAUSE = 300; // ms
const LAST_PAUSE = 5000;
const ANSWER_WITHIN = 5000; // a connection that says nothing for so long is dead, whatever TCP believes
const WAKE_WITHIN = 2000; // the same, on a phone that was just unlocked: someone is waiting
const SETTLED = 250; // ms after the connection is up
const OFFLINE_AFTER = 4; // attempts that failed in a row before "reconnecting" is called "offline"

/** The reply to what the connection broke under: done or not, nobody knows. */
export const LOST = { ok: false, problem: null };

/** Since when there is no connection, in ms since the Unix epoch, or 0; `since` is what it was before this status. */
export function lostSince(since, status) {
  if (status === 'live') return 0;
  return since || (status === 'connecting' ? 0 : Date.now());
}

export class Connection {
  /**
   * `listen(event)` gets events for the reducer; `resume()` says `{epoch, rev}` of the last thing seen, or null;
   * `pace` is the pause between two pings, in milliseconds; without one it is the wire's own, else PACE.
   */
  constructor({ transport, open, listen, resume = () => null, name = () => '', pace = null }) {
    this.transport = transport;
    this.pace = pace;
    this.live = false;
    this._open = open;
    this._listen = listen;
    this._resume = resume;
    this._name = name;
    this._seen = null; // epoch and the highest revision of the frames so far
    this._wire = null;
    this._turn = 0;
    this._attempts = 0;
    this._restarting = false;
    this._asking = new Set();
    this._timers = {};
  }

  start() {
    this._leave = new AbortController();
    const { signal } = this._leave;
    addEventListener('online', () => this._hurry(), { signal });
    addEventListener('offline', () => this._broke({}), { signal });
    document.addEventListener('visibilitychange', () => document.hidden || this._hurry(), { signal });
    this._say('connecting');
    this._connect();
  }

  stop() {
    this._leave.abort();
    this._hangUp();
    clearTimeout(this._timers.retry);
  }

  /** Ask the panel. Never rejects: a connection that breaks meanwhile is a reply too. */
  ask(command) {
    if (!this.live) return Promise.resolve(LOST);
    return new Promise((resolve) => {
      this._asking.add(resolve);
      const wire = this._wire;
      wire.exchange(command).then((reply) => {
        this._asking.delete(resolve);
        resolve(reply);
        if (wire === this._wire && wire.pace && command.do !== 'ping') this._beatIn(this._pause());
      });
    });
  }

  /** Try now rather than at the end of the pause. */
  retry() {
    if (!this._wire) this._connect();
  }

  _connect() {
    clearTimeout(this._timers.retry);
    // Callbacks of a wire that was given up must not touch its successor.
    const turn = (this._turn += 1);
    const mine = (act) => (value) => turn === this._turn && act(value);
    this._wire = this._open({
      resume: this._resumeFrom(this._resume()),
      name: this._name(),
      received: mine((frame) => this._received(frame)),
      closed: mine((why) => this._broke(why)),
    });
    this._expect(ANSWER_WITHIN);
  }

  /** From the page's revision or the last frame's, whichever is newer: what was heard is not asked for again. */
  _resumeFrom(known) {
    if (!known || known.epoch !== this._seen?.epoch) return known;
    return { epoch: known.epoch, rev: Math.max(known.rev, this._seen.rev) };
  }

  /** Messages and log lines have numbers of their own: a frame with nothing else in it has no revision. */
  _noteRevision({ epoch, rev, state }) {
    if (state || epoch !== this._seen?.epoch) this._seen = { epoch, rev: rev ?? 0 };
    else this._seen = { epoch, rev: Math.max(this._seen.rev, rev ?? 0) };
  }

  _received(frame) {
    this._noteRevision(frame);
    if (frame.state) this._listen({ event: 'snapshot', ...frame });
    else for (const event of frame.events) this._listen(event);
    if (this.live) return;
    this.live = true;
    this._attempts = 0;
    this._restarting = false;
    this._say('live', { restarting: false, refused: false });
    this._unexpect();
    this._beatIn(SETTLED); // a ping while the page draws itself for the first time would measure the drawing
  }

  /** Ping, and again after a pause; a hidden page need not know its round trip. */
  async _beat(within = ANSWER_WITHIN) {
    clearTimeout(this._timers.beat);
    if (!this.live || document.hidden) return this._unexpect();
    const wire = this._wire;
    const asked = performance.now();
    this._expect(within);
    const reply = await this.ask({ do: 'ping' });
    if (wire !== this._wire || !reply.ok) return;
    this._unexpect();
    this._listen({ event: 'round_trip', ms: performance.now() - asked });
    this._beatIn(this._pause());
  }

  _pause() {
    return this.pace ?? this._wire.pace ?? PACE;
  }

  _beatIn(pause) {
    clearTimeout(this._timers.beat);
    this._timers.beat = setTimeout(() => this._beat(), pause);
  }

  _expect(within) {
    clearTimeout(this._timers.deadline);
    this._timers.deadline = setTimeout(() => this._broke({}), within);
  }

  _unexpect() {
    clearTimeout(this._timers.deadline);
  }

  _broke({ restarting = false, refused = null }) {
    if (!this._wire) return;
    this._hangUp();
    if (refused) dispatchEvent(new CustomEvent('pilotlight:refused', { detail: refused }));
    // Who is refused needs a person who signs in; asking again and again would not help.
    const longest = refused ? LAST_PAUSE : Math.min(FIRST_PAUSE * 2 ** this._attempts, LAST_PAUSE);
    const pause = longest * (0.5 + Math.random() / 2); // jitter: a hundred screens must not come back as one
    this._attempts += 1;
    this._restarting ||= restarting;
    const offline = refused || !navigator.onLine || this._attempts > OFFLINE_AFTER;
    this._say(offline ? 'offline' : 'reconnecting', {
      restarting: this._restarting && !offline,
      refused: refused !== null,
      retryAt: Date.now() + pause,
    });
    this._timers.retry = setTimeout(() => this._connect(), pause);
  }

  _hangUp() {
    const wire = this._wire;
    this._wire = null;
    this._turn += 1;
    this.live = false;
    clearTimeout(this._timers.beat);
    this._unexpect();
    wire?.close();
    const asking = [...this._asking];
    this._asking.clear();
    for (const resolve of asking) resolve(LOST);
  }

  /** The network is back, or somebody looks at the page again. */
  _hurry() {
    if (this.live) this._beat(WAKE_WITHIN);
    else this.retry();
  }

  _say(status, more = {}) {
    const link = { status, transport: this.transport, retryAt: null, ...more };
    if (status !== 'live') link.roundTrip = null;
    this._listen({ event: 'link', link });
  }
}
