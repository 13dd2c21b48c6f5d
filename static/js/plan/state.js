// What the Schedules page knows, and how each event changes it.
//
// Events of the server: `snapshot`, `schedule_changed`, `light_changed`, `light_removed`, `lights_ordered`, `group_changed`,
// `groups_ordered`, `scene_changed`, `run_changed`, `run_removed`, `show_changed`. Events of the page: `me`, `asking`,
// `answered`, and those of page-state.js.

import {
  COMMON,
  naturally,
  ordered,
  reducer,
  run_changed,
  run_removed,
  show_changed,
  withRev,
  without,
} from '../page-state.js';

const LONG = 60; // seconds; a fade to off that takes longer is a sleep timer

export const EMPTY = {
  ...COMMON,
  schedules: null, // null until the first snapshot: unknown is not the same as none
  revs: {}, // per schedule, the revision of its state
  lights: {},
  groups: {},
  scenes: {},
  shows: {},
  runs: {},
  asking: {}, // the schedules with a command that waits for its answer
  me: null, // role and name of this browser; null until the panel has answered
};

export const apply = reducer({
  snapshot: (state, { epoch, rev, state: given }) => ({
    ...state,
    epoch,
    rev,
    schedules: given.schedules ?? {},
    revs: Object.fromEntries(Object.keys(given.schedules ?? {}).map((id) => [id, rev])),
    lights: given.lights,
    groups: given.groups ?? {},
    scenes: given.scenes ?? {},
    shows: given.shows ?? {},
    runs: given.runs ?? {},
  }),

  schedule_changed: (state, event) => withSchedule(withRev(state, event), event.schedule, event.state, event.rev),

  light_changed: (state, event) => ({ ...withRev(state, event), lights: { ...state.lights, [event.light]: event.state } }),

  light_removed: (state, event) => ({ ...withRev(state, event), lights: without(state.lights, event.light) }),

  group_changed: (state, event) => ({ ...withRev(state, event), groups: changed(state.groups, event.group, event.state) }),
  groups_ordered: (state, event) => ({ ...withRev(state, event), groups: ordered(state.groups, event.order) }),
  lights_ordered: (state, event) => ({ ...withRev(state, event), lights: ordered(state.lights, event.order) }),
  scene_changed: (state, event) => ({ ...withRev(state, event), scenes: changed(state.scenes, event.scene, event.state) }),

  run_changed,
  run_removed,
  show_changed,

  me: (state, { me }) => ({ ...state, me }),

  asking: (state, { schedule }) => ({ ...state, asking: { ...state.asking, [schedule]: true } }),

  /** The reply to a command of this page: the schedule then, or null if it is deleted; without one it was refused. */
  answered(state, { id, schedule, rev }) {
    const known = schedule === undefined ? state : withSchedule(state, id, schedule, rev ?? state.rev);
    return { ...known, asking: without(known.asking, id) };
  },
});

function withSchedule(state, id, schedule, rev) {
  if (!state.schedules || (state.revs[id] ?? -1) > rev) return state;
  return { ...state, schedules: changed(state.schedules, id, schedule), revs: { ...state.revs, [id]: rev } };
}

function changed(record, id, now) {
  return now ? { ...record, [id]: now } : without(record, id);
}

// --- questions ---------------------------------------------------------------------------------------------

/** Every schedule but the sleep timers: those that are due first, those that wait, those that are off. */
export function inOrder(state) {
  const rank = ({ enabled, next }) => (!enabled ? 2 : next === null ? 1 : 0);
  return Object.values(state.schedules)
    .filter((schedule) => !isSleepTimer(schedule))
    .sort(
      (a, b) => rank(a) - rank(b) || (a.next ?? 0) - (b.next ?? 0) || a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1),
    );
}

/** Whether the schedule is a timer that switches all lights off. */
function isSleepTimer({ is_timer, next, do: command }) {
  return is_timer && next !== null && command.do === 'set_light' && command.group === 'all' && command.on === false;
}

/**
 * What switches lights off by itself: `{at, schedule}` of a timer, or `{at, fading}` with the lights of a long fade to
 * off. Null: nothing.
 */
export function sleepOf(state) {
  const [timer] = Object.values(state.schedules).filter(isSleepTimer).sort((a, b) => a.next - b.next);
  if (timer) return { at: timer.next, schedule: timer };
  const fading = Object.values(state.lights).filter(
    ({ on, online, transition, actual }) => !on && online && actual > 0 && transition?.seconds >= LONG,
  );
  if (!fading.length) return null;
  return { at: Math.max(...fading.map(({ transition }) => transition.since + transition.seconds)), fading };
}

/** The run of a show that has not ended, or undefined. */
export function runOf(state, show) {
  return Object.values(state.runs).find((run) => run.show === show.name && run.state !== 'ended');
}

/** The run of steps that are not saved, which somebody tries, or undefined: there is at most one. */
export function trialOf(state) {
  return Object.values(state.runs).find((run) => run.kind === 'show' && !run.show && run.state !== 'ended');
}

/** Every show: those that people made first. */
export function showsInOrder({ shows }) {
  const own = Object.values(shows).filter(({ source }) => source === 'own');
  const others = Object.values(shows).filter(({ source }) => source !== 'own');
  return [...own.sort((a, b) => naturally(a.title, b.title)), ...others];
}

/** The name, or with a number one that no schedule has. */
export function freeName(name, schedules) {
  const taken = new Set(Object.values(schedules).map((schedule) => schedule.name.toLowerCase()));
  for (let number = 1; ; number += 1) {
    const free = number === 1 ? name : `${name} ${number}`;
    if (!taken.has(free.toLowerCase())) return free;
  }
}
