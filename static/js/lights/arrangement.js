// What the page makes of groups and scenes: how a group looks, whether a scene is on, and the sections of the page.

import { naturally, nodeOf } from '../page-state.js';
import { shown } from './state.js';

/** The lights of a group that are there, as the page has them. */
export function lightsOf(state, { lights }) {
  return lights.filter((id) => id in state.lights).map((id) => state.lights[id]);
}

/**
 * The group as this page shows it. Its level is that of its brightest light, 0 if all are off; what is held comes first.
 * `lit` is how many of its lights shine. Lights that are offline do not count, unless all are.
 */
export function groupLook(state, group) {
  const lights = lightsOf(state, group);
  const there = lights.filter((light) => light.online);
  const looks = (there.length ? there : lights).map((light) => shown(state, light.id));
  const shining = looks.filter((look) => look.on);
  const level = Math.max(0, ...shining.map((look) => look.level));
  const look = { level, on: shining.length > 0, lit: shining.length, all: looks.length, ...state.heldGroups[group.id] };
  return { ...look, level: look.on ? look.level : 0 };
}

/** The group with the level that it keeps while it is off: on brings it back. */
export function keptLook(state, id) {
  const group = state.groups[id];
  const look = groupLook(state, group);
  return look.level ? look : { ...look, level: Math.max(1, ...lightsOf(state, group).map((light) => light.level)) };
}

/** Whether each light of the scene is as the scene has it. Lights that are gone do not count. */
export function sceneIsOn(state, { lights }) {
  const there = Object.entries(lights).filter(([id]) => id in state.lights);
  return there.length > 0 && there.every(([id, wanted]) => isAs(shown(state, id), wanted));
}

/**
 * The sections of the page, with their lights in the order of all lights: `{group, lights}` for each group, then
 * `{node, lights}` for the lights in no group.
 */
export function sectionsOf(state) {
  const all = Object.values(state.lights);
  const groups = Object.values(state.groups).map((group) => {
    const ids = new Set(group.lights);
    return { group, lights: all.filter((light) => ids.has(light.id)) };
  });
  const grouped = new Set(groups.flatMap(({ lights }) => lights.map((light) => light.id)));
  const others = all.filter((light) => !grouped.has(light.id));
  return [...groups, ...byNode(others).map(([node, lights]) => ({ node, lights }))];
}

/** The lights by node, in the order of the nodes for people. */
function byNode(lights) {
  const nodes = new Map();
  for (const light of lights) {
    const node = nodeOf(light.id);
    if (!nodes.has(node)) nodes.set(node, []);
    nodes.get(node).push(light);
  }
  return [...nodes].sort(([one], [other]) => naturally(one, other));
}

function isAs(look, wanted) {
  if (!wanted.on) return !look.on;
  return look.on && look.level === wanted.level && (look.effect ?? null) === (wanted.effect ?? null);
}
