// The card of a schedule: what it does and when, and what one can do with it.

import { panelNow } from '../clock.js';
import { isLive } from '../page-state.js';
import { lock } from '../lock.js';
import { mayControl } from '../me.js';
import { setAttributes, write } from '../view/dom.js';
import { t, translate } from '../words.js';
import { countdown, durationInWords, momentInWords, whatInWords, whenInWords, whyInWords } from './phrases.js';

const SOON = 3600; // seconds before it is due in which the card says how many minutes are left
const ICONS = { at: 'sign-clock', by: 'p-wake', sun: 'p-sun', every: 'p-repeat', once: 'p-date' };

export class Card {
  /** `turn(schedule, on)`, `skip(schedule, skip)`, `edit(schedule)`, `remove(schedule)`: what its controls do. */
  constructor(acts) {
    this.element = document.getElementById('plan-card').content.firstElementChild.cloneNode(true);
    this._find = (selector) => this.element.querySelector(selector);
    translate(this.element);
    this._schedule = null;
    const on = this._find('.switch input');
    on.addEventListener('change', () => acts.turn(this._schedule, on.checked));
    this._find('.skip').addEventListener('click', () => acts.skip(this._schedule, !this._schedule.skips));
    this._find('.edit').addEventListener('click', () => acts.edit(this._schedule));
    for (const button of this.element.querySelectorAll('.delete, .cancel')) {
      button.addEventListener('click', () => acts.remove(this._schedule));
    }
  }

  render(state, schedule, shift) {
    this._schedule = schedule;
    const { id, name, enabled, is_timer: isTimer, next } = schedule;
    const find = this._find;
    const what = whatInWords(schedule.do, state);
    setAttributes(this.element, { 'data-schedule': id, 'data-on': enabled });
    setAttributes(find('.kind use'), { href: `#${isTimer ? 'p-timer' : ICONS[Object.keys(ICONS).find((kind) => kind in schedule.when)]}` });
    write(find('.plan-name'), name);
    write(find('.plan-when'), whenInWords(schedule, shift));
    write(find('.plan-what'), what.text);
    find('.plan-gone').hidden = !what.gone;
    this._renderNext(schedule, shift);
    this._renderLast(schedule.last, shift);
    this._renderControls(state, schedule, isTimer && next !== null);
  }

  _renderNext({ enabled, next, why, skips, is_timer: isTimer, when, last }, shift) {
    const [now, line, reason] = [panelNow(), this._find('.plan-next'), this._find('.plan-why')];
    const said = whyInWords(why ?? '');
    reason.hidden = !why;
    write(reason, said.text);
    reason.lang = said.foreign ? 'en' : '';
    line.dataset.look = skips ? 'skips' : next === null ? 'none' : 'next';
    line.hidden = next === null && Boolean(why);
    if (next === null) return write(line, t(when.once && !enabled && last ? 'plan_is_over' : 'plan_off'));
    const moment = momentInWords(next + 60 * shift, now + 60 * shift);
    if (skips) return write(line, t('plan_skips', { when: moment }));
    if (isTimer) return write(line, t('plan_left', { left: countdown(next - now) }));
    const left = next - now;
    const soon = left > 0 && left < SOON;
    const minutes = durationInWords(60 * Math.ceil(left / 60));
    write(line, t(soon ? 'plan_next_soon' : 'plan_next', { when: moment, left: minutes }));
  }

  _renderLast(last, shift) {
    const line = this._find('.plan-last');
    line.hidden = !last;
    if (!last) return;
    line.dataset.look = last.outcome;
    const when = momentInWords(last.at + 60 * shift, panelNow() + 60 * shift);
    write(line.querySelector('.plan-outcome'), t(`plan_last_${last.outcome}`, { when }));
    write(line.querySelector('.plan-detail'), last.detail ?? '');
  }

  _renderControls(state, { id, name, enabled, next, skips, when }, counts) {
    const find = this._find;
    const on = find('.switch input');
    if (!state.asking[id]) on.checked = enabled;
    setAttributes(on, { 'aria-label': t('plan_switch_of', { name }) });
    find('.switch').hidden = find('.edit').hidden = find('.delete').hidden = counts;
    find('.skip').hidden = counts || next === null || Boolean(when.once && !skips); // a date is switched off
    find('.cancel').hidden = !counts;
    write(find('.skip span'), t(skips ? 'plan_no_skip' : 'plan_skip'));
    for (const [selector, key] of [['.edit', 'plan_edit_of'], ['.delete', 'plan_delete_of'], ['.cancel', 'plan_cancel_of']]) {
      setAttributes(find(selector), { 'aria-label': t(key, { name }) });
    }
    for (const control of this.element.querySelectorAll('button, input')) control.disabled = !isLive(state);
    lock(this.element, mayControl(state.me) ? null : 'plan');
  }
}
