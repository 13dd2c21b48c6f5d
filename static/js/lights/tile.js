// The tile of one light: drag it sideways to dim, tap it to switch, hold it for its card.

import { mayControl } from '../me.js';
import { isLive, nodeOf } from '../page-state.js';
import { setAttributes, write } from '../view/dom.js';
import { t, translate } from '../words.js';
import { isLit } from './arrangement.js';
import { Slider } from './slider.js';
import { shown } from './state.js';

export class Tile {
  /** `look()` returns the light as the page shows it, `wishes` takes changes, `open(element)` opens its card. */
  constructor(id, { look, wishes, open }) {
    this._look = look;
    this._wishes = wishes;
    this._open = open;
    this._drawn = [];
    this._last = 100; // the last level above 0 that was seen here
    this.element = document.getElementById('light-tile').content.firstElementChild.cloneNode(true);
    this.element.dataset.light = id;
    translate(this.element);
    const find = (selector) => this.element.querySelector(selector);
    this._parts = {
      track: find('.tile-track'),
      lamp: find('.tile-lamp'),
      level: find('.tile-level'),
      note: find('.tile-note'),
      name: find('.tile-name'),
      more: find('.tile-more'),
    };
    const { track, more } = this._parts;
    const show = () => this._open(track);
    this._slider = new Slider(track, {
      surface: this.element,
      grab: () => this._wishes.grab(),
      move: (level) => this._want(level),
      letGo: () => this._wishes.letGo(),
      tap: () => this._toggle(),
      press: show,
    });
    track.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') show();
      else if (event.key !== ' ' || track.getAttribute('aria-disabled') === 'true') return;
      else this._toggle();
      event.preventDefault();
    });
    more.addEventListener('pointerdown', (event) => event.stopPropagation());
    more.addEventListener('click', (event) => {
      event.stopPropagation();
      this._open(more);
    });
  }

  /** `named` is whether the tile says on which node the light is. */
  render(state, light, named) {
    const may = mayControl(state.me);
    const usable = isLive(state) && light.online && may;
    const drawn = [light, state.held[light.id], usable, may, named];
    if (drawn.every((one, index) => one === this._drawn[index])) return;
    this._drawn = drawn;
    const look = shown(state, light.id);
    const lit = isLit(look);
    if (look.level > 0) this._last = look.level;
    const { element, _parts: parts } = this;
    setAttributes(element, {
      'data-on': lit,
      'data-online': light.online,
      'data-usable': usable,
      'data-effect': look.effect ?? 'none',
    });
    // The eye is not linear: at 10 % a light is clearly visible.
    element.style.setProperty('--glow', light.online ? (light.actual / 100) ** 0.55 : 0);
    element.classList.toggle('moving', light.online && Math.abs(light.actual - (lit ? look.level : 0)) >= 0.75);
    write(parts.name, light.name);
    write(parts.level, light.online ? levelInWords(look) : t('light_offline'));
    write(parts.note, noteOf(light, look, named));
    this._slider.render({
      level: lit ? look.level : 0,
      actual: light.actual,
      text: t(lit ? 'level_text' : 'level_text_off', { level: look.level }),
      label: t('level_of', { name: light.name }),
      disabled: !usable,
    });
    setAttributes(parts.lamp, { 'aria-checked': lit, 'aria-label': t('switch_of', { name: light.name }) });
    parts.lamp.disabled = !usable;
    const label = t('more_of', { name: light.name });
    setAttributes(parts.more, { 'aria-label': label, title: label });
  }

  _toggle() {
    const look = this._look();
    if (isLit(look)) this._wishes.want({ on: false }, { on: false, effect: null });
    else if (look.level > 0) this._wishes.want({ on: true }, { on: true });
    else this._wishes.want({ level: this._last }, { level: this._last, on: true });
  }

  _want(level) {
    if (level === 0) return this._off();
    const { effect } = this._look();
    const kept = effect ? { effect } : {}; // a level without the effect would end it
    this._wishes.want({ level, ...kept }, { level, on: true });
  }

  /** Off, and on again brings back the level from before this drag. */
  _off() {
    const level = this._slider.from || this._last;
    this._wishes.want({ level, on: false }, { level, on: false, effect: null });
  }
}

export function levelInWords(look) {
  return isLit(look) ? t('look_level', { level: look.level }) : t('off');
}

function noteOf(light, look, named) {
  const node = named ? nodeOf(light.id) : '';
  const effect = look.on && look.effect ? t(`effect_${look.effect}`) : '';
  return [node, effect].filter(Boolean).join(' · ');
}
