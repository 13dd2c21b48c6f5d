// The tile of one light: drag it sideways to dim, tap it to switch, hold it for its card.

import { lock } from '../lock.js';
import { mayControl } from '../me.js';
import { isLive, nodeOf } from '../page-state.js';
import { setAttributes, write } from '../view/dom.js';
import { reasonInWords } from '../view/problem.js';
import { t, translate } from '../words.js';
import { Slider } from './slider.js';
import { shown } from './state.js';

export class Tile {
  /** `look()` returns the light as the page shows it, `wishes` takes changes, `open(element)` opens its card. */
  constructor(id, { look, wishes, open }) {
    this._look = look;
    this._wishes = wishes;
    this._open = open;
    this._drawn = [];
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
      move: (level) => this._wishes.wantLevel(level, this._look().effect),
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

  /** `named` is whether the tile says on which node the light is, `said` whether a banner says why it is offline. */
  render(state, light, { named, said }) {
    const may = mayControl(state.me);
    const usable = isLive(state) && light.online && may;
    const drawn = [light, state.held[light.id], usable, may, named, said];
    if (drawn.every((one, index) => one === this._drawn[index])) return;
    this._drawn = drawn;
    const look = shown(state, light.id);
    const { element, _parts: parts } = this;
    setAttributes(element, {
      'data-on': look.on,
      'data-online': light.online,
      'data-said': said,
      'data-usable': usable,
      'data-effect': look.effect ?? 'none',
    });
    // The eye is not linear: at 10 % a light is clearly visible.
    element.style.setProperty('--glow', light.online ? (light.actual / 100) ** 0.55 : 0);
    element.classList.toggle('moving', light.online && Math.abs(light.actual - (look.on ? look.level : 0)) >= 0.75);
    write(parts.name, light.name);
    write(parts.level, light.online ? levelInWords(look) : t('light_offline'));
    write(parts.note, noteOf(light, look, { named, said }));
    lock(element, may ? null : 'lights');
    this._slider.render({
      level: look.on ? look.level : 0,
      actual: light.actual,
      text: t(look.on ? 'level_text' : 'level_text_off', { level: look.level }),
      label: t('level_of', { name: light.name }),
      disabled: !usable,
    });
    setAttributes(parts.lamp, { 'aria-checked': look.on, 'aria-label': t('switch_of', { name: light.name }) });
    parts.lamp.disabled = !usable && may;
    const label = t('more_of', { name: light.name });
    setAttributes(parts.more, { 'aria-label': label, title: label });
  }

  _toggle() {
    this._wishes.wantOn(!this._look().on);
  }
}

function levelInWords(look) {
  return look.on ? t('look_level', { level: look.level }) : t('off');
}

function noteOf(light, look, { named, said }) {
  if (!light.online && !said) return reasonInWords(light.reason);
  const node = named ? nodeOf(light.id) : '';
  const effect = look.on && look.effect ? t(`effect_${look.effect}`) : '';
  return [node, effect].filter(Boolean).join(' · ');
}
