// The sheet in which a show is made of steps, changed, and tried.

import { onSubmit, setAttributes, write } from '../view/dom.js';
import { renderProblem } from '../view/problem.js';
import { Sheet } from '../view/sheet.js';
import { percentOf } from '../watch/run-words.js';
import { t } from '../words.js';
import { pathIn } from './show-form.js';
import { totalInWords } from './show-words.js';
import { trialOf } from './state.js';
import { StepList } from './step-list.js';

export class ShowSheet extends Sheet {
  /**
   * `save(content, name)` makes the show, or changes the one of this name; `tryIt(content)` plays it without saving, and
   * `stop(run)` ends that. The first two return a promise of the reply. `askToLose()` asks whether what was changed may be
   * lost; it returns a promise of the answer.
   */
  constructor({ save, tryIt, stop, askToLose }) {
    super(document.getElementById('show-sheet'));
    this._acts = { save, tryIt, stop };
    this._askToLose = askToLose;
    this._kept = ''; // what is saved, or was there at the start
    this.dialog.addEventListener('close', () => this._closedByHand());
    this._find = (selector) => this.dialog.querySelector(selector);
    this._form = this._find('form');
    this._steps = [];
    this._name = null; // of the show that is changed
    this._run = null; // the trial that plays
    this._waits = false;
    this._usable = false;
    this._list = new StepList(this._find('.steps'), () => this._renderTotal());
    onSubmit(this._form, () => this._send(() => this._acts.save(this._content(), this._name), true));
    this._find('.try').addEventListener('click', () => {
      if (this._run) this._acts.stop(this._run.id);
      else this._send(() => this._acts.tryIt(this._content()), false);
    });
  }

  /** Open it for a new show, or with `name` for one that is there. `content` is `{title, description, steps}`. */
  open({ title, description, steps }, state, name = null) {
    this._name = name;
    this._steps = structuredClone(steps);
    write(this._find('h2'), t(name ? 'show_sheet_edit' : 'show_sheet_new'));
    write(this._find('.save'), t(name ? 'plan_save' : 'plan_save_new'));
    this._form.elements.title.value = title;
    this._form.elements.description.value = description;
    this._kept = JSON.stringify(this._content());
    this._clearProblems();
    this._list.show(this._steps, state);
    this._renderTotal();
    this._show();
    this._find('.sheet-body').scrollTop = 0;
  }

  render(state, usable) {
    this._usable = usable;
    this._run = trialOf(state);
    const button = this._find('.try');
    button.disabled = !usable || this._waits;
    this._find('.save').disabled = button.disabled;
    write(button.querySelector('span'), t(this._run ? 'show_try_stop' : 'show_try'));
    button.querySelector('use').setAttribute('href', this._run ? '#w-stop' : '#w-go');
    write(this._find('.trial'), this._run ? t('show_tries', { step: this._run.step ?? '', percent: percentOf(this._run) }) : '');
  }

  _content() {
    const { title, description } = this._form.elements;
    return { title: title.value.trim(), description: description.value.trim(), steps: this._steps };
  }

  _renderTotal() {
    write(this._find('.total'), totalInWords(this._steps));
  }

  async _send(send, closes) {
    if (this._waits) return;
    this._clearProblems();
    this._waits = true;
    for (const button of [this._find('.save'), this._find('.try')]) button.disabled = true;
    const reply = await send();
    this._waits = false;
    for (const button of [this._find('.save'), this._find('.try')]) button.disabled = !this._usable;
    if (!reply.ok) return this._refuse(reply.problem);
    if (!closes) return;
    this._kept = JSON.stringify(this._content());
    this.close();
  }

  /** A list of steps is work: a slip of the finger must not lose it. */
  async _closedByHand() {
    const opener = document.activeElement;
    if (JSON.stringify(this._content()) !== this._kept && !(await this._askToLose())) this._show(opener);
  }

  _clearProblems() {
    for (const text of this.dialog.querySelectorAll('.field-problem, .form-problem')) write(text, '');
    for (const part of this.dialog.querySelectorAll('[aria-invalid]')) part.removeAttribute('aria-invalid');
  }

  /** Show the problem at the step or the field that the panel names, else at the end. */
  _refuse(problem) {
    const { field, detail } = problem?.errors?.[0] ?? {};
    const path = pathIn(field);
    const last = field === path ? '' : field?.split('.').at(-1).replace(/\[\d+\]$/, ''); // the field of the step
    const own = t(`show_wrong_${last}`);
    const show = (element) => {
      if (own !== `show_wrong_${last}`) write(element, own);
      else renderProblem(element, { ...problem, detail });
    };
    if (path && this._list.refuse(path, last, show)) return;
    const part = this._find(`[data-field="${field}"]`);
    if (!part) {
      (field === 'steps' ? show : (element) => renderProblem(element, problem))(this._find('.form-problem'));
      return;
    }
    show(part.querySelector('.field-problem'));
    const control = part.querySelector('input');
    setAttributes(control, { 'aria-invalid': true });
    control.focus();
    part.scrollIntoView({ block: 'nearest' });
  }
}
