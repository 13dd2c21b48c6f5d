// What a run drives, the reply to `get_uia`: the pins of a show as a table, anything else as JSON.

import { make } from '../view/dom.js';
import { t } from '../words.js';

export class DrivesView {
  /** `close()` is called when the dialog is closed. */
  constructor(close) {
    this._dialog = document.getElementById('drives');
    this._box = this._dialog.querySelector('.drives');
    this._answer = null;
    this._dialog.addEventListener('close', close);
    this._dialog.querySelector('[data-close]').addEventListener('click', () => this._dialog.close());
    this._dialog.addEventListener('click', ({ target }) => target === this._dialog && this._dialog.close());
  }

  render(answer) {
    if (answer === this._answer) return;
    this._answer = answer;
    if (!answer) return this._dialog.close();
    const { value } = answer;
    const pins = Array.isArray(value?.pins) && value.pins.every((pin) => pin && typeof pin === 'object');
    this._box.replaceChildren(pins ? this._pins(value.pins) : this._json(value));
    if (!this._dialog.open) this._dialog.showModal();
  }

  _pins(pins) {
    if (!pins.length) return make('p', { className: 'hint-text' }, t('watch_no_pins'));
    const list = make('ul', { className: 'pins' });
    for (const { light, pin, factory, frequency, duty } of pins) {
      const row = make('li', { className: 'pin' });
      const share = Number.isFinite(duty) ? Math.min(Math.max(duty, 0), 1) : 0;
      row.style.setProperty('--share', share);
      const facts = [t('pin', { pin }), factory, Number.isFinite(frequency) ? t('watch_hz', { n: frequency }) : null];
      row.append(
        make('span', { className: 'bulb-now' }),
        make('strong', {}, String(light ?? '')),
        make('span', { className: 'duty' }, Number.isFinite(duty) ? `${Math.round(duty * 1000) / 10} %` : '–'),
        make('span', { className: 'pin-facts' }, facts.filter(Boolean).join(' · ')),
        make('span', { className: 'duty-bar' }),
      );
      list.append(row);
    }
    return list;
  }

  _json(value) {
    const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2) ?? '';
    const box = make('pre', { className: 'answer' }, text.slice(0, 100_000));
    box.tabIndex = 0;
    return box;
  }
}
