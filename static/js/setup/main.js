// The lights of this panel, in Settings.

import './words.js';

import { lock } from '../lock.js';
import { mayControl } from '../me.js';
import { Page } from '../page.js';
import { isLive } from '../page-state.js';
import { SOCKETS } from '../transports.js';
import { chatBadge } from '../unread.js';
import { LinkView } from '../view/link.js';
import { Notices } from '../view/notices.js';
import { call, problemOf } from './api.js';
import { LightSheet } from './light-sheet.js';
import { ListView } from './list-view.js';
import { OrderSheet } from './order-sheet.js';
import { learnRole } from './role.js';
import { EMPTY, apply, isSetUp, mayChange } from './state.js';

const SETTLED = 250; // ms; one request for a burst of events
const FLASHES = 3;

const part = (id) => document.getElementById(id);

const page = new Page({
  state: EMPTY,
  apply,
  transports: SOCKETS,
  heard,
  render(state) {
    link.render(state.link, state.setup !== null);
    list.render(state);
    orderSheet.render(state);
    notices.render(state.notices);
    part('order').hidden = Object.keys(state.lights).length < 2 || !mayControl(state.me);
    part('order').disabled = !isLive(state);
    part('add').disabled = !isLive(state) || !state.setup;
    lock(part('add'), mayChange(state) ? null : 'admin');
    part('add').hidden = state.setup?.lights.length === 0;
    part('token-how').hidden = !['viewer', 'operator'].includes(state.me?.role);
  },
});
const updateBadge = chatBadge(page);
let timer = null;

function heard(event) {
  updateBadge(event);
  if (event.event === 'link' && event.link.status === 'live') {
    learnRole(page);
    soon();
  } else if (isSetUp(page.state, event)) soon();
  return event;
}

function soon() {
  timer ??= setTimeout(refresh, SETTLED);
}

/** Ask how the lights are set up, and return that; null if the panel did not say. */
async function refresh() {
  clearTimeout(timer);
  timer = null;
  let setup = null;
  await problemOf(async () => (setup = await call('GET', '/setup')));
  if (setup) page.dispatch({ event: 'set_up', setup });
  return setup;
}

/** Have a light flash, so that one sees which it is. */
async function flash(light, times = FLASHES) {
  const reply = await page.ask({ do: 'set_light', light, flash: times });
  if (!reply.ok) page.refuse(reply.problem);
}

/** A new light flashes once. If its pin cannot be driven, its row says so. */
function flashNew({ id, online }) {
  if (online) page.ask({ do: 'set_light', light: id, flash: 1 });
}

const link = new LinkView(page.retry);
const notices = new Notices(page.dismiss);
const sheet = new LightSheet({ refresh, added: flashNew });
const orderSheet = new OrderSheet(part('ordering'), (order) => page.ask({ do: 'order_lights', order }));
const list = new ListView({ flash, change: (light, name) => sheet.change(page.state.setup, light, name) });

part('add').addEventListener('click', () => sheet.add(page.state.setup));
part('order').addEventListener('click', () => orderSheet.open(page.state));
page.start();
learnRole(page); // a connection that is refused never gets live
