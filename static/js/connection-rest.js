// The transport over plain HTTP: commands are PATCH and POST; polling shows what others do.

import { learnFrom } from './clock.js';
import { LOST } from './connection.js';
import { nodeOf } from './page-state.js';
import { requestOf } from './rest-requests.js';

const CALM = 1000; // ms between two polls
const MOVING = 200; // ms, while a fade or an effect runs

export function openREST({ name, follow, received, closed }) {
  const gone = new AbortController();
  let seen = null; // epoch and rev of the last answer
  let answered = 0; // commands answered so far

  async function call(method, path, body) {
    const url = new URL(path, location.href);
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
    // A poll that began before the answer to a command may have the old state: wait for the next one.
    if (before === answered && seen !== `${data.epoch} ${data.rev}`) {
      const arrangement = await arranged();
      if (before !== answered) return { ok: true, rev: data.rev };
      seen = `${data.epoch} ${data.rev}`;
      const lights = Object.entries(data.lights).filter(([id]) => !follow.length || follow.includes(nodeOf(id)));
      const nodes = [...new Set(Object.keys(data.lights).map(nodeOf))].filter(Boolean).sort();
      const state = { lights: Object.fromEntries(lights), hardware: data.hardware, nodes, ...arrangement };
      received({ epoch: data.epoch, rev: data.rev, state });
      const moving = Object.values(data.lights).some((light) => light.transition || light.effect);
      wire.pace = moving ? MOVING : CALM;
    }
    return { ok: true, rev: data.rev };
  }

  /** The groups and scenes, by id. A front of a home whose keeper is away has none. */
  async function arranged() {
    const [groups, scenes] = await Promise.all([call('GET', '/groups'), call('GET', '/scenes')]);
    const own = groups.ok ? groups.data.groups.filter(({ id }) => id !== 'all') : [];
    return { groups: byId(own), scenes: byId(scenes.ok ? scenes.data.scenes : []) };
  }

  async function change(command) {
    const { ok, data } = await call(...requestOf(command));
    answered += 1;
    const { light, transition, effect, flash } = command;
    if (transition || effect || flash) wire.pace = MOVING;
    if (!ok) return { ok, problem: data };
    if (light !== undefined) return { ok, light: data };
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

function byId(all) {
  return Object.fromEntries(all.map((one) => [one.id, one]));
}
