// The Schedules page around its parts: the list, the note about the clock, the empty page, the question before a deletion.

import { panelNow } from '../clock.js';
import { isLive } from '../page-state.js';
import { lock } from '../lock.js';
import { mayControl } from '../me.js';
import { timeOf } from '../times.js';
import { LinkView } from '../view/link.js';
import { askFirst } from '../view/ask-first.js';
import { arrange, write } from '../view/dom.js';
import { Notices } from '../view/notices.js';
import { t } from '../words.js';
import { Card } from './card.js';
import { inOrder } from './state.js';
import { clockShift } from './zone.js';

export class View {
  /** `acts` are those of a card, and `make(example)` opens the sheet; `sheet`, `sleep` and `shows` are views too. */
  constructor({ acts, make, sheet, sleep, shows, dismiss, retry }) {
    this._acts = acts;
    this._others = { sheet, sleep, shows };
    this._link = new LinkView(retry);
    this._notices = new Notices(dismiss);
    this._cards = new Map();
    const part = (id) => document.getElementById(id);
    this._parts = { list: part('schedules'), empty: part('empty'), summary: part('summary'), zone: part('zone'), new: part('new') };
    this._makers = [...document.querySelectorAll('[data-make]')];
    for (const button of this._makers) button.addEventListener('click', () => make(button.dataset.make));
  }

  render(state) {
    this._link.render(state.link, Boolean(state.schedules));
    this._notices.render(state.notices);
    const may = mayControl(state.me);
    const ready = isLive(state) && state.schedules !== null;
    for (const button of this._makers) {
      button.disabled = !ready;
      lock(button, may ? null : 'plan');
    }
    this._others.sheet.render(ready && may);
    if (!state.schedules) return;
    const shift = clockShift(state.schedules);
    this._renderList(state, shift);
    this._renderZone(shift);
    this._others.sleep.render(state, shift);
    this._others.shows.render(state);
  }

  _renderList(state, shift) {
    const { list, empty, summary } = this._parts;
    const order = inOrder(state);
    if (list.getAttribute('aria-busy') === 'true') {
      list.replaceChildren();
      list.setAttribute('aria-busy', 'false');
    }
    empty.hidden = order.length > 0;
    list.hidden = order.length === 0;
    write(summary, t('plan_summary', { on: order.filter(({ enabled }) => enabled).length, all: order.length }));
    const before = this._cards;
    this._cards = new Map(order.map(({ id }) => [id, before.get(id) ?? new Card(this._acts)]));
    for (const schedule of order) this._cards.get(schedule.id).render(state, schedule, shift);
    arrange(list, [...this._cards.values()].map(({ element }) => element));
  }

  /** Say it if the clock on the wall here is another one than that of the panel. */
  _renderZone(shift) {
    const { zone } = this._parts;
    zone.hidden = shift === 0;
    const now = panelNow();
    if (shift) write(zone.querySelector('p'), t('plan_zone', { there: timeOf(now + 60 * shift), here: timeOf(now) }));
  }
}

/** Ask before something is deleted, and say what that means; returns a promise of whether it may be. */
export function askToDelete(name, what = t('plan_delete_what')) {
  return askFirst({ title: t('plan_delete_sure', { name }), what, keep: t('plan_keep'), lose: t('plan_delete') });
}
