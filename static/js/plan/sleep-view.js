// The sleep timer: all lights off in some minutes, dimming until then or at the end; and what is left of it.

import { panelNow } from '../clock.js';
import { isLive } from '../page-state.js';
import { lock } from '../lock.js';
import { mayControl } from '../me.js';
import { remember, remembered } from '../remember.js';
import { timeOf } from '../times.js';
import { Choice } from '../view/choice.js';
import { make, write } from '../view/dom.js';
import { t } from '../words.js';
import { countdown } from './phrases.js';
import { sleepOf } from './state.js';

const MINUTES = [15, 30, 60];

export class SleepView {
  /** `begin(seconds, fading)` begins one, `cancel(sleep)` ends what `sleepOf` has found. */
  constructor({ begin, cancel }) {
    this._root = document.getElementById('sleep');
    this._find = (selector) => this._root.querySelector(selector);
    this._way = remembered('plan.sleep', 'fade');
    this._sleep = null;
    this._ways = new Choice(
      this._find('.ways'),
      ['fade', 'end'].map((value) => ({ value, label: t(`plan_sleep_${value}`) })),
      (way) => {
        this._way = way;
        remember('plan.sleep', way);
      },
    );
    for (const n of MINUTES) {
      const button = make('button', { type: 'button', className: 'button' }, t('plan_sleep_in', { n }));
      button.setAttribute('aria-label', t('plan_sleep_in_of', { n }));
      button.addEventListener('click', () => begin(60 * n, this._way === 'fade'));
      this._find('.minutes').append(button);
    }
    this._find('.cancel').addEventListener('click', () => cancel(this._sleep));
  }

  render(state, shift) {
    this._sleep = sleepOf(state);
    const lit = Object.values(state.lights).some(({ on, online }) => on && online);
    this._root.dataset.counts = Boolean(this._sleep);
    this._find('.sleep-start').hidden = Boolean(this._sleep);
    this._find('.sleep-left').hidden = !this._sleep;
    this._ways.render(this._way);
    for (const control of this._root.querySelectorAll('button, input')) {
      control.disabled = !isLive(state) || (!lit && control.closest('.minutes') !== null);
    }
    lock(this._root, mayControl(state.me) ? null : 'lights');
    if (this._sleep) this._renderLeft(state, shift);
    else write(this._find('.sleep-how'), t(lit ? 'plan_sleep_how' : 'plan_sleep_none_on'));
  }

  _renderLeft({ lights }, shift) {
    const { at, fading } = this._sleep;
    const time = timeOf(at + 60 * shift);
    const everyOne = fading?.length === Object.values(lights).filter(({ online }) => online).length;
    const name = everyOne ? t('plan_all_lights') : fading?.map((light) => light.name).join(', ');
    write(this._find('.sleep-count'), countdown(at - panelNow()));
    write(this._find('.sleep-how'), fading ? t('plan_sleep_fading', { name, time }) : t('plan_sleep_at', { time }));
  }
}
