// The shows that play, each as a strip above the lights: its step and its progress, with pause and stop.

import { lock } from '../lock.js';
import { mayControl } from '../me.js';
import { isLive } from '../page-state.js';
import { ROOT } from '../root.js';
import { arrange, icon, make, setAttributes, write } from '../view/dom.js';
import { renderProgress } from '../watch/run-pill.js';
import { nameOf, percentOf } from '../watch/run-words.js';
import { t } from '../words.js';

const MOST = 3; // strips
const STOP = { key: 'stop', sign: 'w-stop', signal: 'stop' };
const PAUSE = { key: 'pause', sign: 'w-pause', signal: 'pause' };
const GO_ON = { key: 'go_on', sign: 'w-go', signal: 'start' };

export class Playing {
  /** `signal(run, signal)` sends a signal to a show that plays. */
  constructor(box, signal) {
    this._box = box;
    this._signal = signal;
    this._strips = new Map();
    this._more = make('a', { className: 'playing-more' });
  }

  render(state) {
    const runs = Object.values(state.runs)
      .filter((run) => run.kind === 'show' && run.state !== 'ended')
      .sort((a, b) => b.started_at - a.started_at);
    const before = this._strips;
    this._strips = new Map(runs.slice(0, MOST).map(({ id }) => [id, before.get(id) ?? new Strip(id, this._signal)]));
    for (const run of runs.slice(0, MOST)) this._strips.get(run.id).render(state, run);
    const more = runs.length - MOST;
    if (more > 0) write(this._more, t('playing_more', { n: more }));
    setAttributes(this._more, { href: `${ROOT}/watch${location.search}` });
    arrange(this._box, [...[...this._strips.values()].map(({ element }) => element), ...(more > 0 ? [this._more] : [])]);
    this._box.hidden = runs.length === 0;
  }
}

class Strip {
  constructor(run, signal) {
    this._name = make('strong');
    this._step = make('span');
    this._words = make('a', { className: 'playing-words' }, this._name, this._step);
    this._words.href = `${ROOT}/watch${location.search}#run=${encodeURIComponent(run)}`;
    this._bar = make('span', { className: 'progress', role: 'progressbar' }, make('span'));
    setAttributes(this._bar, { 'aria-valuemin': 0, 'aria-valuemax': 100 });
    this._isPaused = false;
    this._pause = this._button(() => signal(run, (this._isPaused ? GO_ON : PAUSE).signal));
    this._stop = this._button(() => signal(run, STOP.signal));
    this.element = make('div', { className: 'playing-strip' }, icon('w-spark'), this._words, this._pause, this._stop, this._bar);
    setAttributes(this.element, { role: 'group', 'data-run': run });
  }

  _button(press) {
    const button = make('button', { type: 'button', className: 'round quiet' }, icon('w-stop'));
    button.addEventListener('click', press);
    return button;
  }

  render(state, run) {
    const name = nameOf(run, state.shows);
    lock(this.element, mayControl(state.me) ? null : 'runs');
    this._isPaused = run.state === 'paused';
    setAttributes(this.element, { 'aria-label': t('playing', { name }), 'data-look': run.state });
    write(this._name, name);
    write(this._step, [this._isPaused ? t('playing_paused') : percentOf(run), run.step].filter(Boolean).join(' · '));
    renderProgress(this._bar, run, name);
    for (const [button, { key, sign }] of [
      [this._pause, this._isPaused ? GO_ON : PAUSE],
      [this._stop, STOP],
    ]) {
      setAttributes(button, { 'aria-label': t(`playing_${key}`, { name }) });
      button.querySelector('use').setAttribute('href', `#${sign}`);
      button.disabled = !isLive(state);
    }
  }
}
