// A connection to the panel over any transport: it connects, pings, notices a break, and connects again.
//
// A transport is one function, `open({ resume, name, follow, wants, received, closed })`, that returns a wire:
//   exchange(command)  a promise of the reply, which never rejects: after a fault it is LOST
//   close()            close it; no callback comes after this
//   pace               optional: milliseconds between two pings (REST polls with its pings)
// It calls `received(frame)` for each frame of the server and `closed({ restarting, refused })` when it breaks.
// `refused` is the problem if the panel did not accept this page.

const PACE = 2000; // ms between two pings
const FIRST_PAUSE = 300; // ms
const LAST_PAUSE = 5000;
const ANSWER_WITHIN = 5000; // ms; without an answer for so long the connection counts as lost, whatever TCP says
const CONNECT_WITHIN = 20_000; // ms; the most that an attempt gets. The first one gets ANSWER_WITHIN, each further one twice as much
const WAKE_WITHIN = 2000; // ms; the same for a page that just became visible: somebody waits
const SETTLED = 250; // ms from the connection to the first ping
const OFFLINE_AFTER = 4; // attempts that failed in a row before "reconnecting" is called "offline"

/** The reply to a command whose connection broke: it may have been done or not. */
export const LOST = { ok: false, problem: null };

export class Connection {
  /**
   * `listen(event)` gets the events for the reducer. `resume()` returns `{epoch, rev}` of the page's state, or null.
   * `follow()` returns the names of the nodes whose lights the page gets; none: all. `wants` names more lists of the state.
   * `pace` is the pause between two pings in milliseconds; without it, that of the wire, or PACE.
   */
  constructor({
    transport,
    open,
    listen,
    connecting = () => {},
    resume = () => null,
    name = () => '',
    follow = () => [],
    wants = [],
    pace = null,
  }) {
    this.transport = transport;
    this.pace = pace;
    this.live = false;
    this._open = open;
    this._listen = listen;
    this._connecting = connecting;
    this._resume = resume;
    this._name = name;
    this._follow = follow;
    this._wants = wants;
    this._seen = null; // epoch and the highest revision of the frames so far
    this._wire = null;
    this._turn = 0;
    this._attempts = 0;
    this._began = 0; // when the last attempt to connect did
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
    // A browser that keeps the page for its button Back keeps none with an open connection, or ends that without a word.
    addEventListener('pagehide', () => this._hangUp(), { signal });
    addEventListener('pageshow', ({ persisted }) => persisted && this._comeBack(), { signal });
    this._say('connecting');
    this._connect();
  }

  stop() {
    this._leave.abort();
    this._hangUp();
    clearTimeout(this._timers.retry);
  }

  /** Send a command; returns a promise of the reply, which never rejects: it is LOST if the connection breaks. */
  ask(command) {
    if (!this.live) return Promise.resolve(LOST);
    return new Promise((resolve) => {
      this._asking.add(resolve);
      const wire = this._wire;
      wire.exchange(command).then((reply) => {
        this._asking.delete(resolve);
        if (wire === this._wire) this._isAlive();
        resolve(reply);
        if (wire === this._wire && wire.pace && command.do !== 'ping') this._beatIn(this._pause());
      });
    });
  }

  /** Connect now, not at the end of the pause; and anew if the attempt that is under way had its first patience. */
  retry() {
    if (this.live || (this._wire && performance.now() - this._began < ANSWER_WITHIN)) return;
    this._hangUp();
    this._connect();
  }

  _connect() {
    clearTimeout(this._timers.retry);
    this._connecting();
    // Drop callbacks of a wire that was closed: they must not change its successor.
    const turn = (this._turn += 1);
    const mine = (act) => (value) => turn === this._turn && act(value);
    this._wire = this._open({
      resume: this._resumeFrom(this._resume()),
      name: this._name(),
      follow: this._follow(),
      wants: this._wants,
      received: mine((frame) => this._received(frame)),
      closed: mine((why) => this._broke(why)),
    });
    this._began = performance.now();
    // A network that is slow to connect would never connect if each attempt ended after the same time.
    this._expect(Math.min(ANSWER_WITHIN * 2 ** this._attempts, CONNECT_WITHIN));
  }

  /** The revision of the page or of the last frame, whichever is newer. */
  _resumeFrom(known) {
    if (!known || known.epoch !== this._seen?.epoch) return known;
    return { epoch: known.epoch, rev: Math.max(known.rev, this._seen.rev) };
  }

  /** Note the revision of a frame. One with only messages or log lines has none: they have their own numbers. */
  _noteRevision({ epoch, rev, state }) {
    if (state || epoch !== this._seen?.epoch) this._seen = { epoch, rev: rev ?? 0 };
    else this._seen = { epoch, rev: Math.max(this._seen.rev, rev ?? 0) };
  }

  _received(frame) {
    this._noteRevision(frame);
    if (frame.state) this._listen({ event: 'snapshot', ...frame });
    else for (const event of frame.events) this._listen(event);
    if (this.live) return this._isAlive();
    this.live = true;
    this._attempts = 0;
    this._restarting = false;
    this._say('live', { restarting: false, refused: false });
    this._unexpect();
    this._beatIn(SETTLED); // not at once: it would measure the first drawing of the page
  }

  /** Ping, and again after a pause. A hidden page does not ping. */
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
    this._timers.deadline = null;
  }

  /** Something arrived: an answer that is still missing is late, behind much else, and not lost. */
  _isAlive() {
    if (this.live && this._timers.deadline) this._expect(ANSWER_WITHIN);
  }

  _broke({ restarting = false, refused = null }) {
    if (!this._wire) return;
    this._hangUp();
    if (refused) dispatchEvent(new CustomEvent('pilotlight:refused', { detail: refused }));
    // After a refusal somebody must sign in, so quick retries do not help.
    const longest = refused ? LAST_PAUSE : Math.min(FIRST_PAUSE * 2 ** this._attempts, LAST_PAUSE);
    const pause = longest * (0.5 + Math.random() / 2); // jitter, so that a hundred screens do not reconnect at the same moment
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

  /** The page was left, and somebody came back to it. */
  _comeBack() {
    this._say('connecting');
    this._connect();
  }

  /** The network is back, or the page is visible again: check the connection now. */
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
