// The transport over plain HTTP: each command is a request; polling shows what others do.

import { learnFrom } from './clock.js';
import { LOST } from './connection.js';
import { nodeOf } from './page-state.js';
import { LISTS, PATHS, requestOf, wholeReply } from './rest-requests.js';
import { ROOT } from './root.js';

const CALM = 1000; // ms between two polls
const MOVING = 200; // ms, while a fade or an effect runs

export function openREST({ name, follow, wants, received, closed }) {
  const gone = new AbortController();
  let seen = null; // epoch and rev of the last answer
  let answered = 0; // commands answered so far
  let kept = { mark: null, state: {}, at: -CALM, of: 0 }; // the lists of the last answers, and since which command

  async function call(method, path, body) {
    const url = new URL(ROOT + path, location.href);
    if (name) url.searchParams.set('name', name); // a header cannot carry 名字
    const response = await fetch(url, {
      method,
      cache: 'no-store',
      signal: gone.signal,
      ...(body && { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
    });
    learnFrom(response); // no event tells when the panel's clock changes, so read it from each answer
    return { ok: response.ok, data: await response.json() };
  }

  async function look() {
    const before = answered;
    const { ok, data } = await call('GET', '/lights');
    if (!ok) {
      closed({ refused: data });
      return LOST;
    }
    const mark = `${data.epoch} ${data.rev}`;
    const lists = mark === seen ? kept : await listed(mark);
    // A poll that began before the answer to a command may have the old state: wait for the next one.
    if (before === answered && mark !== seen) {
      if (lists.mark === mark) seen = mark;
      const lights = Object.entries(data.lights).filter(([id]) => !follow.length || follow.includes(nodeOf(id)));
      const nodes = [...new Set(Object.keys(data.lights).map(nodeOf))].filter(Boolean).sort();
      const state = { lights: Object.fromEntries(lights), hardware: data.hardware, nodes, ...lists.state };
      received({ epoch: data.epoch, rev: data.rev, state });
      const moving = Object.values(data.lights).some((light) => light.transition || light.effect);
      wire.pace = moving ? MOVING : CALM;
    }
    return { ok: true, rev: data.rev };
  }

  /** The other lists of the state, at most once in CALM: while lights move, each poll has another revision. */
  async function listed(mark) {
    if (!wants.length) return { ...kept, mark };
    if (kept.of === answered && performance.now() - kept.at < CALM) return kept;
    const of = answered;
    const answers = await Promise.all(wants.map((word) => call('GET', PATHS[word] ?? `/${word}`)));
    // A front of a home whose keeper is away has none.
    const state = wants.map((word, n) => [word, answers[n].ok ? LISTS[word](answers[n].data) : {}]);
    return (kept = { mark, state: Object.fromEntries(state), at: performance.now(), of });
  }

  async function change(command) {
    const { ok, data } = await call(...requestOf(command));
    answered += 1;
    if (command.transition || command.effect || command.flash) wire.pace = MOVING;
    if (!ok) return { ok, problem: data };
    const whole = wholeReply(command, data);
    if (whole) return { ok, ...whole };
    await look(); // the answer does not have all that has changed
    return { ok, refused: data.refused };
  }

  const wire = {
    pace: CALM,
    exchange(command) {
      const answer = command.do === 'ping' ? look() : change(command);
      return answer.catch(() => {
        closed({}); // no answer, or not one of the panel
        return LOST;
      });
    },
    close: () => gone.abort(),
  };
  wire.exchange({ do: 'ping' });
  return wire;
}
