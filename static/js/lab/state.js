// What the lab knows, and how each event changes it: `apply(state, event)` returns the next state.

export const KEPT = 30; // round trips in the average and in the plot

export const START = {
  link: {
    status: 'connecting', // connecting, live, reconnecting, closed
    choice: 'auto',
    sid: null,
    transport: null, // the transport in use: polling or websocket
    first: null, // the first transport
    ms: null, // until Socket.IO was connected
    upgraded: null, // ms until the change to WebSocket, which may come before the connection
    reason: null, // why it ended, as the library says it
  },
  trips: [], // ms, the newest last
  rooms: [], // the rooms that were joined, without the room of the sid
  raw: { status: 'closed', code: null, reason: '' },
  outcomes: {}, // the last outcome of each tile: {text, bad}
};

export function apply(state, event) {
  const change = changes[event.event];
  return change ? { ...state, ...change(state, event) } : state;
}

const changes = {
  connecting: (state, { choice }) => ({ link: { ...START.link, choice }, trips: [], rooms: [] }),

  opened: ({ link }, { transport }) => ({ link: { ...link, first: transport, transport, upgraded: null } }),

  upgraded: ({ link }, { transport, ms }) => ({ link: { ...link, transport, upgraded: ms }, trips: [] }),

  connected: ({ link, rooms }, { sid, ms, recovered }) => ({
    link: { ...link, status: 'live', sid, ms, reason: null },
    trips: [],
    rooms: recovered ? rooms : [],
  }),

  lost: ({ link, rooms }, { reason, coming_back }) => ({
    link: { ...START.link, choice: link.choice, status: coming_back ? 'reconnecting' : 'closed', reason },
    trips: [],
    rooms: coming_back ? rooms : [], // a recovered connection is still in its rooms
  }),

  round_trip: ({ trips }, { ms }) => ({ trips: [...trips, ms].slice(-KEPT) }),

  joined: ({ rooms }, { room }) => ({ rooms: rooms.includes(room) ? rooms : [...rooms, room] }),

  left: ({ rooms }, { room }) => ({ rooms: rooms.filter((other) => other !== room) }),

  raw: (_, { status, code = null, reason = '' }) => ({ raw: { status, code, reason } }),

  outcome: ({ outcomes }, { tile, text, bad = false }) => ({ outcomes: { ...outcomes, [tile]: { text, bad } } }),
};
