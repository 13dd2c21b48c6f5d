// The card of one light: made once from its template; `render(state, light)` draws the state.

import { panelNow } from '../clock.js';
import { mayControl } from '../me.js';
import { isLive } from '../page-state.js';
import { remember, remembered } from '../remember.js';
import { Choice } from '../view/choice.js';
import { setAttributes, write } from '../view/dom.js';
import { ago, t, translate } from '../words.js';
import { renderFix } from './fix.js';
import { Slider } from './slider.js';
import { isOwn, shown } from './state.js';

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
   * command, `refuse(problem)` shows a problem.
   */
  constructor(id, { look, wishes, ask, refuse }) {
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
    this._listen();
  }

  render(state, light) {
    const { element, _parts: parts } = this;
    const look = shown(state, light.id);
    const usable = isLive(state) && light.online && mayControl(state.me);
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
    const away = light.away_since !== null; // the heading of its panel says since when, and why
    write(parts.pin, away ? t('light_offline') : t('pin', { pin: light.pin }));
    setAttributes(parts.on, { 'aria-label': t('switch_of', { name: light.name }) });
    parts.on.checked = look.on;
    parts.on.disabled = !usable;
    parts.controls.disabled = !usable;
    this._renderLabels(light);

    parts.trouble.hidden = light.online || away;
    write(parts.why, light.reason ?? '');
    renderFix(parts.fix, light.online ? null : state.hardware?.fix);

    if (document.activeElement !== parts.level) parts.level.value = look.level;
    this._slider.render({
      level: look.level,
      actual: light.actual,
      text: t(look.on ? 'level_text' : 'level_text_off', { level: look.level }),
      label: t('level_of', { name: light.name }),
      disabled: !usable,
    });
    element.classList.toggle('moving', light.online && Math.abs(light.actual - (look.on ? look.level : 0)) >= 0.75);
    this._fades.render(this._fade);
    this._effects.render(look.effect ?? 'none');

    this._renderWho(state, light);
    parts.flash.disabled = !usable;
    parts.undo.hidden = !light.undo;
    parts.undo.disabled = !usable;
  }

  _renderLabels(light) {
    const { name } = light;
    const { level, dimmer, brighter, flash, undo } = this._parts;
    setAttributes(level, { 'aria-label': t('level_of', { name }) });
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
    const flashed = state.flashed[light.id];
    const flash = flashed && flashed.at > light.at && now - flashed.at < FLASH_SHOWN;
    const started = !flash && light.by.via === 'start';
    write(this._parts.did, flash ? t('did_flash', { who: flashed.by.name }) : whoDidWhat(light, isOwn(state, light)));
    write(this._parts.when, started ? '' : ago(flash ? flashed.at : light.at, now));
  }

  // --- what people do --------------------------------------------------------------------------------------

  _listen() {
    const { on, level, flash, undo, dimmer, brighter } = this._parts;
    on.addEventListener('change', () => {
      const look = on.checked ? { on: true } : { on: false, effect: null };
      this._wish({ on: on.checked }, look);
    });

    level.addEventListener('focus', () => level.select());
    level.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') level.blur(); // fires `change` if the text has changed
      if (event.key === 'Escape') {
        event.preventDefault(); // it does not close the sheet too
        level.value = this._look().level;
        level.blur();
      }
    });
    level.addEventListener('change', () => this._typed(level.value.trim()));

    steps(dimmer, (size) => this._wantLevel(this._look().level - size));
    steps(brighter, (size) => this._wantLevel(this._look().level + size));

    flash.addEventListener('click', () => this._ask({ do: 'set_light', light: this._id, flash: FLASHES }));
    undo.addEventListener('click', () => this._ask({ do: 'undo_light', light: this._id }));
  }

  _typed(text) {
    this._parts.level.value = this._look().level; // until the panel has accepted it
    if (text === '' || text === String(this._look().level)) return;
    if (!/^[+-]?\d+$/.test(text)) {
      this._refuse({ title: t('refused'), detail: t('not_a_level', { text }) });
      return;
    }
    // The panel refuses a level out of range; the rule is only there.
    this._want({ level: Number(text) });
  }

  _wantLevel(level) {
    this._want({ level: Math.min(Math.max(level, 0), 100) });
  }

  _want({ level }) {
    const { effect } = this._look();
    const kept = effect ? { effect } : {}; // a level without the effect would end it
    this._wish({ level, ...kept }, { level: Math.min(Math.max(level, 0), 100), on: true });
  }

  _wantEffect(effect) {
    const look = effect === 'none' ? { effect: null } : { effect, on: true };
    this._wish({ effect }, look);
  }

  _wish(verbs, look) {
    this._wishes.want(this._fade ? { ...verbs, transition: this._fade } : verbs, look);
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
      if (button.matches(':disabled')) return;
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

function lookInWords({ level, on, effect }) {
  if (!on) return t('look_off');
  return effect ? t('look_effect', { effect: t(`effect_${effect}`), level }) : t('look_level', { level });
}
