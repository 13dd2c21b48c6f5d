// The changes that this page wants for one light or one group, sent no faster than the panel answers.
//
// A drag makes a hundred wishes a second. One command is in flight at a time, and two are at least 50 ms apart. Wishes
// that come meanwhile become one, and the last one is always sent. The page shows the wish (`held`) until the panel has
// answered, then the real state again. The lights of a group come with their events, so a group waits for those too.

const APART = 50; // ms
const GESTURE = 2000; // ms; steps down that are closer, as of a held key, are one gesture
const EVENTS_WITHIN = 1500; // ms; a page that follows some nodes does not get all events of a group

export class Wishes {
  /**
   * `target` is `{light: id}` or `{group: id}`. `took(reply)` is called with each reply, refusals too. `seen()` returns
   * the revision of the page, `look()` what it shows of the light or group: `{level, on}`. The level is kept while it is off.
   */
  constructor(target, { ask, dispatch, took, seen, look }) {
    this._target = target;
    this._ask = ask;
    this._dispatch = dispatch;
    this._took = took;
    this._seen = seen;
    this._look = look;
    this._from = 100; // the level before this gesture
    this._moved = -Infinity;
    this._falling = false;
    this._next = null;
    this._asking = false;
    this._timer = null;
    this._sent = -Infinity;
    this._inHand = false;
    this._until = null; // the revision up to which events are waited for
    this._waiting = null;
  }

  /** Change the light or group. `look` is what the page shows meanwhile: `{level, on, effect}`, those that change. */
  want(verbs, look) {
    this._dispatch({ event: 'held', ...this._target, look });
    this._next = joined(this._next, verbs);
    this._send();
  }

  /** Go to this level (percent) with the effect, as a level alone would end it. 0 is off: on is then as before the gesture. */
  wantLevel(level, effect = null, fade = 0) {
    const [now, last] = [performance.now(), this._look().level];
    const goesOn = this._falling && now < this._moved + GESTURE;
    if (!this._inHand && !goesOn) this._from = last;
    this._moved = now;
    this._falling = level < last;
    if (level === 0) return this._off({ level: this._from });
    const look = { level: Math.min(Math.max(level, 0), 100), on: true };
    this.want(faded(effect ? { level, effect } : { level }, fade), look);
  }

  wantOn(on, fade = 0) {
    if (on) this.want(faded({ on }, fade), { on, level: this._look().level });
    else this._off();
  }

  /** Off is at once, whatever the fade. */
  _off(verbs = {}) {
    this.want({ ...verbs, on: false }, { ...verbs, on: false, effect: null });
  }

  /** Somebody holds the slider: it does not show the changes of others until it is released. */
  grab() {
    const look = this._look();
    this._inHand = true;
    this._from = look.level;
    this._dispatch({ event: 'held', ...this._target, look });
  }

  letGo() {
    this._inHand = false;
    this._settle();
  }

  /** The page has more events than before. */
  caughtUp() {
    if (this._until === null || this._seen() < this._until) return;
    this._awaitEvents(null);
    this._settle();
  }

  /** The connection is lost: no answer will come. */
  forget() {
    this._next = null;
    this._inHand = false;
    clearTimeout(this._timer);
    this._timer = null;
    this._awaitEvents(null);
    this._settle();
  }

  _send() {
    if (this._asking || this._timer || !this._next) return;
    const wait = this._sent + APART - performance.now();
    if (wait > 0) {
      this._timer = setTimeout(() => {
        this._timer = null;
        this._send();
      }, wait);
      return;
    }
    const verbs = this._next;
    this._next = null;
    this._asking = true;
    const reply = this._ask({ do: 'set_light', ...this._target, ...verbs });
    this._sent = performance.now(); // once it is sent: a busy browser may have taken some ms over it
    reply.then((answer) => this._answered(answer));
  }

  _answered(reply) {
    this._asking = false;
    if (!reply.ok) this._next = null; // do not send a refused change again; the control shows the real state
    this._took(reply);
    if (this._target.group !== undefined && reply.rev > this._seen()) this._awaitEvents(reply.rev);
    this._send();
    this._settle();
  }

  _awaitEvents(rev) {
    clearTimeout(this._waiting);
    this._until = rev;
    if (rev === null) return;
    this._waiting = setTimeout(() => {
      this._until = null;
      this._settle();
    }, EVENTS_WITHIN);
  }

  _settle() {
    const done = !this._inHand && !this._asking && !this._next && this._until === null;
    if (done) this._dispatch({ event: 'released', ...this._target });
  }
}

export function faded(verbs, seconds) {
  return seconds ? { ...verbs, transition: seconds } : verbs;
}

/** Two wishes as one command: the newer one, and what it does not change of the older one. */
function joined(older, newer) {
  const verbs = { ...older, ...newer };
  if (!('on' in newer) && ('level' in newer || 'effect' in newer)) delete verbs.on; // they turn the light on
  if (newer.on === false) {
    delete verbs.effect; // an effect needs the light on
    delete verbs.transition;
  }
  return verbs;
}
