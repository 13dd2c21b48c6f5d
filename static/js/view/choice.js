// A row of chips of which one is chosen: native radio buttons, so keys and screen readers know them.

let rows = 0;

export class Choice {
  constructor(row, options, choose) {
    this._inputs = new Map();
    rows += 1;
    for (const { value, label } of options) {
      const input = Object.assign(document.createElement('input'), { type: 'radio', name: `choice-${rows}`, value });
      const text = Object.assign(document.createElement('span'), { textContent: label });
      const chip = Object.assign(document.createElement('label'), { className: 'chip' });
      chip.append(input, text);
      input.addEventListener('change', () => choose(value));
      row.append(chip);
      this._inputs.set(value, input);
    }
  }

  render(chosen) {
    for (const [value, input] of this._inputs) {
      if (input.checked !== (value === chosen)) input.checked = value === chosen;
    }
  }
}
