// What the page knows, and the one function that changes it.
//
// `apply(state, event)` is pure: the same state and event give the same new state. Events are the server's own
// (`light_changed`, `light_actual`, `light_flashed`, and a `snapshot` for a whole frame) and the page's
// (`link`, `me`, `round_trip`, `held`, `released`, `own`, `refused`, `notice_gone`). What is said in the chat and what the
// runs do is for other pages, and leaves this state as it is.

export const EMPTY = {
  epoch: null,
  rev: 0,
  lights: null, // null until the first snapshot: unknown is not the same as none
  revs: {}, // per light, the revision its state is from
  hardware: null,
  link: { status: 'connecting', transport: null, roundTrip: null, since: 0, retryAt: null, restarting: false },
  held: {}, // per light, what this page has asked for and not heard of yet; shown instead of the truth
  own: {}, // per light, the mark of the last change that this page made
  flashed: {}, // per light, who flashed it last, and when
  notices: [],
  me: null, // who this browser is for the panel; null until it is known
};

export function apply(state, event) {
  switch (event.event) {
    case 'snapshot':
      return {
        ...state,
        epoch: event.epoch,
        rev: event.rev,
        lights: event.state.lights,
        revs: Object.fromEntries(Object.keys(event.state.lights).map((id) => [id, event.rev])),
        hardware: event.state.hardware ?? state.hardware,
      };
    case 'light_changed':
      return withLight({ ...state, rev: Math.max(state.rev, event.rev) }, event.light, event.rev, event.state);
    case 'light_actual':
      return withLight({ ...state, rev: Math.max(state.rev, event.rev) }, event.light, event.rev, {
        ...state.lights?.[event.light],
        actual: event.actual,
      });
    case 'light_flashed':
      return {
        ...state,
        rev: Math.max(state.rev, event.rev),
        flashed: { ...state.flashed, [event.light]: { by: event.by, at: event.at } },
      };

    case 'clock_changed':
      return onAnotherClock(state, event);

    case 'link':
      return { ...state, link: { ...state.link, ...event.link } };
    case 'me':
      return { ...state, me: event.me };
    case 'round_trip':
      return { ...state, link: { ...state.link, roundTrip: event.ms } };

    case 'held':
      return { ...state, held: { ...state.held, [event.light]: { ...state.held[event.light], ...event.look } } };
    case 'released':
      return { ...state, held: without(state.held, event.light) };
    case 'own': {
      // The answer to our own command: the light as it was at that revision, which may be older than an event
      // that overtook it. The page's own revision stays: events of other lights may still be on their way.
      const known = withLight(state, event.light.id, event.rev ?? state.rev, event.light);
      return { ...known, own: { ...known.own, [event.light.id]: mark(event.light) } };
    }
    case 'refused':
      return { ...state, notices: [...state.notices.slice(-2), { id: event.id, problem: event.problem }] };
    case 'notice_gone':
      return { ...state, notices: state.notices.filter((notice) => notice.id !== event.id) };
    default:
      return state; // an event of a newer server
  }
}

/** The light as this page shows it: the truth, with what is held over it. */
export function shown(state, id) {
  return { ...state.lights[id], ...state.held[id] };
}

/** Whether the last change of the light was made by this page. */
export function isOwn(state, light) {
  return state.own[light.id] === mark(light);
}

export function isLive(state) {
  return state.link.status === 'live';
}

// The server stamps a change with who and when; our answer carries the same stamp as everybody's event.
function mark(light) {
  return `${light.at} ${light.by.via} ${light.by.name}`;
}

// The lights follow by themselves, with the times that they have now: what is compared with those moves along.
function onAnotherClock(state, { rev, seconds }) {
  const own = Object.entries(state.own).map(([id, known]) => {
    const light = state.lights?.[id];
    return [id, light && known === mark(light) ? mark({ ...light, at: light.at + seconds }) : known];
  });
  const flashed = Object.entries(state.flashed).map(([id, flash]) => [id, { ...flash, at: flash.at + seconds }]);
  const after = { own: Object.fromEntries(own), flashed: Object.fromEntries(flashed) };
  return { ...state, ...after, rev: Math.max(state.rev, rev) };
}

function withLight(state, id, rev, light) {
  if (!state.lights || (state.revs[id] ?? -1) > rev || light.id === undefined) return state;
  return { ...state, lights: { ...state.lights, [id]: light }, revs: { ...state.revs, [id]: rev } };
}

function without(record, key) {
  const { [key]: _, ...rest } = record;
  return rest;
}
