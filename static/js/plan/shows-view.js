// The shows, each with a start, and those that are playing with pause and stop.

import { isLive } from '../page-state.js';
import { mayControl } from '../me.js';
import { setAttributes, write } from '../view/dom.js';
import { renderProgress, renderState } from '../watch/list-view.js';
import { percentOf, showInWords } from '../watch/run-words.js';
import { t, translate } from '../words.js';
import { runOf } from './state.js';

const SIGNALS = { go_on: 'start', pause: 'pause', stop: 'stop' }; // by the button: what the panel's shows understand

export class ShowsView {
  /** `start(show)` starts a show, `signal(run, signal)` sends a signal to one that is playing. */
  constructor({ start, signal }) {
    this._root = document.getElementById('shows');
    this._list = document.getElementById('show-list');
    this._start = start;
    this._signal = signal;
    this._cards = new Map();
    this._shows = null;
  }

  render(state) {
    const shows = Object.values(state.shows);
    this._root.hidden = shows.length === 0;
    const names = shows.map(({ name }) => name).join(' ');
    if (names !== this._shows) {
      this._shows = names;
      this._cards.clear();
      this._list.replaceChildren(...shows.map((show) => this._card(show)));
    }
    for (const show of shows) this._renderShow(state, show);
  }

  _card(show) {
    const card = document.getElementById('show-card').content.firstElementChild.cloneNode(true);
    const { title, description } = showInWords(show);
    translate(card);
    card.dataset.show = show.name;
    write(card.querySelector('h3'), title);
    write(card.querySelector('p'), description);
    card.querySelector('.start').addEventListener('click', () => this._start(show.name));
    card.querySelector('.start').setAttribute('aria-label', t('watch_start_of', { name: title }));
    for (const button of card.querySelectorAll('[data-signal]')) {
      const label = t('plan_show_signal_of', { signal: t(`watch_${button.dataset.signal}`), name: title });
      button.setAttribute('aria-label', label);
      button.addEventListener('click', () => this._signal(this._cards.get(show.name).run, SIGNALS[button.dataset.signal]));
    }
    this._cards.set(show.name, { card, run: null });
    return card;
  }

  _renderShow(state, show) {
    const kept = this._cards.get(show.name);
    const find = (selector) => kept.card.querySelector(selector);
    const run = runOf(state, show);
    const { title } = showInWords(show);
    kept.run = run?.id ?? null;
    kept.card.dataset.plays = Boolean(run);
    find('.playing').hidden = !run;
    find('.start').hidden = Boolean(run);
    const signals = kept.card.querySelectorAll('[data-signal]');
    const focused = [...signals].includes(document.activeElement);
    for (const button of signals) {
      button.hidden = !run || (button.dataset.signal === 'pause' && run.state === 'paused') || (button.dataset.signal === 'go_on' && run.state !== 'paused');
    }
    if (focused && document.activeElement.hidden) kept.card.querySelector('button:not([hidden])')?.focus();
    find('.log').hidden = !run;
    const may = mayControl(state.me);
    for (const button of kept.card.querySelectorAll('button')) {
      button.disabled = !isLive(state) || !may;
      button.title = may ? '' : t('plan_viewer');
    }
    if (!run) return;
    renderState(find('.pill'), run);
    renderProgress(find('.progress'), run, title);
    write(find('.run-step'), run.step ?? '');
    write(find('.run-percent'), percentOf(run));
    setAttributes(find('.log'), {
      href: `/watch${location.search}#run=${encodeURIComponent(run.id)}`,
      'aria-label': t('plan_show_log_of', { name: title }),
    });
  }
}
