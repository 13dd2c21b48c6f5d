// What the lights page knows, and how each event changes it.
//
// Events of the server: `snapshot`, `light_changed`, `light_actual`, `light_removed`, `light_flashed`, `group_changed`,
// `groups_ordered`, `lights_ordered`, `scene_changed`, `person_changed`, `run_changed`, `run_removed`, `show_changed`, `clock_changed`.
// Events of the page: `me`, `held`, `released`, `own`, `own_many`, `done`, and those of page-state.js.

import {
  COMMON,
  ordered,
  person_changed,
  reducer,
  run_changed,
  run_removed,
  show_changed,
  withNotices,
  withRev,
  without,
} from '../page-state.js';

export const EMPTY = {
  ...COMMON,
  lights: null, // null until the first snapshot: unknown is not the same as none
  revs: {}, // per light, the revision of its state
  groups: {}, // in their order
  scenes: {}, // in their order
  arranged: -1, // the revision of groups and scenes
  runs: {},
  shows: {},
  hardware: null,
  people: {}, // who is here, by name
  held: {}, // per light, what this page has asked for and has no answer to; shown instead of the real state
  heldGroups: {}, // the same per group
  own: {}, // per light, the mark of the last change that this page made
  flashed: {}, // per light, who flashed it last, and when
  nodes: [], // names of the panels that share an engine
  me: null, // role and name of this browser; null until the panel has answered
};

export const apply = reducer({
  snapshot: (state, { epoch, rev, state: { lights, groups, scenes, people, runs, shows, hardware, nodes } }) => ({
    ...state,
    epoch,
    rev,
    lights,
    groups: groups ?? {},
    scenes: scenes ?? {},
    people: people ?? {},
    arranged: rev,
    runs: runs ?? {},
    shows: shows ?? {},
    nodes: nodes ?? [],
    revs: Object.fromEntries(Object.keys(lights).map((id) => [id, rev])),
    hardware: hardware ?? state.hardware,
  }),

  person_changed,

  light_changed: (state, event) => withLight(withRev(state, event), event.light, event.rev, event.state),

  light_actual: (state, event) =>
    withLight(withRev(state, event), event.light, event.rev, { ...state.lights?.[event.light], actual: event.actual }),

  /** Its revision stays known: what is older and comes later must not bring the light back. */
  light_removed(state, event) {
    const { light: id, rev } = event;
    if (!state.lights || (state.revs[id] ?? -1) > rev) return withRev(state, event);
    const gone = Object.fromEntries(['lights', 'held', 'own', 'flashed'].map((part) => [part, without(state[part], id)]));
    return { ...withRev(state, event), ...gone, revs: { ...state.revs, [id]: rev } };
  },

  light_flashed: (state, event) => ({
    ...withRev(state, event),
    flashed: { ...state.flashed, [event.light]: { by: event.by, at: event.at } },
  }),

  group_changed: (state, event) => arranged(state, event, { groups: changed(state.groups, event.group, event.state) }),

  groups_ordered: (state, event) => arranged(state, event, { groups: ordered(state.groups, event.order) }),

  lights_ordered: (state, event) => ({
    ...withRev(state, event),
    lights: state.lights && ordered(state.lights, event.order),
  }),

  scene_changed: (state, event) => arranged(state, event, { scenes: changed(state.scenes, event.scene, event.state) }),

  /** The server moves the times of the lights itself; move here what is compared with them. */
  clock_changed(state, event) {
    const own = mapped(state.own, (known, id) => {
      const light = state.lights?.[id];
      return light && known === mark(light) ? mark({ ...light, at: light.at + event.seconds }) : known;
    });
    const flashed = mapped(state.flashed, (flash) => ({ ...flash, at: flash.at + event.seconds }));
    return { ...withRev(state, event), own, flashed };
  },

  run_changed,
  run_removed,
  show_changed,

  me: (state, { me }) => ({ ...state, me }),

  /** Somebody chose other nodes: the lights that come are not the next state of these. */
  followed: (state) => ({ ...state, epoch: null }),

  held(state, { light, group, look }) {
    if (group !== undefined) return { ...state, heldGroups: held(state.heldGroups, group, look) };
    return { ...state, held: held(state.held, light, look) };
  },

  released(state, { light, group }) {
    if (group !== undefined) return { ...state, heldGroups: without(state.heldGroups, group) };
    return { ...state, held: without(state.held, light) };
  },

  /** Something was done that `undo`, a command, takes back: a notice offers it. A newer one takes its place. */
  done: (state, { id, title, undo }) =>
    withNotices({ ...state, notices: state.notices.filter((notice) => !notice.undo) }, [{ id, title, undo }]),

  /**
   * The reply to a command of this page: the light as it was at that revision, which may be older than an event that
   * came before the reply. The revision of the page stays: events of other lights may still be on their way.
   */
  own(state, { light, rev }) {
    const known = withLight(state, light.id, rev ?? state.rev, light);
    return { ...known, own: { ...known.own, [light.id]: mark(light) } };
  },

  /**
   * The reply to a command on several lights. Its revision is that of the last of them, so an event that is here already
   * may be newer than what it says of another: their states come with the events.
   */
  own_many: (state, { lights }) => ({ ...state, own: { ...state.own, ...mapped(lights, mark) } }),
});

/** The light as this page shows it: the real state, and over it what is held. */
export function shown(state, id) {
  return { ...state.lights[id], ...state.held[id] };
}

/** Whether this page made the last change of the light. */
export function isOwn(state, light) {
  return state.own[light.id] === mark(light);
}

// The server stamps each change with who and when. A reply has the same stamp as the event that all clients get.
function mark(light) {
  return `${light.at} ${light.by.via} ${light.by.name}`;
}

function withLight(state, id, rev, light) {
  if (!state.lights || (state.revs[id] ?? -1) > rev || light.id === undefined) return state;
  return { ...state, lights: { ...state.lights, [id]: light }, revs: { ...state.revs, [id]: rev } };
}

/** What is held of a light or group, and this over it. */
function held(all, id, look) {
  return { ...all, [id]: { ...all[id], ...look } };
}

/** The state with other groups or scenes, unless the event is older than what is known of them. */
function arranged(state, event, change) {
  const known = withRev(state, event);
  return event.rev > state.arranged ? { ...known, ...change, arranged: event.rev } : known;
}

/** The groups or scenes after one has changed: a new one is the last, null deletes it. */
function changed(all, id, now) {
  return now ? { ...all, [id]: now } : without(all, id);
}

function mapped(record, change) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));
}
