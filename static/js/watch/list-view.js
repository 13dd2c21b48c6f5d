// The list of the runs, and of the shows that can be started.

import { panelNow } from '../clock.js';
import { isLive } from '../page-state.js';
import { write } from '../view/dom.js';
import { ago, t } from '../words.js';
import { lookOf, nameOf, percentOf, showInWords } from './run-words.js';
import { inOrder } from './state.js';

const ENDED = 5; // ended runs that are shown at first, so that the shows stay visible
const ICONS = { process: 'w-nodes', command: 'w-terminal', show: 'w-spark' };

export class ListView {
  /** `start(show, step)` starts a show, `all()` loads the older runs. */
  constructor({ start, all }) {
    const part = (id) => document.getElementById(id);
    this._start = start;
    this._parts = {
      list: part('run-list'),
      runs: part('runs'),
      none: part('no-runs'),
      all: part('all-runs'),
      summary: part('summary'),
      shows: part('shows'),
      showList: part('show-list'),
    };
    this._cards = new Map();
    this._shows = null;
    this._parts.all.addEventListener('click', all);
  }

  render(state) {
    if (!state.runs) return;
    const { list, none, all, runs, summary } = this._parts;
    runs.setAttribute('aria-busy', 'false');
    const order = inOrder(state);
    none.hidden = order.length > 0;
    list.hidden = order.length === 0;
    const going = order.filter((run) => run.state !== 'ended').length;
    write(summary, order.length ? t('watch_going', { n: going }) : '');
    const chosen = state.watch?.run;
    const shown = order.filter((run, at) => state.everyOne || at < going + ENDED || run.id === chosen);
    all.hidden = state.everyOne || order.length - going <= ENDED;
    all.disabled = !isLive(state);
    this._renderRuns(shown, chosen, state.shows);
    this._renderShows(state);
  }

  _renderRuns(order, chosen, shows) {
    const { list } = this._parts;
    for (const [id, card] of this._cards) {
      if (order.some((run) => run.id === id)) continue;
      card.remove();
      this._cards.delete(id);
    }
    let before = list.firstElementChild;
    for (const run of order) {
      let card = this._cards.get(run.id);
      if (!card) {
        card = document.getElementById('run-card').content.firstElementChild.cloneNode(true);
        this._cards.set(run.id, card);
      }
      renderCard(card, run, { name: nameOf(run, shows), chosen: run.id === chosen });
      if (card === before) before = before.nextElementSibling;
      else list.insertBefore(card, before);
    }
  }

  _renderShows(state) {
    const { shows, showList } = this._parts;
    const all = Object.values(state.shows);
    shows.hidden = all.length === 0;
    if (state.shows !== this._shows) {
      this._shows = state.shows;
      showList.replaceChildren(...all.map((show) => this._show(show)));
    }
    for (const button of showList.querySelectorAll('button')) button.disabled = !isLive(state);
  }

  _show(show) {
    const { name } = show;
    const { title, description } = showInWords(show);
    const card = document.getElementById('show-card').content.firstElementChild.cloneNode(true);
    card.dataset.show = name;
    card.querySelector('h3').textContent = title;
    card.querySelector('p').textContent = description;
    for (const [selector, key, step] of [
      ['.start', 'watch_start', false],
      ['.stepped', 'watch_step_through', true],
    ]) {
      const button = card.querySelector(selector);
      button.querySelector('span').textContent = t(key);
      button.setAttribute('aria-label', t(`${key}_of`, { name: title }));
      button.addEventListener('click', () => this._start(name, step));
    }
    return card;
  }
}

function renderCard(card, run, { name, chosen }) {
  const find = (selector) => card.querySelector(selector);
  const link = find('a');
  card.dataset.run = run.id;
  link.setAttribute('href', `#run=${encodeURIComponent(run.id)}`);
  if (chosen) link.setAttribute('aria-current', 'true');
  else link.removeAttribute('aria-current');
  card.dataset.look = lookOf(run);
  write(find('.run-name'), name);
  find('use').setAttribute('href', `#${ICONS[run.kind] ?? 'w-nodes'}`);
  find('.kind').setAttribute('title', t(`watch_kind_${run.kind}`));
  renderState(find('.pill'), run);
  renderProgress(find('.progress'), run, name);
  find('.progress').hidden = run.state === 'ended';
  write(find('.run-step'), run.state === 'ended' ? '' : run.step ?? '');
  const ended = run.state === 'ended';
  const when = ago(ended ? run.ended_at ?? run.started_at : run.started_at, panelNow());
  write(find('.run-who'), t(ended ? 'watch_by_ended' : 'watch_by', { who: run.by?.name ?? '', when }));
  write(find('.run-percent'), ended ? '' : percentOf(run));
}

export function renderState(pill, run) {
  const look = lookOf(run);
  pill.dataset.look = look;
  const code = look === 'failed' && run.exit_code !== null ? ` · ${run.exit_code}` : '';
  write(pill, t(`watch_is_${look}`) + code);
}

/** Draw the progress, or a moving bar where it is unknown. */
export function renderProgress(bar, run, name) {
  const known = run.progress !== null && run.progress !== undefined;
  bar.dataset.look = lookOf(run);
  bar.toggleAttribute('data-unknown', !known && run.state !== 'ended');
  bar.setAttribute('aria-label', t('watch_progress_of', { name }));
  if (known) bar.setAttribute('aria-valuenow', Math.floor(run.progress));
  else bar.removeAttribute('aria-valuenow');
  bar.style.setProperty('--share', known ? run.progress / 100 : run.state === 'ended' ? 1 : 0);
}
