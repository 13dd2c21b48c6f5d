// The run on show: name, progress, signals, graph and log.

import { panelNow } from '../clock.js';
import { isLive } from '../page-state.js';
import { Choice } from '../view/choice.js';
import { write } from '../view/dom.js';
import { inWords } from '../view/problem.js';
import { ago, t } from '../words.js';
import { GraphView } from './graph-view.js';
import { RANKS } from './lines.js';
import { LogView } from './log-view.js';
import { renderProgress, renderState } from './list-view.js';
import { endOf, lookOf, nameOf, percentOf, tookOf } from './run-words.js';
import { runOnShow } from './state.js';

const KEEP_BELOW = 16; // px between the run and the end of the window
const LEAST_HEIGHT = 420; // px

export class RunView {
  /** `signal(signal)` sends a signal, `log` has the functions of the LogView, `save(run)` downloads the whole log. */
  constructor({ signal, log, save }) {
    this._root = document.getElementById('run');
    const find = (selector) => this._root.querySelector(selector);
    this._find = find;
    this._graph = new GraphView(find('.graph-pane'));
    this._log = new LogView(find('.log-pane'), log);
    this._list = document.querySelector('.watch .list');
    this._run = null;
    this._tab = 'log';
    for (const button of this._root.querySelectorAll('[data-signal]')) {
      button.addEventListener('click', () => {
        const go = this._kind === 'process' ? 'continue' : 'start';
        signal(button.dataset.signal === 'go_on' ? go : button.dataset.signal);
      });
    }
    find('.save').addEventListener('click', (event) => {
      event.preventDefault();
      save(this._run);
    });
    this._tabs = new Choice(
      find('.run-tabs'),
      ['log', 'graph'].map((value) => ({ value, label: t(`watch_tab_${value}`) })),
      (tab) => this._show(tab),
    );
    const levels = new Choice(
      find('.levels'),
      Object.keys(RANKS).map((value) => ({ value, label: t(`watch_show_${value}`) })),
      (level) => this._log.show(level),
    );
    levels.render('all');
    this._show('log');
    addEventListener('resize', () => this._measure());
    new ResizeObserver(() => this._measure()).observe(document.querySelector('.page'));
  }

  render(state) {
    const { watch } = state;
    this._root.hidden = !watch;
    if (!watch) {
      this._run = null;
      return;
    }
    const fresh = watch.run !== this._run;
    this._run = watch.run;
    const run = runOnShow(state);
    const there = Boolean(run) && watch.status !== 'missing';
    this._find('.run-body').hidden = !there;
    this._find('.run-missing').hidden = watch.status !== 'missing';
    if (watch.status === 'missing') {
      const { title, detail, foreign } = inWords(watch.problem);
      write(this._find('.run-missing h2'), title);
      write(this._find('.run-missing p'), detail);
      this._find('.run-missing p').lang = foreign ? 'en' : '';
    }
    if (!there) return;
    this._kind = run.kind;
    this._renderHead(state, run);
    if (fresh && !this._list.offsetParent) this._find('#run-name').focus({ preventScroll: true }); // the list is hidden now
    this._renderGraph(watch, run, fresh);
    this._measure();
    this._log.render(watch, run);
  }

  _renderHead(state, run) {
    const find = this._find;
    this._root.dataset.look = lookOf(run);
    const name = nameOf(run, state.shows);
    write(find('#run-name'), name);
    renderState(find('.run-head .pill'), run);
    renderProgress(find('.run-head .progress'), run, name);
    const percent = percentOf(run);
    write(find('.run-head .percent'), percent);
    write(find('.step-now'), run.state === 'ended' ? howItEnded(run) : run.step ?? '');
    const ended = run.state === 'ended';
    find('.far-words').hidden = !ended && !run.step && !percent;
    const facts = [
      t(`watch_kind_${run.kind}`),
      t('watch_by', { who: run.by?.name ?? '', when: ago(run.started_at, panelNow()) }),
      ended && run.ended_at ? tookOf(run) : '',
      t('watch_lines', { n: Math.max(run.lines, state.watch.log.end) }),
    ];
    write(find('.run-facts'), facts.filter(Boolean).join(' · '));
    this._renderSignals(state, run);
    const link = find('.save');
    link.href = `/runs/${encodeURIComponent(run.id)}/log`;
  }

  _renderSignals(state, run) {
    const ended = run.state === 'ended';
    const shown = {
      pause: run.state === 'running',
      go_on: run.state === 'paused',
      step: run.kind !== 'command', // a command has no steps
      stop: true,
      get_uia: true,
    };
    const box = this._find('.signals');
    box.hidden = ended || !run.producer;
    this._find('.no-producer').hidden = ended || run.producer;
    for (const button of box.querySelectorAll('[data-signal]')) {
      const had = button === document.activeElement;
      button.hidden = !shown[button.dataset.signal];
      button.disabled = !isLive(state) || state.asking !== null;
      // "Pause" and "go on" are in one place: after a press of one, the other has the focus.
      if (had && button.hidden) box.querySelector('[data-signal]:not([hidden])')?.focus();
    }
  }

  _renderGraph(watch, run, fresh) {
    const has = Boolean(watch.graph?.nodes?.length);
    const body = this._find('.run-body');
    this._find('.graph-pane').hidden = !has;
    this._find('.run-tabs').hidden = !has;
    body.dataset.graph = has ? 'here' : 'none';
    if (fresh) this._show('log');
    if (!has) return;
    this._graph.render(watch, run, fresh);
    body.dataset.shape = this._graph.tall ? 'tall' : 'wide';
  }

  _show(tab) {
    this._tab = tab;
    this._find('.run-body').dataset.tab = tab;
    this._tabs.render(tab);
  }

  /** Make the run fill the window to its end, whatever is above it. */
  _measure() {
    if (this._root.hidden) return;
    // Beside the list it is sticky, so measure at the list.
    const beside = this._list.offsetParent ? this._list : this._root;
    const top = beside.getBoundingClientRect().top + scrollY;
    const nav = parseFloat(getComputedStyle(document.body).paddingBottom) || 0;
    const height = Math.max(innerHeight - top - nav - KEEP_BELOW, LEAST_HEIGHT);
    const wanted = `${Math.floor(height)}px`;
    if (this._root.style.getPropertyValue('--room') !== wanted) this._root.style.setProperty('--room', wanted);
  }
}

function howItEnded(run) {
  return [...endOf(run), ...(run.ended_at ? [ago(run.ended_at, panelNow())] : [])].join(' · ');
}
