// What the pages of Settings know, and how each event changes it.
//
// Events of the server: `snapshot`, `light_changed`, `light_removed`, `lights_ordered`, `storage_changed`.
// Events of the page: `set_up`, `me`, and those of page-state.js.

import { COMMON, ordered, reducer, storage_changed, withRev, without } from '../page-state.js';

export const EMPTY = {
  ...COMMON,
  lights: {}, // as the lights page shows them: whether they are online, and why not
  hardware: null,
  storage: { kept: true, reason: null },
  setup: null, // how the lights of this panel are set up, and the free pins; null until the panel has answered
  me: null, // role of this browser; null until the panel has answered
};

export const apply = reducer({
  storage_changed,

  snapshot: (state, { epoch, rev, state: { lights, hardware, storage } }) => ({
    ...state,
    epoch,
    rev,
    lights,
    hardware: hardware ?? state.hardware,
    storage: storage ?? state.storage,
  }),
  light_changed: (state, event) => ({
    ...withRev(state, event),
    lights: { ...state.lights, [event.light]: event.state },
  }),
  lights_ordered: (state, event) => ({ ...withRev(state, event), lights: ordered(state.lights, event.order) }),
  light_removed: (state, event) => ({ ...withRev(state, event), lights: without(state.lights, event.light) }),
  set_up: (state, { setup }) => ({ ...state, setup }),
  me: (state, { me }) => ({ ...state, me }),
});

/**
 * Whether a light may be set up in another way since this event.
 *
 * Somebody who sets a light stamps it with the time of the event. Whoever sets it up does not.
 */
export function isSetUp({ setup }, event) {
  if (['snapshot', 'light_removed', 'lights_ordered'].includes(event.event)) return true;
  if (event.event !== 'light_changed') return false;
  return event.at !== event.state.at || !setup?.lights.some(({ id }) => id === event.light);
}

/** Whether this browser may add, change and remove lights. While it is not known yet, it may not. */
export function mayChange({ me }) {
  return me?.role === 'admin';
}
