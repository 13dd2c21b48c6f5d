// The fields of one step of a show, by its kind.

import { Choice } from '../view/choice.js';
import { make, write } from '../view/dom.js';
import { t } from '../words.js';
import { EFFECTS, kindOf, verbOf, withVerb } from './show-form.js';

const UNITS = [1, 60, 3600]; // seconds
const TIMES = 3; // of a repeat that was endless

/**
 * The fields of a step, which change it in place. `state` has the lights and groups. `changed()` is called after each
 * change, `redraw()` where other fields are needed then.
 */
export function fieldsOf(step, state, { changed, redraw }) {
  const kind = kindOf(step);
  const values = step[kind];
  const set = (name, value) => {
    if (value === undefined) delete values[name];
    else values[name] = value;
    changed();
  };
  const fields = {
    set: () => [lightField(values, state, set), ...verbFields(step, set, redraw)],
    fade: () => [lightField(values, state, set), levelField(values, set), timeField(values, set)],
    effect: () => [lightField(values, state, set), effectField(values, set), levelIfAny(values, set)],
    wait: () => [timeField(values, set)],
    repeat: () => repeatFields(values, set, redraw),
    parallel: () => [],
  }[kind]();
  return [...fields, labelField(step, changed)];
}

function field(caption, control, name) {
  return make('label', { className: 'field' }, make('span', {}, caption), Object.assign(control, { name }));
}

function select(options, chosen, choose) {
  const control = make('select', {}, ...options.map(([value, label]) => make('option', { value }, label)));
  control.value = chosen;
  control.addEventListener('input', () => choose(control.value));
  return control;
}

function number(value, change, more = {}) {
  const control = make('input', { type: 'number', inputMode: 'decimal', min: 0, step: 'any', value: value ?? '', ...more });
  control.addEventListener('input', () => change(control.value === '' ? null : Number(control.value)));
  return control;
}

function lightField(values, { lights }, set) {
  const known = Object.values(lights).map(({ id, name }) => [id, name]);
  const gone = values.light !== undefined && !(values.light in lights) ? [[values.light, values.light]] : [];
  const options = [['', t('plan_all_lights')], ...known, ...gone];
  return field(t('show_light'), select(options, values.light ?? '', (light) => set('light', light || undefined)), 'light');
}

function verbFields(step, set, redraw) {
  const chips = make('div', { className: 'chips', role: 'radiogroup' });
  chips.setAttribute('aria-label', t('plan_verb'));
  const verb = verbOf(step.set);
  const options = ['on', 'off', 'level'].map((value) => ({ value, label: t(`plan_verb_${value}`) }));
  new Choice(chips, options, (chosen) => {
    step.set = withVerb(step.set, chosen);
    redraw(`[value=${chosen}]`);
  }).render(verb);
  return verb === 'level' ? [chips, levelField(step.set, set)] : [chips];
}

function levelField(values, set) {
  const now = make('output', { className: 'level-now' }, `${values.level} %`);
  const control = make('input', { type: 'range', min: 0, max: 100, value: values.level, name: 'level' });
  control.addEventListener('input', () => {
    write(now, `${control.value} %`);
    set('level', Number(control.value));
  });
  const caption = make('span', {}, `${t('plan_level')} `, now);
  return make('label', { className: 'field level-field' }, caption, control);
}

function levelIfAny(values, set) {
  const change = (level) => set('level', level ?? undefined);
  const more = { max: 100, step: 1, inputMode: 'numeric', placeholder: t('show_as_it_is') };
  return field(t('show_level_percent'), number(values.level, change, more), 'level');
}

function timeField(values, set) {
  let unit = UNITS.findLast((size) => size === 1 || (values.seconds >= size && values.seconds % size === 0));
  const amount = values.seconds === null ? null : values.seconds / unit;
  const control = number(amount, () => give());
  const give = () => set('seconds', control.value === '' ? null : Number(control.value) * unit);
  const units = select(
    UNITS.map((size) => [size, t(`show_unit_${size}`)]),
    unit,
    (size) => {
      unit = Number(size);
      give();
    },
  );
  units.setAttribute('aria-label', t('plan_unit'));
  control.setAttribute('aria-label', t('show_time'));
  control.name = 'seconds';
  return make('div', { className: 'field' }, make('span', {}, t('show_time')), make('div', { className: 'pair' }, control, units));
}

function effectField(values, set) {
  const options = EFFECTS.map((effect) => [effect, t(`effect_${effect}`)]);
  return field(t('effect'), select(options, values.effect, (effect) => set('effect', effect)), 'effect');
}

function repeatFields(values, set, redraw) {
  const chips = make('div', { className: 'chips', role: 'radiogroup' });
  chips.setAttribute('aria-label', t('show_how_often'));
  const options = ['times', 'forever'].map((value) => ({ value, label: t(`show_${value}`) }));
  new Choice(chips, options, (chosen) => {
    set('times', chosen === 'forever' ? 0 : TIMES);
    redraw(`[value=${chosen}]`);
  }).render(values.times === 0 ? 'forever' : 'times');
  if (values.times === 0) return [chips];
  const control = number(values.times, (times) => set('times', times === 0 ? null : times), { min: 1, max: 1000, step: 1 });
  return [chips, field(t('show_how_often'), control, 'times')];
}

function labelField(step, changed) {
  const control = make('input', { type: 'text', maxLength: 64, value: step.label ?? '', autocomplete: 'off' });
  control.addEventListener('input', () => {
    const label = control.value.trim();
    if (label) step.label = label;
    else delete step.label;
    changed();
  });
  return field(t('show_label'), control, 'label');
}
