// The panel page: state in the middle, the connection on one side, the view on the other.

import { learnClock } from './clock.js';
import { Connection, LOST } from './connection.js';
import { learnMe } from './me.js';
import { remember, remembered } from './remember.js';
import { EMPTY, apply } from './state.js';
import { TRANSPORTS, chosenTransport, rememberTransport } from './transports.js';
import { chatBadge } from './unread.js';
import { Choice } from './view/choice.js';
import { LightCard } from './view/light-card.js';
import { PanelView } from './view/panel.js';
import { deviceName, settingsSheet } from './view/settings.js';
import { Wishes } from './wishes.js';
import { language, t, translate } from './words.js';

const NOTICE_SHOWN = 7000; // ms

document.documentElement.lang = language;
translate(document);

// --- state -------------------------------------------------------------------------------------------------

// A reload is still the same person: the marks of what this tab did outlive it.
let state = { ...EMPTY, own: remembered('own', {}, 'sessionStorage') };
let drawing = false;

function dispatch(event) {
  const before = state;
  state = apply(state, event);
  if (state.own !== before.own) remember('own', state.own, 'sessionStorage');
  draw();
}

/** Once a frame, however many events came. */
function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    view.render(state);
  });
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
    if (status === 'live') {
      event.link.since = 0;
      learnClock().then(draw);
      learnMe().then((me) => dispatch({ event: 'me', me }));
    } else {
      for (const wishes of everyWish.values()) wishes.forget();
      if (!state.link.since && status !== 'connecting') event.link.since = Date.now();
    }
  }
  heardOfChat(event);
  dispatch(event);
}

async function ask(command) {
  const reply = await connection.ask(command);
  if (reply === LOST) return { ok: false, problem: { title: t('unanswered'), detail: t('lost_answer') } };
  return reply;
}

/** Ask for something that is not a wish, and say how it went. */
async function act(command) {
  const reply = await ask(command);
  if (!reply.ok) refuse(reply.problem);
  else if (command.do === 'undo_light') dispatch({ event: 'own', light: reply.light, rev: reply.rev });
}

let notices = 0;

function refuse(problem) {
  const id = (notices += 1);
  dispatch({ event: 'refused', id, problem });
  setTimeout(() => dispatch({ event: 'notice_gone', id }), NOTICE_SHOWN);
}

// --- view --------------------------------------------------------------------------------------------------

const everyWish = new Map();

function makeCard(id) {
  const wishes = new Wishes(id, { ask, dispatch, refuse });
  everyWish.set(id, wishes);
  return new LightCard(id, { wishes, ask: act, refuse });
}

const view = new PanelView({
  makeCard,
  dismiss: (id) => dispatch({ event: 'notice_gone', id }),
  retry: () => connection.retry(),
});

const transports = new Choice(
  document.getElementById('transports'),
  Object.entries(TRANSPORTS).map(([value, { label }]) => ({ value, label })),
  (transport) => {
    rememberTransport(transport);
    connect(transport);
  },
);

settingsSheet(document.getElementById('mark'), () => connect(connection.transport));
setInterval(draw, 1000); // "5 s ago" grows older by itself

transports.render(chosenTransport());
connect(chosenTransport());
