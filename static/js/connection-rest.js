// Plain HTTP: commands are PATCH and POST, and what others do is seen by asking again and again.

import { learnFrom } from './clock.js';
import { LOST } from './connection.js';

const CALM = 1000; // ms between two looks
const MOVING = 200; // while a fade or an effect runs

export function openREST({ name, received, closed }) {
  const gone = new AbortController();
  let seen = null; // epoch and rev of the last answer
  let answered = 0; // commands answered so far

  async function call(method, path, body) {
    const url = new URL(path, location.href);
    if (name) url.searchParams.set('name', name); // a header could not carry 名字
    const response = await fetch(url, {
      method,
      cache: 'no-store',
      signal: gone.signal,
      ...(body && { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
    });
    learnFrom(response); // the panel's clock may step, and no event says so here
    return { ok: response.ok, data: await response.json() };
  }

  async function look() {
    const before = answered;
    const { ok, data } = await call('GET', '/lights');
    if (!ok) {
      closed({ refused: data });
      return LOST;
    }
    // A look that began before a command was answered may show the light as it was: the next look will do.
    if (before === answered && seen !== `${data.epoch} ${data.rev}`) {
      seen = `${data.epoch} ${data.rev}`;
      received({ epoch: data.epoch, rev: data.rev, state: { lights: data.lights, hardware: data.hardware } });
      const moving = Object.values(data.lights).some((light) => light.transition || light.effect);
      wire.pace = moving ? MOVING : CALM;
    }
    return { ok: true, rev: data.rev };
  }

  async function change({ do: verb, light, ...verbs }) {
    const path = `/lights/${encodeURIComponent(light)}`;
    const undo = verb === 'undo_light';
    const { ok, data } = await (undo ? call('POST', `${path}/undo`) : call('PATCH', path, verbs));
    answered += 1;
    if (verbs.transition || verbs.effect || verbs.flash) wire.pace = MOVING;
    return ok ? { ok, light: data } : { ok, problem: data };
  }

  const wire = {
    pace: CALM,
    exchange(command) {
      const answer = command.do === 'ping' ? look() : change(command);
      return answer.catch(() => {
        closed({}); // no answer, or one that is not the panel's
        return LOST;
      });
    },
    close: () => gone.abort(),
  };
  wire.exchange({ do: 'ping' });
  return wire;
}
