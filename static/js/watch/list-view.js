// The list of the runs, and of the shows that can be started.

import { panelNow } from '../clock.js';
import { lock } from '../lock.js';
import { knownMe, mayControl } from '../me.js';
import { isLive } from '../page-state.js';
import { Choice } from '../view/choice.js';
import { write } from '../view/dom.js';
import { ago, t } from '../words.js';
import { addressOf } from './log-rows.js';
import { lookOf } from './run-look.js';
import { renderProgress, renderState } from './run-pill.js';
import { lastedOf, nameOf, percentOf, showInWords } from './run-words.js';
import { LOOKS, inOrder, listedRuns } from './state.js';
import { stepName } from './step-words.js';

const ICONS = { process: 'w-nodes', command: 'w-terminal', show: 'w-spark' };

export class ListView {
  /** `start(show, step)` starts a show, `all()` loads the older runs, `seek({text, look})` filters the list. */
  constructor({ start, all, seek }) {
    const part = (id) => document.getElementById(id);
    this._start = start;
    this._parts = {
      list: part('run-list'),
      runs: part('runs'),
      none: part('no-runs'),
      all: part('all-runs'),
      summary: part('summary'),
      tools: part('list-tools'),
      text: part('seek-run'),
      nothing: part('no-such-run'),
      shows: part('shows'),
      showList: part('show-list'),
    };
    this._cards = new Map();
    this._shows = null;
    this._parts.all.addEventListener('click', all);
    this._looks = new Choice(
      part('run-looks'),
      Object.keys(LOOKS).map((value) => ({ value, label: t(`watch_look_${value}`) })),
      (look) => seek({ look }),
    );
    this._parts.text.addEventListener('input', ({ target }) => seek({ text: target.value }));
  }

  render(state) {
    if (!state.runs) return;
    const { list, none, all, runs, summary, tools, nothing } = this._parts;
    runs.setAttribute('aria-busy', 'false');
    const order = inOrder(state);
    none.hidden = order.length > 0;
    list.hidden = order.length === 0;
    const going = order.filter((run) => run.state !== 'ended').length;
    write(summary, order.length ? t('watch_going', { n: going }) : '');
    const { listed, left } = listedRuns(state, (run) => nameOf(run, state.shows));
    tools.hidden = order.length === 0;
    this._looks.render(state.sought.look);
    nothing.hidden = listed.length > 0 || order.length === 0;
    all.hidden = !left;
    all.disabled = !isLive(state);
    this._renderRuns(listed, state.watch?.run, state.shows);
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
    for (const card of showList.children) lock(card, mayControl(knownMe()) ? null : 'runs');
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
  link.setAttribute('href', addressOf(run.id));
  if (chosen) link.setAttribute('aria-current', 'true');
  else link.removeAttribute('aria-current');
  card.dataset.look = lookOf(run);
  write(find('.run-name'), name);
  find('use').setAttribute('href', `#${ICONS[run.kind] ?? 'w-nodes'}`);
  find('.kind').setAttribute('title', t(`watch_kind_${run.kind}`));
  renderState(find('.pill'), run);
  renderProgress(find('.progress'), run, name);
  find('.progress').hidden = run.state === 'ended';
  write(find('.run-step'), run.state === 'ended' ? '' : stepName(run.step));
  const ended = run.state === 'ended';
  const now = panelNow();
  const when = ended ? t('watch_ended', { when: ago(run.ended_at ?? run.started_at, now) }) : '';
  write(find('.run-who'), [lastedOf(run, now), when, run.by?.name].filter(Boolean).join(' · '));
  find('.pinned').toggleAttribute('hidden', !run.pinned); // SVG has no property for it
  write(find('.run-percent'), ended ? '' : percentOf(run));
}
