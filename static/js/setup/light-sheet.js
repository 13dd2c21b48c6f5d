// The sheet that adds a light, or changes how one is set up; and the question before one is removed.

import { Choice } from '../view/choice.js';
import { write } from '../view/dom.js';
import { inOrder } from '../view/settings.js';
import { t } from '../words.js';
import { call, problemOf } from './api.js';
import { ownId } from './list-view.js';
import { aboutPin, drawHeader, offerPins } from './pins.js';
import { FormSheet } from './sheet.js';

const ID = /^[a-z][a-z0-9_-]{0,31}$/;
const LONGEST = 32; // characters of an id
const DEFAULTS = {
  name: null,
  frequency: 100,
  gamma: 1,
  min: 0,
  max: 100,
  restore: 'last',
  exit: 'keep',
  auto_off: null,
  active_high: true,
};
const NUMBERS = ['frequency', 'gamma', 'min', 'max'];
const MOMENTS = { restore: 'last', exit: 'keep' }; // and the word of each besides "off" and a level

export class LightSheet {
  /** `refresh()` asks how the lights are set up, and returns it. `added(light)` is called after one was added. */
  constructor({ refresh, added }) {
    this._refresh = refresh;
    this._added = added;
    this._sheet = new FormSheet('light', () => this._send());
    this._sure = new FormSheet('sure', () => this._removeNow());
    const { form } = this._sheet;
    this._fields = form.elements;
    this._picture = form.querySelector('.header-picture');
    this._about = document.getElementById('light-pin-how');
    this._remove = document.getElementById('remove');
    this._light = null; // how the light is set up that is changed, or null
    this._name = ''; // of that one, as it is shown
    this._setup = null;
    this._chosen = {}; // what a light does at each moment: its word, "off" or "level"
    this._moments = Object.fromEntries(Object.keys(MOMENTS).map((name) => [name, this._choiceOf(name)]));
    this._listen();
  }

  /** Open it for a new light. */
  add(setup) {
    this._open(setup, null, { ...DEFAULTS, id: '', pin: null }, setup.free_pins);
    this._idIsOwn = false;
    this._sheet.open(t('setup_add_title'));
    this._fields.name.focus();
  }

  /** Open it for a light that is there. */
  change(setup, light, name) {
    const pins = [...setup.free_pins, light.pin].sort((one, other) => one - other);
    this._open(setup, light, { ...light, id: ownId(light.id) }, pins);
    this._name = name;
    this._sheet.open(t('setup_change_of', { name }));
  }

  _open(setup, light, values, pins) {
    this._setup = setup;
    this._light = light;
    this._pins = pins;
    const { form } = this._sheet;
    form.querySelector('[data-field="id"]').hidden = light !== null;
    form.querySelector('details').open = false;
    this._remove.hidden = light === null || setup.lights.length === 1; // the last light stays
    write(document.getElementById('save'), t(light ? 'setup_change_do' : 'setup_add_do'));
    this._fields.name.value = values.name ?? '';
    this._fields.name.placeholder = light ? values.id : '';
    this._fields.id.value = values.id;
    for (const name of NUMBERS) this._fields[name].value = values[name];
    this._fields.auto_off.value = values.auto_off === null ? '' : values.auto_off / 60;
    this._fields.active_low.checked = !values.active_high;
    for (const name of Object.keys(MOMENTS)) this._showMoment(name, values[name]);
    offerPins(this._fields.pin, pins, values.pin);
    this._showPin();
  }

  _listen() {
    const { name, id, pin } = this._fields;
    name.addEventListener('input', () => {
      if (this._light === null && !this._idIsOwn) id.value = idOf(name.value, this._setup.lights);
    });
    id.addEventListener('input', () => (this._idIsOwn = id.value !== ''));
    pin.addEventListener('change', () => this._showPin());
    this._picture.addEventListener('click', ({ target }) => {
      if (!target.dataset.gpio) return;
      pin.value = target.dataset.gpio;
      this._showPin();
    });
    this._remove.addEventListener('click', () => this._ask());
  }

  _showPin() {
    const pin = Number(this._fields.pin.value);
    drawHeader(this._picture, this._pins, pin);
    write(this._about, this._pins.length ? aboutPin(pin) : '');
  }

  // --- what a light does when the panel starts and stops ---------------------------------------------------

  _choiceOf(name) {
    const word = MOMENTS[name];
    const options = [
      { value: word, label: t(`setup_${name}_${word}`) },
      { value: 'off', label: t('setup_off') },
      { value: 'level', label: t('setup_at') },
    ];
    return new Choice(document.getElementById(`light-${name}`), options, (chosen) => {
      this._chosen[name] = chosen;
      this._fields[name].hidden = chosen !== 'level';
      if (chosen === 'level') this._fields[name].focus();
    });
  }

  _showMoment(name, value) {
    const isLevel = typeof value === 'number';
    this._chosen[name] = isLevel ? 'level' : value;
    this._moments[name].render(this._chosen[name]);
    this._fields[name].value = isLevel ? value : 50;
    this._fields[name].hidden = !isLevel;
  }

  // --- what is sent ----------------------------------------------------------------------------------------

  /** What the form says. A number that is none is sent as it is: the panel says what it should be. */
  _said() {
    const { name, pin, auto_off, active_low } = this._fields;
    const said = { name: inOrder(name.value) || null, pin: Number(pin.value), active_high: !active_low.checked };
    for (const field of NUMBERS) said[field] = numberIn(this._fields[field].value) ?? DEFAULTS[field];
    for (const field of Object.keys(MOMENTS)) {
      const chosen = this._chosen[field];
      said[field] = chosen === 'level' ? (numberIn(this._fields[field].value) ?? '') : chosen;
    }
    const minutes = numberIn(auto_off.value);
    said.auto_off = typeof minutes === 'number' ? Math.round(minutes * 60_000) / 1000 : minutes;
    return said;
  }

  async _send() {
    const said = this._said();
    const id = this._light?.id ?? this._fields.id.value.trim();
    if (!this._light && !ID.test(id)) return this._sheet.wrong('id', t('setup_id_wrong'));
    let made = null;
    const problem = await problemOf(async () => {
      if (this._light) await this._saveChange(id, said);
      else made = await this._saveNew(id, said);
    });
    if (problem === undefined) {
      this._sheet.close();
      if (made) this._added(made);
      await this._refresh();
      return;
    }
    this._sheet.show(problem, { light: 'id' });
    if (problem?.type?.endsWith(':pin-taken')) await this._offerAgain();
  }

  _saveNew(id, said) {
    const given = Object.entries(said).filter(([field, value]) => value !== DEFAULTS[field]);
    return call('POST', '/lights', { id, ...Object.fromEntries(given) });
  }

  /** Only what differs: somebody else may have changed the rest meanwhile. */
  async _saveChange(id, said) {
    const given = Object.entries(said).filter(([field, value]) => value !== this._light[field]);
    if (given.length) await call('PATCH', `/lights/${encodeURIComponent(id)}/setup`, Object.fromEntries(given));
  }

  /** Somebody else has the pin now: offer those that are free, and leave the choice as it is until it is changed. */
  async _offerAgain() {
    const setup = await this._refresh();
    if (!setup) return;
    this._setup = setup;
    const chosen = Number(this._fields.pin.value);
    const own = this._light ? [this._light.pin] : [];
    this._pins = [...setup.free_pins, ...own].sort((one, other) => one - other);
    const was = this._fields.pin.selectedOptions[0];
    offerPins(this._fields.pin, this._pins);
    if (!this._pins.includes(chosen)) {
      was.disabled = true;
      this._fields.pin.prepend(was);
    }
    this._fields.pin.value = chosen;
    this._showPin();
  }

  // --- removing --------------------------------------------------------------------------------------------

  _ask() {
    const { id, pin } = this._light;
    this._sure.open(t('setup_remove_title', { name: this._name }));
    write(
      this._sure.form.querySelector('.sure-what'),
      t('setup_remove_what', { pin, id: ownId(id) }),
    );
  }

  async _removeNow() {
    const { id } = this._light;
    const problem = await problemOf(() => call('DELETE', `/lights/${encodeURIComponent(id)}`));
    if (problem !== undefined) return this._sure.show(problem);
    this._sure.close();
    this._sheet.close();
    await this._refresh();
  }
}

/** 2.8 for "2.8" and "2,8", null for nothing, and the text if it is no number. */
function numberIn(text) {
  const said = text.trim();
  if (said === '') return null;
  const number = Number(said.replace(',', '.'));
  return Number.isFinite(number) ? number : said;
}

/** An id that no light has yet, from a name: "Küche links" is "kuche-links". */
function idOf(name, lights) {
  const plain = name.normalize('NFD').toLowerCase().replace(/\p{M}/gu, '').replace(/[^a-z0-9]+/g, '-');
  const cut = plain.replace(/^[^a-z]+/, '').slice(0, LONGEST - 4).replace(/-$/, '');
  if (!inOrder(name)) return '';
  const wanted = cut || 'light';
  const taken = new Set(lights.map(({ id }) => ownId(id)));
  for (let n = 1; ; n += 1) {
    const id = n === 1 ? wanted : `${wanted}-${n}`;
    if (!taken.has(id)) return id;
  }
}
