// The sheet of the lights page that names, chooses and asks.

import { make, write } from '../view/dom.js';
import { lineOf } from '../view/problem.js';
import { Sheet } from '../view/sheet.js';
import { t } from '../words.js';

/** A form in a sheet. It stays open, and says why, while the panel refuses what is in it. */
export class FormSheet extends Sheet {
  constructor(dialog) {
    super(dialog);
    const find = (selector) => dialog.querySelector(selector);
    this._form = find('form');
    this._parts = {
      title: find('h2'),
      text: find('.form-text'),
      name: find('.form-name'),
      from: find('.form-from'),
      lights: find('.form-lights'),
      choices: find('.form-choices'),
      problem: find('.form-problem'),
      send: find('.form-send'),
    };
    this._send = null;
    this._form.addEventListener('submit', (event) => {
      event.preventDefault();
      this._submit();
    });
  }

  /**
   * Ask for what is given here: `name` (the text at first), `from` (`{value, label}` to choose one of), `lights`
   * (`{id, name, chosen}` to choose some of). `text` explains. `send(values)` returns a promise of the problem, or of null.
   */
  ask({ title, text = '', button = t('save'), danger = false, name = null, from = null, lights = null, send }) {
    const { parts, fields } = { parts: this._parts, fields: this._form.elements };
    write(parts.title, title);
    write(parts.text, text);
    write(parts.send, button);
    parts.send.classList.toggle('danger', danger);
    parts.text.hidden = !text;
    parts.problem.hidden = true;
    parts.name.hidden = name === null;
    fields.name.disabled = name === null;
    fields.name.value = name ?? '';
    parts.from.hidden = from === null;
    fields.from.replaceChildren(...(from ?? []).map(({ value, label }) => new Option(label, value)));
    parts.lights.hidden = lights === null;
    parts.choices.replaceChildren(...(lights ?? []).map(choiceOf));
    this._send = send;
    this._show();
    if (name !== null) fields.name.select();
    else parts.send.focus();
  }

  async _submit() {
    const { problem, send, choices } = this._parts;
    const { name, from } = this._form.elements;
    const lights = [...choices.querySelectorAll('input:checked')].map((input) => input.value);
    send.disabled = true;
    const refused = await this._send({ name: name.value.trim(), from: from.value, lights });
    send.disabled = false;
    problem.hidden = !refused;
    if (refused) write(problem, lineOf(refused));
    else this.close();
  }
}

function choiceOf({ id, name, chosen }) {
  const input = make('input', { type: 'checkbox', value: id, checked: chosen });
  return make('label', { className: 'node-choice' }, input, make('span', {}, name));
}
