// The list of the steps in the sheet of a show: each is one line in words, and the one that is open has its fields.

import { icon, make, setAttributes } from '../view/dom.js';
import { openMenu } from '../view/menu.js';
import { t } from '../words.js';
import { KINDS, freshStep, kindOf, listsIn } from './show-form.js';
import { stepInWords } from './show-words.js';
import { fieldsOf } from './step-fields.js';

const ICONS = { set: 'bulb', fade: 'p-fade', effect: 'w-spark', wait: 'p-timer', repeat: 'p-repeat', parallel: 'p-parallel' };
const MOST_BRANCHES = 8;

export class StepList {
  /** `changed()` is called after each change of the steps. */
  constructor(box, changed) {
    this._box = box;
    this._changed = changed;
    this._steps = [];
    this._state = { lights: {} };
    this._open = null; // the step whose fields are shown
    this._problem = null; // `{path, show(element), field}`
  }

  /** Show these steps, and change them in place. */
  show(steps, state) {
    this._steps = steps;
    this._state = state;
    this._open = null;
    this._problem = null;
    this._draw();
  }

  /** Open the step at this path, and have `show(element)` write there what is wrong; with its `field` in focus. */
  refuse(path, field, show) {
    this._problem = { path, show, field };
    this._open = this._at(path);
    this._draw();
    const row = this._row(this._open);
    if (!row) return false;
    const control = row.querySelector(`.step-fields [name="${field}"]`) ?? row.querySelector('.step-words');
    setAttributes(control, { 'aria-invalid': true });
    control.focus();
    row.scrollIntoView({ block: 'nearest' });
    return true;
  }

  _at(path, steps = this._steps, at = 'steps') {
    for (const [n, step] of steps.entries()) {
      const here = `${at}[${n}]`;
      if (here === path) return step;
      for (const list of listsIn(step, here)) {
        const found = this._at(path, list.steps, list.path);
        if (found) return found;
      }
    }
    return null;
  }

  // --- drawing ---------------------------------------------------------------------------------------------

  /** Draw all of it anew. `focus` is `{step, selector}`: what has the focus then. */
  _draw(focus = null) {
    this._rows = new Map();
    this._box.replaceChildren(...this._list(this._steps, 'steps', t('show_steps')));
    const control = focus && this._row(focus.step)?.querySelector(focus.selector);
    if (!control) return;
    control.focus();
    this._row(focus.step).scrollIntoView({ block: 'nearest' });
  }

  _row(step) {
    return this._rows.get(step);
  }

  _list(steps, path, name) {
    const list = make('ol', { className: 'step-list' }, ...steps.map((_, n) => this._item(steps, n, `${path}[${n}]`)));
    list.setAttribute('aria-label', name);
    const add = make('button', { type: 'button', className: 'button add-step' }, icon('plus'), t('show_add'));
    setAttributes(add, { 'aria-haspopup': 'menu', 'aria-expanded': false });
    add.addEventListener('click', () => {
      openMenu(
        add,
        KINDS.map((kind) => ({ label: t(`show_add_${kind}`), act: () => this._add(steps, kind) })),
      );
    });
    return [list, add];
  }

  _item(steps, n, path) {
    const step = steps[n];
    const isOpen = step === this._open;
    const words = make('span', { className: 'step-says' });
    const head = make('button', { type: 'button', className: 'step-words' }, icon(ICONS[kindOf(step)]), words, icon('p-open'));
    setAttributes(head, { 'aria-expanded': isOpen });
    head.addEventListener('click', () => {
      this._open = isOpen ? null : step;
      this._draw({ step, selector: '.step-words' });
    });
    const say = () => this._say(words, step);
    say();
    const item = make('li', { className: 'step' }, head);
    item.dataset.open = isOpen;
    if (this._problem?.path === path) item.append(this._problemText());
    if (isOpen) item.append(this._fields(step, say), this._acts(steps, n));
    for (const [number, inner] of listsIn(step, path).entries()) item.append(this._inner(step, inner, number));
    if (step.parallel && isOpen) item.append(this._branchActs(step));
    this._rows.set(step, item);
    return item;
  }

  _say(words, step) {
    const does = stepInWords(step, this._state.lights);
    words.replaceChildren(...(step.label ? [make('strong', {}, step.label), make('small', {}, does)] : [does]));
  }

  _problemText() {
    const text = make('p', { className: 'field-problem', role: 'alert' });
    this._problem.show(text);
    return text;
  }

  _inner(step, { steps, path }, number) {
    const name = step.repeat ? t('show_repeated') : t('show_branch', { n: number + 1 });
    const caption = step.parallel ? make('h4', {}, name) : null;
    const box = make('div', { className: 'step-inner' }, caption, ...this._list(steps, path, name));
    return box;
  }

  _fields(step, say) {
    const changed = () => {
      say();
      this._changed();
    };
    const redraw = (selector) => {
      this._changed();
      this._draw({ step, selector });
    };
    return make('div', { className: 'step-fields' }, ...fieldsOf(step, this._state, { changed, redraw }));
  }

  _acts(steps, n) {
    const act = (name, sign, press, disabled = false) => {
      const button = make('button', { type: 'button', className: `round quiet ${name}`, disabled }, icon(sign));
      setAttributes(button, { 'aria-label': t(`show_${name}`), title: t(`show_${name}`) });
      button.addEventListener('click', press);
      return button;
    };
    return make(
      'div',
      { className: 'step-acts' },
      act('up', 'p-up', () => this._move(steps, n, n - 1), n === 0),
      act('down', 'p-down', () => this._move(steps, n, n + 1), n === steps.length - 1),
      act('copy', 'copy', () => this._copy(steps, n)),
      act('remove', 'p-delete', () => this._remove(steps, n)),
    );
  }

  _branchActs(step) {
    const { branches } = step.parallel;
    const act = (key, disabled, press) => {
      const button = make('button', { type: 'button', className: 'button', disabled }, t(key));
      button.addEventListener('click', () => {
        press();
        this._restructured(step, '.step-words');
      });
      return button;
    };
    return make(
      'div',
      { className: 'branch-acts' },
      act('show_branch_more', branches.length >= MOST_BRANCHES, () => branches.push([])),
      act('show_branch_less', branches.length <= 2, () => branches.pop()),
    );
  }

  // --- changes ---------------------------------------------------------------------------------------------

  /** Draw anew after steps came, went or moved: the place of a problem is another one then. */
  _restructured(step, selector) {
    this._problem = null;
    this._changed();
    this._draw({ step, selector });
  }

  _add(steps, kind) {
    const step = freshStep(kind);
    steps.push(step);
    this._open = step;
    this._restructured(step, '.step-words');
  }

  _move(steps, from, to) {
    const [step] = steps.splice(from, 1);
    steps.splice(to, 0, step);
    const way = to < from ? '.up' : '.down';
    const end = to < from ? to === 0 : to === steps.length - 1; // there that button is disabled
    this._restructured(step, end ? (way === '.up' ? '.down' : '.up') : way);
  }

  _copy(steps, n) {
    const step = structuredClone(steps[n]);
    steps.splice(n + 1, 0, step);
    this._open = step;
    this._restructured(step, '.step-words');
  }

  _remove(steps, n) {
    steps.splice(n, 1);
    this._open = null;
    const next = steps[n] ?? steps[n - 1];
    if (next) return this._restructured(next, '.step-words');
    this._restructured(null, '');
    this._box.querySelector('.add-step').focus();
  }
}
