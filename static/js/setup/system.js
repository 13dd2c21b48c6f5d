// The system, in Settings: the panel and its machine, and everything as one file.

import './words.js';

import { renderFix } from '../lights/fix.js';
import { lock } from '../lock.js';
import { Page } from '../page.js';
import { isLive } from '../page-state.js';
import { SOCKETS } from '../transports.js';
import { chatBadge } from '../unread.js';
import { write } from '../view/dom.js';
import { LinkView } from '../view/link.js';
import { Notices } from '../view/notices.js';
import { reasonInWords } from '../view/problem.js';
import { t } from '../words.js';
import { call } from './api.js';
import { AppTile } from './app-tile.js';
import { ImportSheet } from './backup.js';
import { ownId } from './list-view.js';
import { learnRole } from './role.js';
import { EMPTY, apply, mayChange } from './state.js';

const part = (id) => document.getElementById(id);
const [why, fix] = ['.trouble-why', '.fix'].map((selector) => part('trouble').querySelector(selector));

const page = new Page({
  state: EMPTY,
  apply,
  transports: SOCKETS,
  heard(event) {
    updateBadge(event);
    if (event.event === 'link' && event.link.status === 'live') learnRole(page);
    return event;
  },
  render(state) {
    link.render(state.link, state.hardware !== null);
    notices.render(state.notices);
    if (state.hardware) renderPanel(state);
    part('import').disabled = !isLive(state);
    lock(part('import'), mayChange(state) ? null : 'admin');
    part('export').hidden = state.me?.role === 'nobody';
  },
});
const updateBadge = chatBadge(page);
const link = new LinkView(page.retry);
const notices = new Notices(page.dismiss);

function renderPanel({ hardware, lights, storage }) {
  const all = Object.values(lights);
  const offline = all.filter(({ online }) => !online).length;
  write(part('pins'), t(`pins_${hardware.pins}`));
  write(part('lights-state'), t('system_lights', { all: all.length, offline }));
  write(part('storage'), t(storage.kept ? 'system_kept' : 'system_not_kept'));
  write(part('pins-why'), reasonInWords(hardware.why));
  write(why, storage.kept ? '' : storage.reason);
  part('trouble').hidden = storage.kept && !hardware.fix;
  renderFix(fix, hardware.fix);
}

async function fixedIds() {
  const { lights } = await call('GET', '/setup');
  return lights.filter(({ fixed }) => fixed).map(({ id }) => ownId(id));
}

new AppTile(part('app'));
new ImportSheet({ fixed: fixedIds, refresh: () => {} });
page.start();
learnRole(page); // a connection that is refused never gets live
