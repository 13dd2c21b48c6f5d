// The run on show: name, progress, signals, graph and log.

import { panelNow } from '../clock.js';
import { lock } from '../lock.js';
import { knownMe, mayControl } from '../me.js';
import { isLive } from '../page-state.js';
import { ROOT } from '../root.js';
import { Choice } from '../view/choice.js';
import { setAttributes, write } from '../view/dom.js';
import { inWords } from '../view/problem.js';
import { ago, t } from '../words.js';
import { GraphView } from './graph-view.js';
import { SHOWN } from './find.js';
import { LogView } from './log-view.js';
import { lookOf } from './run-look.js';
import { renderProgress, renderState } from './run-pill.js';
import { endOf, lastedOf, nameOf, percentOf, showOf, silenceOf, tookOf } from './run-words.js';
import { runOnShow } from './state.js';
import { stepName } from './step-words.js';

const KEEP_BELOW = 16; // px between the run and the end of the window
const LEAST_HEIGHT = 420; // px

export class RunView {
  /**
   * `signal(signal)` sends a signal, `log` has the functions of the LogView, `save(run)` downloads the whole log. `again`,
   * `pin` and `remove` get the run to start again, to pin or not, and to delete.
   */
  constructor({ signal, log, save, again, pin, remove }) {
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
    for (const [name, act] of Object.entries({ again, pin, remove })) {
      find(`[data-act=${name}]`).addEventListener('click', () => act(this._shownRun));
    }
    this._tabs = new Choice(
      find('.run-tabs'),
      ['log', 'graph'].map((value) => ({ value, label: t(`watch_tab_${value}`) })),
      (tab) => this._show(tab),
    );
    this._levels = new Choice(
      find('.levels'),
      Object.keys(SHOWN).map((value) => ({ value, label: t(`watch_show_${value}`) })),
      (show) => this._log.show(show),
    );
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
    const find = this._find;
    const deleted = watch.status === 'deleted';
    const missing = deleted || watch.status === 'missing';
    const there = Boolean(run) && !missing;
    this._find('.run-body').hidden = !there;
    this._find('.run-missing').hidden = !missing;
    if (missing) {
      const said = { title: t('watch_deleted'), detail: t('watch_deleted_by', { who: watch.problem?.name ?? '' }) };
      const { title, detail, foreign } = deleted ? said : inWords(watch.problem);
      write(this._find('.run-missing h2'), title);
      write(this._find('.run-missing p'), detail);
      this._find('.run-missing p').lang = foreign ? 'en' : '';
    }
    if (!there) return;
    this._kind = run.kind;
    this._shownRun = run;
    this._renderHead(state, run);
    if (fresh && !this._list.offsetParent) this._find('#run-name').focus({ preventScroll: true }); // the list is hidden now
    this._renderGraph(watch, run, fresh);
    this._measure();
    this._levels.render(watch.find.show);
    find('.levels [value=stderr]').closest('label').hidden = run.kind !== 'command';
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
    write(find('.step-now'), run.state === 'ended' ? howItEnded(run) : stepName(run.step));
    const ended = run.state === 'ended';
    find('.far-words').hidden = !ended && !run.step && !percent;
    const facts = [
      t(`watch_kind_${run.kind}`),
      t('watch_by', { who: run.by?.name ?? '', when: ago(run.started_at, panelNow()) }),
      ended ? tookOf(run) : lastedOf(run, panelNow()),
      t('watch_lines', { n: Math.max(run.lines, state.watch.log.end) }),
      run.errors ? t('watch_errors', { n: run.errors }) : '',
    ];
    write(find('.run-facts'), facts.filter(Boolean).join(' · '));
    this._renderSignals(state, run);
    this._renderActs(state, run);
    const link = find('.save');
    link.href = `${ROOT}/runs/${encodeURIComponent(run.id)}/log`;
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
    lock(box, mayControl(knownMe()) ? null : 'runs');
    const alone = this._find('.no-producer');
    alone.hidden = ended || run.producer;
    if (!alone.hidden) write(alone, silenceOf(run, panelNow()) || t('watch_no_producer'));
    for (const button of box.querySelectorAll('[data-signal]')) {
      const had = button === document.activeElement;
      button.hidden = !shown[button.dataset.signal];
      button.disabled = !isLive(state) || state.asking !== null;
      // "Pause" and "go on" are in one place: after a press of one, the other has the focus.
      if (had && button.hidden) box.querySelector('[data-signal]:not([hidden])')?.focus();
    }
  }

  _renderActs(state, run) {
    const [again, pin, remove] = ['again', 'pin', 'remove'].map((name) => this._find(`[data-act=${name}]`));
    again.hidden = run.state !== 'ended' || !(run.command || showOf(run, state.shows));
    remove.hidden = run.state !== 'ended';
    const label = t(run.pinned ? 'watch_unpin' : 'watch_pin');
    setAttributes(pin, { 'aria-label': label, title: label, 'aria-pressed': Boolean(run.pinned) });
    for (const button of [again, pin, remove]) button.disabled = !isLive(state);
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
