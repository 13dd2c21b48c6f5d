// The messages of this page that wait: sent in order, kept until the panel confirms them, never stored twice.
//
// The page gives each message an id. If the panel already has a message of this id, it answers with that message. So
// after a reconnect the page simply sends every message again that was not confirmed.

import { remember, remembered } from '../remember.js';
import { addressOf } from './state.js';

const TOO_FAST_PAUSE = 1000; // ms

export class Outbox {
  /** `ask(command)` and `dispatch(event)` are the page's; `pendingOf(key)` returns the waiting messages of a thread. */
  constructor({ ask, dispatch, pendingOf }) {
    this._ask = ask;
    this._dispatch = dispatch;
    this._pendingOf = pendingOf;
    this._sending = new Set();
  }

  say(key, msg, at) {
    const pending = { client_id: newId(), msg, at, state: 'waiting', problem: null };
    this._dispatch({ event: 'said', key, pending });
    this.send(key);
  }

  retry(key, client_id) {
    this._dispatch({ event: 'saying', key, client_id, state: 'waiting' });
    this.send(key);
  }

  /** Send the messages that wait in this thread, one after the other, so that they keep their order. */
  async send(key) {
    if (this._sending.has(key)) return;
    this._sending.add(key);
    try {
      for (let next = this._next(key); next; next = this._next(key)) {
        if (!(await this._sendOne(key, next))) break;
      }
    } finally {
      this._sending.delete(key);
    }
  }

  _next(key) {
    return this._pendingOf(key).find(({ state }) => state === 'waiting');
  }

  /** Send one message; returns whether to go on with the next. */
  async _sendOne(key, { client_id, msg }) {
    const become = (state, problem = null) => this._dispatch({ event: 'saying', key, client_id, state, problem });
    become('sending');
    const reply = await this._ask({ do: 'say', ...addressOf(key), msg, client_id });
    if (reply.ok) {
      this._dispatch({ event: 'message', message: reply.message });
      return true;
    }
    const lost = !reply.problem;
    const tooFast = reply.problem?.status === 429;
    become(lost || tooFast ? 'waiting' : 'refused', reply.problem);
    if (tooFast) await new Promise((resolve) => setTimeout(resolve, TOO_FAST_PAUSE));
    return !lost;
  }
}

/** The messages of this person that waited before a reload: `{key: [pending]}`. */
export function keptPending(me) {
  const kept = remembered('chat.pending', {}, 'sessionStorage');
  const again = (one) => (one.state === 'sending' ? { ...one, state: 'waiting' } : one);
  return Object.fromEntries(Object.entries(kept[me] ?? {}).map(([key, all]) => [key, all.map(again)]));
}

/** Store the messages that wait, if they have changed. */
export function keepPending(me, before, threads) {
  const waiting = waitingIn(threads);
  const waited = waitingIn(before);
  if (waiting.length === waited.length && waiting.every(({ pending }, at) => pending === waited[at].pending)) return;
  const kept = remembered('chat.pending', {}, 'sessionStorage');
  const mine = Object.fromEntries(waiting.map(({ key, pending }) => [key, pending]));
  remember('chat.pending', { ...kept, [me]: mine }, 'sessionStorage');
}

function waitingIn(threads) {
  return Object.values(threads).filter(({ pending }) => pending.length);
}

// crypto.randomUUID works only over https, and a panel at home has plain http.
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
