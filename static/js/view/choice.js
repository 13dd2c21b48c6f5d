// A row of chips of which one is chosen: native radio buttons, which work with keys and screen readers.

import { make } from './dom.js';

let rows = 0;

export class Choice {
  constructor(row, options, choose) {
    this._inputs = new Map();
    rows += 1;
    for (const { value, label } of options) {
      const input = make('input', { type: 'radio', name: `choice-${rows}`, value });
      input.addEventListener('change', () => choose(value));
      row.append(make('label', { className: 'chip' }, input, make('span', {}, label)));
      this._inputs.set(value, input);
    }
  }

  render(chosen) {
    for (const [value, input] of this._inputs) {
      if (input.checked !== (value === chosen)) input.checked = value === chosen;
    }
  }
}
