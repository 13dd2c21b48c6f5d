// The settings page: the lights of this panel, and everything as one file.

import './words.js';

import { learnMe } from '../me.js';
import { Page } from '../page.js';
import { isLive } from '../page-state.js';
import { SOCKETS } from '../transports.js';
import { chatBadge } from '../unread.js';
import { LinkView } from '../view/link.js';
import { Notices } from '../view/notices.js';
import { t } from '../words.js';
import { call, problemOf } from './api.js';
import { ImportSheet } from './backup.js';
import { LightSheet } from './light-sheet.js';
import { ListView, ownId } from './list-view.js';
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
    notices.render(state.notices);
    const may = isLive(state) && mayChange(state);
    part('add').disabled = !may || !state.setup;
    part('add').hidden = state.setup?.lights.length === 0;
    part('import').disabled = !may || !state.setup;
    part('export').hidden = state.me?.role === 'nobody';
    part('token-how').hidden = !['viewer', 'operator'].includes(state.me?.role);
  },
});
const updateBadge = chatBadge(page);
let timer = null;

function heard(event) {
  updateBadge(event);
  if (event.event === 'link' && event.link.status === 'live') {
    learnRole();
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

/** Ask who this is. The strip of the header says what to sign in with, where that would allow more here. */
async function learnRole() {
  const me = await learnMe();
  page.dispatch({ event: 'me', me });
  if (me === null || me.role === 'nobody' || me.role === 'admin') return;
  const strip = part('access-strip');
  strip.hidden = false;
  strip.querySelector('.strip-text').textContent = t('setup_strip');
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
const list = new ListView({ flash, change: (light, name) => sheet.change(page.state.setup, light, name) });
new ImportSheet({ fixed: fixedIds, refresh });

async function fixedIds() {
  const setup = page.state.setup ?? (await refresh());
  return (setup?.lights ?? []).filter(({ fixed }) => fixed).map(({ id }) => ownId(id));
}

document.title = `${t('settings')} · Pilot Light`;
part('add').addEventListener('click', () => sheet.add(page.state.setup));
page.start();
learnRole(); // a connection that is refused never gets live
