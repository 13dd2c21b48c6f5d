// A sheet of the settings page: one with a form, and what the panel said about its fields.

import { onSubmit, write } from '../view/dom.js';
import { renderProblem } from '../view/problem.js';
import { Sheet } from '../view/sheet.js';
import { t } from '../words.js';

export class FormSheet extends Sheet {
  /** `send()` is called when the form is sent; the sheet takes no other sending meanwhile. */
  constructor(id, send) {
    super(document.getElementById(id));
    this.form = this.dialog.querySelector('form');
    this._title = this.dialog.querySelector('h2');
    this._problem = this.form.querySelector('.form-problem');
    const sending = this.form.querySelector('button:not([type])');
    onSubmit(this.form, async () => {
      if (sending.disabled) return;
      sending.disabled = true;
      this.clear();
      await send().finally(() => (sending.disabled = false));
    });
  }

  open(title) {
    this.clear();
    write(this._title, title);
    if (!this.isOpen) this._show();
    this.dialog.scrollTop = 0;
  }

  /** Show why the panel refused: at the fields that it names, else above the buttons. `names` are other names of fields. */
  show(problem, names = {}) {
    const found = (problem?.errors ?? [])
      .map(({ field, detail }) => ({ box: this._boxOf(names[field] ?? field), detail }))
      .filter(({ box }) => box);
    for (const { box, detail } of found) this.mark(box, wrongOf(box, detail));
    if (found.length) return this._goTo(found[0].box);
    if (problem === null) return this.say(t('setup_failed'));
    renderProblem(this._problem, problem);
    this._problem.scrollIntoView({ block: 'nearest' });
  }

  /** Say what is wrong above the buttons. */
  say(words) {
    write(this._problem, words);
    this._problem.scrollIntoView({ block: 'nearest' });
  }

  /** Say what is wrong at this field. */
  wrong(field, words) {
    const box = this._boxOf(field);
    this.mark(box, words);
    this._goTo(box);
  }

  mark(box, words) {
    write(box.querySelector('.field-problem'), words);
    for (const input of box.querySelectorAll('input, select')) input.setAttribute('aria-invalid', 'true');
  }

  clear() {
    write(this._problem, '');
    for (const said of this.form.querySelectorAll('.field-problem')) write(said, '');
    for (const input of this.form.querySelectorAll('[aria-invalid]')) input.removeAttribute('aria-invalid');
  }

  _boxOf(field) {
    const box = field && this.form.querySelector(`[data-field="${CSS.escape(field)}"]`);
    return box?.querySelector('.field-problem') ? box : null;
  }

  _goTo(box) {
    const details = box.closest('details');
    if (details) details.open = true;
    box.scrollIntoView({ block: 'nearest' });
    [...box.querySelectorAll('input, select')].find((input) => input.checkVisibility() && input.type !== 'radio')?.focus();
  }
}

/** The rule of a field, if the page has words for it, else what the panel said of it. */
function wrongOf(box, detail) {
  const key = `setup_${box.dataset.field}_rule`;
  return t(key) === key ? sentence(detail) : t(key);
}

/** The text with a capital letter and a full stop. */
export function sentence(text) {
  return /[.!?]$/.test(text) ? text : `${text[0].toUpperCase()}${text.slice(1)}.`;
}
