// The details of a run, the reply to `get_uia`: the pins of a show as a table, anything else as facts.

import { textOf } from '../text-of.js';
import { make } from '../view/dom.js';
import { Sheet } from '../view/sheet.js';
import { t } from '../words.js';

const FACTS = ['pid', 'command', 'cwd', 'seconds', 'cpu_seconds']; // of a command, which have words
const DEEPEST = 3; // levels of facts; what is deeper is shown as JSON
const LONGEST = 10_000; // characters of one fact

export class DrivesView extends Sheet {
  /** `close()` is called when the dialog is closed. */
  constructor(close) {
    super(document.getElementById('drives'));
    this._box = this.dialog.querySelector('.drives');
    this._answer = null;
    this.dialog.addEventListener('close', close);
  }

  render(answer) {
    if (answer === this._answer) return;
    this._answer = answer;
    if (!answer) return this.close();
    const { value } = answer;
    const pins = Array.isArray(value?.pins) && value.pins.every((pin) => pin && typeof pin === 'object');
    this._box.replaceChildren(pins ? this._pins(value.pins) : factsOf(value, 1));
    if (!this.isOpen) this._show();
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
}

/** An object as a list of names and values; a list of objects as several. */
function factsOf(value, depth) {
  const deeper = value !== null && typeof value === 'object';
  const all = deeper ? Object.entries(value) : [];
  const plain = !deeper || !all.length || depth > DEEPEST || (Array.isArray(value) && !value.some((one) => one && typeof one === 'object'));
  if (plain) return make('span', { className: 'fact' }, inText(value));
  const list = make('dl', { className: 'facts' });
  for (const [name, one] of all) {
    if (!Array.isArray(value)) list.append(make('dt', {}, FACTS.includes(name) ? t(`watch_fact_${name}`) : name));
    list.append(make('dd', {}, factsOf(one, depth + 1)));
  }
  return list;
}

function inText(value) {
  const words = Array.isArray(value) && !value.some((one) => one && typeof one === 'object') ? value.join(' ') : textOf(value);
  return (words || '–').slice(0, LONGEST);
}
