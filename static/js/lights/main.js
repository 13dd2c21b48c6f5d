// The lights page: connects the state with the cards of the lights.

import { learnMe } from '../me.js';
import { Page } from '../page.js';
import { remember, remembered } from '../remember.js';
import { TRANSPORTS } from '../transports.js';
import { chatBadge } from '../unread.js';
import { LightCard } from './light-card.js';
import { EMPTY, apply, shown } from './state.js';
import { LightsView } from './view.js';
import { Wishes } from './wishes.js';

const everyWish = new Map(); // by light

const page = new Page({
  state: { ...EMPTY, own: remembered('own', {}, 'sessionStorage') }, // after a reload "You" is still this tab
  apply,
  render: (state) => view.render(state),
  transports: Object.keys(TRANSPORTS),
  canResume: (state) => state.hardware !== null, // REST does not send it: ask for a snapshot
  follow: () => followed(),
  heard,
  changed: (before) => {
    const { own } = page.state;
    if (own !== before.own) remember('own', own, 'sessionStorage');
  },
});
const { ask, refuse } = page;
const dispatch = (event) => page.dispatch(event);
const updateBadge = chatBadge(page);

function heard(event) {
  if (event.event === 'link') {
    if (event.link.status === 'live') learnMe().then((me) => dispatch({ event: 'me', me }));
    else for (const wishes of everyWish.values()) wishes.forget();
  }
  updateBadge(event);
  return event;
}

/** Send a command that is not a wish, and show what came of it. */
async function act(command) {
  const reply = await ask(command);
  if (!reply.ok) refuse(reply.problem);
  else if (command.do === 'undo_light') dispatch({ event: 'own', light: reply.light, rev: reply.rev });
}

function makeCard(id) {
  const wishes = new Wishes(id, { ask, dispatch, refuse });
  everyWish.set(id, wishes);
  return new LightCard(id, { look: () => shown(page.state, id), wishes, ask: act, refuse });
}

function followed() {
  return remembered('nodes', []);
}

/** Show the lights of these nodes only, or of all. */
function follow(names) {
  remember('nodes', names);
  dispatch({ event: 'followed' });
  page.connect();
}

const view = new LightsView({ makeCard, dismiss: page.dismiss, retry: page.retry, followed, follow });
page.start();
