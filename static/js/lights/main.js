// The panel page: state in the middle, the connection on one side, the view on the other.

import { itIs, learnClock } from '../clock.js';
import { Connection, lostSince } from '../connection.js';
import { onceAFrame } from '../once-a-frame.js';
import { learnMe } from '../me.js';
import { remember, remembered } from '../remember.js';
import { EMPTY, apply, shown } from './state.js';
import { TRANSPORTS, chosenTransport } from '../transports.js';
import { chatBadge } from '../unread.js';
import { LightCard } from './light-card.js';
import { PanelView } from './view.js';
import { deviceName, settingsSheet } from '../view/settings.js';
import { transportChoice } from '../view/transport-choice.js';
import { Wishes } from './wishes.js';
import { translate } from '../words.js';

translate(document);

// --- state -------------------------------------------------------------------------------------------------

// A reload is still the same person: the marks of what this tab did outlive it.
let state = { ...EMPTY, own: remembered('own', {}, 'sessionStorage') };
const draw = onceAFrame(() => view.render(state));

function dispatch(event) {
  const before = state;
  state = apply(state, event);
  if (state.own !== before.own) remember('own', state.own, 'sessionStorage');
  draw();
}

// --- connection --------------------------------------------------------------------------------------------

let connection = null;
const heardOfChat = chatBadge(() => connection);

function connect(transport) {
  connection?.stop();
  connection = new Connection({
    transport,
    open: TRANSPORTS[transport].open,
    name: deviceName,
    // Without the hardware, which REST does not tell, only a snapshot will do.
    resume: () => (state.epoch && state.hardware ? { epoch: state.epoch, rev: state.rev } : null),
    listen,
  });
  connection.start();
}

function listen(event) {
  if (event.event === 'link') {
    const { status } = event.link;
    event.link.since = lostSince(state.link.since, status);
    if (status === 'live') {
      learnClock().then(draw);
      learnMe().then((me) => dispatch({ event: 'me', me }));
    } else {
      for (const wishes of everyWish.values()) wishes.forget();
    }
  }
  if (event.event === 'clock_changed') itIs(event.at);
  heardOfChat(event);
  dispatch(event);
}

const ask = (command) => connection.ask(command);

/** Ask for something that is not a wish, and say how it went. */
async function act(command) {
  const reply = await ask(command);
  if (!reply.ok) refuse(reply.problem);
  else if (command.do === 'undo_light') dispatch({ event: 'own', light: reply.light, rev: reply.rev });
}

let refusals = 0;

function refuse(problem) {
  dispatch({ event: 'refused', id: (refusals += 1), problem });
}

// --- view --------------------------------------------------------------------------------------------------

const everyWish = new Map();

function makeCard(id) {
  const wishes = new Wishes(id, { ask, dispatch, refuse });
  everyWish.set(id, wishes);
  return new LightCard(id, { look: () => shown(state, id), wishes, ask: act, refuse });
}

const view = new PanelView({
  makeCard,
  dismiss: (id) => dispatch({ event: 'notice_gone', id }),
  retry: () => connection.retry(),
});

settingsSheet(document.getElementById('mark'), () => connect(connection.transport));
setInterval(draw, 1000); // "5 s ago" grows older by itself

transportChoice(Object.keys(TRANSPORTS), connect).render(chosenTransport());
connect(chosenTransport());
