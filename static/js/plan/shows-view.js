// The shows: each with a start, those that are playing with pause and stop, and a menu to edit, copy and delete.

import { isLive } from '../page-state.js';
import { lock } from '../lock.js';
import { mayControl } from '../me.js';
import { ROOT } from '../root.js';
import { arrange, setAttributes, write } from '../view/dom.js';
import { openMenu } from '../view/menu.js';
import { renderProgress, renderState } from '../watch/run-pill.js';
import { percentOf, showInWords } from '../watch/run-words.js';
import { stepName } from '../watch/step-words.js';
import { t, translate } from '../words.js';
import { kindInWords } from './show-words.js';
import { runOf, showsInOrder } from './state.js';

const SIGNALS = { go_on: 'start', pause: 'pause', stop: 'stop' }; // by the button: what the panel's shows understand

export class ShowsView {
  /**
   * `acts` has `start(name)`, `signal(run, signal)`, `add()`, and `edit(show)`, `copy(show)`, `remove(show)`; `sheet` is
   * that of one show.
   */
  constructor(acts, sheet) {
    this._acts = acts;
    this._sheet = sheet;
    this._list = document.getElementById('show-list');
    this._new = document.getElementById('new-show');
    this._new.addEventListener('click', () => acts.add());
    this._cards = new Map();
  }

  render(state) {
    const may = mayControl(state.me);
    const usable = isLive(state) && may;
    const shows = showsInOrder(state);
    const before = this._cards;
    this._cards = new Map(shows.map(({ name }) => [name, before.get(name) ?? new Card(this._acts)]));
    for (const show of shows) this._cards.get(show.name).render(state, show);
    arrange(this._list, [...this._cards.values()].map(({ element }) => element));
    for (const button of [this._new, ...this._list.querySelectorAll('button')]) button.disabled = !isLive(state);
    for (const region of [this._new, ...this._list.children]) lock(region, may ? null : 'runs');
    this._sheet.render(state, usable);
  }
}

class Card {
  constructor(acts) {
    this.element = document.getElementById('show-card').content.firstElementChild.cloneNode(true);
    translate(this.element);
    this._show = null;
    this._run = null;
    this._find = (selector) => this.element.querySelector(selector);
    this._find('.start').addEventListener('click', () => acts.start(this._show.name));
    this._signals = [...this.element.querySelectorAll('[data-signal]')];
    for (const button of this._signals) {
      button.addEventListener('click', () => acts.signal(this._run.id, SIGNALS[button.dataset.signal]));
    }
    const menu = this._find('.show-more');
    menu.addEventListener('click', () => {
      const show = this._show;
      const own = show.source === 'own';
      openMenu(menu, [
        own ? { label: t('plan_edit'), act: () => acts.edit(show) } : null,
        { label: t('show_copy_of_it'), act: () => acts.copy(show) },
        own ? { label: t('plan_delete'), act: () => acts.remove(show), danger: true } : null,
      ]);
    });
  }

  render(state, show) {
    const { title, description } = showInWords(show);
    const find = this._find;
    this._show = show;
    this.element.dataset.show = show.name;
    write(find('h3'), title);
    write(find('.show-kind'), kindInWords(show));
    write(find('.show-what'), description);
    setAttributes(find('.start'), { 'aria-label': t('watch_start_of', { name: title }) });
    setAttributes(find('.show-more'), { 'aria-label': t('show_more_of', { name: title }) });
    for (const button of this._signals) {
      const label = t('plan_show_signal_of', { signal: t(`watch_${button.dataset.signal}`), name: title });
      setAttributes(button, { 'aria-label': label });
    }
    this._renderRun(runOf(state, show), title);
  }

  _renderRun(run, title) {
    const find = this._find;
    const focused = this.element.contains(document.activeElement) && document.activeElement;
    this._run = run ?? null;
    this.element.dataset.plays = Boolean(run);
    find('.playing').hidden = !run;
    find('.start').hidden = Boolean(run);
    for (const button of this._signals) {
      const other = { pause: 'paused', go_on: 'running' }[button.dataset.signal];
      button.hidden = !run || run.state === other;
    }
    if (focused?.hidden) find('.show-acts button:not([hidden])')?.focus();
    find('.log').hidden = !run;
    if (!run) return;
    renderState(find('.pill'), run);
    renderProgress(find('.progress'), run, title);
    write(find('.run-step'), stepName(run.step));
    write(find('.run-percent'), percentOf(run));
    setAttributes(find('.log'), {
      href: `${ROOT}/watch${location.search}#run=${encodeURIComponent(run.id)}`,
      'aria-label': t('plan_show_log_of', { name: title }),
    });
  }
}
