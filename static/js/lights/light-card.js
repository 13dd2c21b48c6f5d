// The card of one light: made once from its template; `render(state, light)` draws the state.

import { panelNow } from '../clock.js';
import { lock } from '../lock.js';
import { mayControl } from '../me.js';
import { isLive, known } from '../page-state.js';
import { remember, remembered } from '../remember.js';
import { Choice } from '../view/choice.js';
import { setAttributes, write } from '../view/dom.js';
import { reasonInWords } from '../view/problem.js';
import { ago, t, translate } from '../words.js';
import { renderFix } from './fix.js';
import { lookInWords } from './looks.js';
import { Slider } from './slider.js';
import { isOwn, shown } from './state.js';
import { faded } from './wishes.js';

const FADES = [0, 0.5, 2, 10, 60]; // seconds
const EFFECTS = ['none', 'pulse', 'blink', 'candle'];
const STEP = 10; // percent, of the − and + buttons
const HOLD = 450; // ms until a held button steps by one
const REPEAT = 110; // ms between two of those steps
const FLASHES = 3;
const FLASH_SHOWN = 6; // seconds for which the line of the last change shows a flash

export class LightCard {
  /**
   * `look()` returns the light as the page shows it. `wishes` takes changes of the light, `ask(command)` sends another
   * command, `refuse(problem)` shows a problem. `history()` returns a promise of the reply with its last day.
   */
  constructor(id, { look, wishes, ask, refuse, history }) {
    this._id = id;
    this._look = look;
    this._wishes = wishes;
    this._ask = ask;
    this._refuse = refuse;
    this._fade = remembered(`fade.${id}`, 0);
    this.element = document.getElementById('light-card').content.firstElementChild.cloneNode(true);
    translate(this.element);
    const find = (selector) => this.element.querySelector(selector);
    this._parts = {
      name: find('h2'),
      pin: find('.card-pin'),
      on: find('.switch input'),
      trouble: find('.trouble'),
      why: find('.trouble-why'),
      fix: find('.fix'),
      controls: find('.controls'),
      level: find('.level-input'),
      did: find('.who-did'),
      when: find('.who time'),
      flash: find('.flash'),
      undo: find('.undo'),
      dimmer: find('.dimmer'),
      brighter: find('.brighter'),
    };
    this._slider = new Slider(find('.bar'), {
      grab: () => this._wishes.grab(),
      move: (level) => this._wantLevel(level),
      letGo: () => this._wishes.letGo(),
    });
    this._fades = new Choice(
      find('.fades'),
      FADES.map((seconds) => ({ value: seconds, label: seconds ? t('fade_seconds', { seconds }) : t('fade_none') })),
      (seconds) => {
        this._fade = seconds;
        remember(`fade.${id}`, seconds);
      },
    );
    this._effects = new Choice(
      find('.effects'),
      EFFECTS.map((effect) => ({ value: effect, label: t(`effect_${effect}`) })),
      (effect) => this._wantEffect(effect),
    );
    for (const row of this.element.querySelectorAll('.choice')) {
      row.lastElementChild.setAttribute('aria-label', row.firstElementChild.textContent);
    }
    this._history = history;
    this._day = null; // not needed for the first picture of the page
    this._listen();
    this._loadDay();
  }

  /** Somebody opens the card: what is not in the state may be old. */
  open() {
    if (this._day) this._day.open();
    else this._loadDay();
  }

  async _loadDay() {
    const element = this.element.querySelector('.day');
    try {
      const { Day } = await import('./day.js');
      this._day ??= new Day(element, this._history);
      if (this._drawn) this._day.render(...this._drawn);
    } catch {
      const none = element.querySelector('.day-none');
      write(none, t('day_lost'));
      none.hidden = false;
    }
  }

  render(state, light) {
    const { element, _parts: parts } = this;
    const look = shown(state, light.id);
    const may = mayControl(state.me);
    const ready = isLive(state) && light.online;
    setAttributes(element, {
      'aria-label': light.name,
      'data-light': light.id,
      'data-on': look.on,
      'data-online': light.online,
      'data-effect': look.effect ?? 'none',
    });
    // The eye is not linear: at 10 % a light is clearly visible.
    element.style.setProperty('--glow', light.online ? (light.actual / 100) ** 0.55 : 0);

    write(parts.name, light.name);
    const away = light.away_since !== null; // a banner says since when, and why
    write(parts.pin, away ? t('light_offline') : t('pin', { pin: light.pin }));
    setAttributes(parts.on, { 'aria-label': t('switch_of', { name: light.name }) });
    parts.on.checked = look.on;
    parts.on.disabled = !ready;
    parts.controls.disabled = !ready;
    this._renderLabels(light);

    parts.trouble.hidden = light.online || away;
    write(parts.why, reasonInWords(light.reason));
    renderFix(parts.fix, light.online ? null : state.hardware?.fix);

    const level = look.on ? look.level : 0;
    if (document.activeElement !== parts.level) parts.level.value = level;
    lock(element, may ? null : 'lights');
    this._slider.render({
      level,
      actual: light.actual,
      text: t(look.on ? 'level_text' : 'level_text_off', { level: look.level }),
      label: t('level_of', { name: light.name }),
      disabled: !ready || !may,
    });
    element.classList.toggle('moving', light.online && Math.abs(light.actual - level) >= 0.75);
    this._fades.render(this._fade);
    this._effects.render(look.effect ?? 'none');

    this._renderWho(state, light);
    parts.flash.disabled = !ready;
    parts.undo.hidden = !light.undo;
    parts.undo.disabled = !ready;
    this._drawn = [state, light];
    this._day?.render(state, light);
  }

  _renderLabels(light) {
    const { name } = light;
    const { level, dimmer, brighter, flash, undo } = this._parts;
    setAttributes(level, { 'aria-label': t('percent_of', { name }) });
    for (const [button, key] of [
      [dimmer, 'dimmer'],
      [brighter, 'brighter'],
      [flash, 'flash_of'],
    ]) {
      setAttributes(button, { 'aria-label': t(key, { name }), title: t(key, { name }) });
    }
    if (light.undo) {
      const label = t('undo_of', { name, look: lookInWords(light.undo) });
      setAttributes(undo, { 'aria-label': label, title: label });
    }
  }

  _renderWho(state, light) {
    const now = panelNow();
    const flashed = known(state.flashed, light.id);
    const flash = flashed && flashed.at > light.at && now - flashed.at < FLASH_SHOWN;
    const started = !flash && light.by.via === 'start';
    write(this._parts.did, flash ? t('did_flash', { who: flashed.by.name }) : whoDidWhat(light, isOwn(state, light)));
    write(this._parts.when, started ? '' : ago(flash ? flashed.at : light.at, now));
  }

  // --- what people do --------------------------------------------------------------------------------------

  _listen() {
    const { on, level, flash, undo, dimmer, brighter } = this._parts;
    on.addEventListener('change', () => this._wishes.wantOn(on.checked, this._fade));

    level.addEventListener('focus', () => level.select());
    level.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') level.blur(); // fires `change` if the text has changed
      if (event.key === 'Escape') {
        event.preventDefault(); // it does not close the sheet too
        level.value = this._level;
        level.blur();
      }
    });
    level.addEventListener('change', () => this._typed(level.value.trim()));

    steps(dimmer, (size) => this._wantLevel(this._level - size));
    steps(brighter, (size) => this._wantLevel(this._level + size));

    flash.addEventListener('click', () => this._ask({ do: 'set_light', light: this._id, flash: FLASHES }));
    undo.addEventListener('click', () => this._ask({ do: 'undo_light', light: this._id }));
  }

  _typed(text) {
    this._parts.level.value = this._level; // until the panel has accepted it
    if (text === '' || text === String(this._level)) return;
    if (!/^[+-]?\d+$/.test(text)) {
      this._refuse({ title: t('refused'), detail: t('not_a_level', { text }) });
      return;
    }
    // The panel refuses a level out of range; the rule is only there.
    this._wishes.wantLevel(Number(text), this._look().effect, this._fade);
  }

  /** The level that the card shows: 0 while the light is off. */
  get _level() {
    const { level, on } = this._look();
    return on ? level : 0;
  }

  _wantLevel(level) {
    this._wishes.wantLevel(Math.min(Math.max(level, 0), 100), this._look().effect, this._fade);
  }

  _wantEffect(effect) {
    const look = effect === 'none' ? { effect: null } : { effect, on: true };
    this._wishes.want(faded({ effect }, this._fade), look);
  }
}

/** A click steps by STEP, or by 1 with Shift; a held button steps by 1, again and again. */
function steps(button, step) {
  let timer = null;
  let held = false;
  const release = () => clearTimeout(timer);
  button.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    held = false;
    const again = () => {
      if (button.matches(':disabled, [aria-disabled=true]')) return;
      held = true;
      step(1);
      timer = setTimeout(again, REPEAT);
    };
    timer = setTimeout(again, HOLD);
  });
  for (const end of ['pointerup', 'pointercancel', 'pointerleave']) button.addEventListener(end, release);
  button.addEventListener('contextmenu', (event) => event.preventDefault()); // a long press is for the steps
  button.addEventListener('click', (event) => {
    if (!held) step(event.shiftKey ? 1 : STEP);
    held = false;
  });
}

function whoDidWhat(light, own) {
  if (light.by.via === 'start') return t('did_start');
  const who = own ? t('you') : light.by.via === 'pin' ? t('outside') : light.by.name;
  if (!light.on) return t('did_off', { who });
  if (light.effect) return t('did_effect', { who, effect: t(`effect_${light.effect}`), level: light.level });
  return t('did_set', { who, level: light.level });
}
