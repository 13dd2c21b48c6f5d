// The changes that this page wants for one light, sent no faster than the panel answers.
//
// A drag makes a hundred wishes a second. One command is in flight at a time, and two are at least 50 ms apart. Wishes
// that come meanwhile become one, and the last one is always sent. The page shows the wish (`held`) until the panel has
// answered, then the real state again.

const APART = 50; // ms

export class Wishes {
  constructor(light, { ask, dispatch, refuse }) {
    this._light = light;
    this._ask = ask;
    this._dispatch = dispatch;
    this._refuse = refuse;
    this._next = null;
    this._asking = false;
    this._timer = null;
    this._sent = -Infinity;
    this._inHand = false;
  }

  /** Change the light. `look` is what the page shows meanwhile: `{level, on, effect}`, those that change. */
  want(verbs, look) {
    this._dispatch({ event: 'held', light: this._light, look });
    this._next = joined(this._next, verbs);
    this._send();
  }

  /** Somebody holds the slider: it does not show the changes of others until it is released. */
  grab() {
    this._inHand = true;
  }

  letGo() {
    this._inHand = false;
    this._settle();
  }

  /** The connection is lost: no answer will come. */
  forget() {
    this._next = null;
    this._inHand = false;
    clearTimeout(this._timer);
    this._timer = null;
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
    const reply = this._ask({ do: 'set_light', light: this._light, ...verbs });
    this._sent = performance.now(); // once it is sent: a busy browser may have taken some ms over it
    reply.then((answer) => this._answered(answer));
  }

  _answered(reply) {
    this._asking = false;
    if (reply.ok) {
      this._dispatch({ event: 'own', light: reply.light, rev: reply.rev });
    } else {
      this._next = null; // do not send a refused change again; the control shows the real state
      this._refuse(reply.problem);
    }
    this._send();
    this._settle();
  }

  _settle() {
    if (!this._inHand && !this._asking && !this._next) this._dispatch({ event: 'released', light: this._light });
  }
}

/** Two wishes as one command: the newer one, and what it does not change of the older one. */
function joined(older, newer) {
  const verbs = { ...older, ...newer };
  if (!('on' in newer) && ('level' in newer || 'effect' in newer)) delete verbs.on; // they turn the light on
  if (newer.on === false) delete verbs.effect; // an effect needs the light on
  return verbs;
}
