// The sheet in which a schedule is made and changed.

import { showInWords } from '../watch/run-words.js';
import { Choice } from '../view/choice.js';
import { make, onSubmit, setAttributes, write } from '../view/dom.js';
import { renderProblem } from '../view/problem.js';
import { Sheet } from '../view/sheet.js';
import { t } from '../words.js';
import { DAYS, WEEKDAYS, WEEKEND } from './days.js';
import { FADES, KINDS, fieldOf, ofKind } from './form.js';
import { dayName, durationInWords } from './phrases.js';

const PRESETS = { plan_every_day: DAYS, plan_weekdays: WEEKDAYS, plan_weekend: WEEKEND };
const NUMBERS = ['level', 'fade', 'offset', 'every', 'unit', 'minutes']; // fields whose value is a number

export class ScheduleSheet extends Sheet {
  /**
   * `save(values, schedule)` makes the schedule, or changes the one that is given; it returns a promise of the reply.
   * `nameOf(values)` is the name that it gets where nobody writes one.
   */
  constructor({ save, nameOf }) {
    super(document.getElementById('edit'));
    this._form = this.dialog.querySelector('form');
    this._save = save;
    this._nameOf = nameOf;
    this._values = {};
    this._schedule = null;
    this._saving = false;
    this._find = (selector) => this.dialog.querySelector(selector);
    this._chips = {
      verb: this._choice('verb', ['on', 'off', 'level'], 'plan_verb_'),
      kind: this._choice('kind', KINDS, 'plan_kind_', (kind) => this._set(ofKind(this._values, kind))),
      sun: this._choice('sun', ['sunrise', 'sunset'], 'plan_'),
      side: this._choice('side', ['before', 'after'], 'plan_'),
      missed: this._choice('missed', ['skip', 'run'], 'plan_missed_'),
    };
    this._makeDays();
    this._listen();
  }

  /** Open it for a new schedule, or for one that is there; `focus` is the field to begin with. */
  open(values, state, { schedule = null, focus = null } = {}) {
    this._schedule = schedule;
    this._values = withTargets(values, state);
    write(this._find('h2'), t(schedule ? 'plan_sheet_edit' : 'plan_sheet_new'));
    write(this._find('.save'), t(schedule ? 'plan_save' : 'plan_save_new'));
    this._makeActs(state);
    this._makeTargets(state);
    this._clearProblems();
    this._set({});
    this._fill();
    this._show();
    this._find('.sheet-body').scrollTop = 0;
    if (focus) this._find(`[name=${focus}]`).focus();
  }

  /** Make what it does impossible without a connection. */
  render(usable) {
    this._find('.save').disabled = !usable || this._saving;
  }

  // --- its parts -------------------------------------------------------------------------------------------

  _choice(field, values, prefix, choose = (value) => this._set({ [field]: value })) {
    const options = values.map((value) => ({ value, label: t(`${prefix}${value}`) }));
    return new Choice(this._find(`[data-chips=${field}]`), options, choose);
  }

  _makeActs(state) {
    const acts = ['light', 'scene', 'show', ...(this._values.act === 'kept' ? ['kept'] : [])];
    this._find('[data-chips=act]').replaceChildren();
    this._chips.act = this._choice('act', acts, 'plan_act_', (act) => {
      this._set({ act, ...(act === 'show' && this._values.kind === 'by' ? { kind: 'at' } : {}) }); // a show has no fade
    });
    this._find('.no-scenes').hidden = Object.keys(state.scenes).length > 0;
    this._find('select[name=scene]').hidden = Object.keys(state.scenes).length === 0;
  }

  _makeTargets(state) {
    const options = (list, noun) => list.map(({ id, name }) => make('option', { value: `${noun}:${id}` }, name));
    const group = (key, children) => (children.length ? [make('optgroup', { label: t(key) }, ...children)] : []);
    this._find('[name=target]').replaceChildren(
      make('option', { value: 'group:all' }, t('plan_all_lights')),
      ...group('plan_groups', options(Object.values(state.groups), 'group')),
      ...group('plan_lights', options(Object.values(state.lights), 'light')),
    );
    this._find('[name=scene]').replaceChildren(
      ...Object.values(state.scenes).map(({ id, name }) => make('option', { value: id }, name)),
    );
    this._find('[name=show]').replaceChildren(
      ...Object.values(state.shows).map((show) => make('option', { value: show.name }, showInWords(show).title)),
    );
    const fades = [...new Set([...FADES, this._values.fade])].sort((a, b) => a - b);
    this._find('[name=fade]').replaceChildren(
      ...fades.map((value) => make('option', { value }, value ? durationInWords(value) : t('plan_fade_none'))),
    );
  }

  _makeDays() {
    this._days = new Map();
    for (const day of DAYS) {
      const input = make('input', { type: 'checkbox', value: day });
      input.addEventListener('change', () => {
        const chosen = new Set(this._values.days);
        if (input.checked) chosen.add(day);
        else chosen.delete(day);
        this._set({ days: DAYS.filter((one) => chosen.has(one)) });
      });
      this._find('.days').append(make('label', { className: 'chip' }, input, make('span', {}, dayName(day))));
      this._days.set(day, input);
    }
    for (const [key, days] of Object.entries(PRESETS)) {
      const button = make('button', { type: 'button', className: 'button preset' }, t(key));
      button.addEventListener('click', () => this._set({ days }));
      this._find('.presets').append(button);
    }
  }

  _listen() {
    for (const control of this._controls()) {
      control.addEventListener('input', () => {
        const { name, value } = control;
        this._set({
          [name]: NUMBERS.includes(name) ? (value === '' ? null : Number(value)) : value,
          ...(name === 'time' && { untouched: false }),
        });
      });
    }
    onSubmit(this._form, () => this._submit());
  }

  // --- its values ------------------------------------------------------------------------------------------

  _set(change) {
    const before = this._values;
    this._values = { ...before, ...change };
    for (const [field, chips] of Object.entries(this._chips)) chips.render(this._values[field]);
    for (const [day, input] of this._days) input.checked = this._values.days.includes(day);
    for (const name of ['fade', 'time']) {
      const control = this._find(`[name=${name}]`);
      const wanted = String(this._values[name]);
      if (this._values[name] !== before[name] && control.value !== wanted) control.value = wanted; // by another kind
    }
    for (const part of this._form.querySelectorAll('[data-act], [data-verb], [data-kind]')) {
      part.hidden = ['act', 'verb', 'kind'].some((of) => part.dataset[of]?.split(' ').includes(this._values[of]) === false);
    }
    // What takes no time cannot be over by a time.
    this._find('[data-chips=kind] input[value=by]').disabled = this._values.act === 'show' && this._values.kind !== 'by';
    write(this._find('.time-caption'), t(this._values.kind === 'by' ? 'plan_by' : 'plan_at'));
    write(this._find('.fade-caption'), t(this._values.kind === 'by' ? 'plan_fade_by' : 'plan_fade'));
    write(this._find('.level-now'), `${this._values.level} %`);
    this._find('[name=name]').placeholder = this._nameOf(this._values);
  }

  _fill() {
    for (const control of this._controls()) control.value = this._values[control.name] ?? '';
  }

  /** The fields but the chips. */
  _controls() {
    return this._form.querySelectorAll('[name]:not([type=radio])');
  }

  async _submit() {
    if (this._saving) return;
    this._clearProblems();
    this._saving = true;
    this.render(false);
    const reply = await this._save(this._values, this._schedule);
    this._saving = false;
    this.render(true);
    if (reply.ok) this.close();
    else this._refuse(reply.problem);
  }

  // --- refusals --------------------------------------------------------------------------------------------

  _clearProblems() {
    for (const text of this.dialog.querySelectorAll('.field-problem, .form-problem')) write(text, '');
    for (const part of this.dialog.querySelectorAll('[aria-invalid]')) part.removeAttribute('aria-invalid');
  }

  /** Show the problem at the field that the panel names, else at the end. */
  _refuse(problem) {
    const { field: named, detail } = problem?.errors?.[0] ?? {};
    const field = fieldOf(named);
    const part = field && this._find(`[data-field=${field}]`);
    if (!part || part.closest('[hidden]')) {
      renderProblem(this._find('.form-problem'), problem);
      return;
    }
    const text = part.querySelector('.field-problem');
    const own = [`plan_wrong_${named.split('.').at(-1)}`, `plan_wrong_${field}`].find((key) => t(key) !== key);
    if (own) write(text, t(own));
    else renderProblem(text, { ...problem, detail });
    const control = part.querySelector('input, select');
    setAttributes(control, { 'aria-invalid': true });
    control.focus();
    part.scrollIntoView({ block: 'nearest' });
  }
}

/** The values, with a scene and a show that are there where none is chosen. */
function withTargets(values, { scenes, shows }) {
  return {
    ...values,
    scene: values.scene || (Object.keys(scenes)[0] ?? ''),
    show: values.show || (Object.keys(shows)[0] ?? ''),
  };
}
