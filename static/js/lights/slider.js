// A slider for 0..100 percent: a wide bar for mouse, pen, finger and keys.
//
// A finger that scrolls the page must never change a light. So the browser handles vertical movement
// (`touch-action: pan-y`). A touch counts only after THRESHOLD px sideways, and from there the level moves as far as
// the finger. A tap does nothing. A mouse or a pen sets the level where it points.

import { setAttributes } from '../view/dom.js';

const THRESHOLD = 8; // px
const PAGE = 10; // percent

const KEYS = {
  ArrowRight: 1,
  ArrowUp: 1,
  ArrowLeft: -1,
  ArrowDown: -1,
  PageUp: PAGE,
  PageDown: -PAGE,
  Home: -100,
  End: 100,
};

export class Slider {
  /** `bar` has role=slider; `grab()`, `move(level)` and `letGo()` are called as it is used. */
  constructor(bar, { grab, move, letGo }) {
    this._bar = bar;
    this._bubble = bar.querySelector('.bubble');
    this._grab = grab;
    this._move = move;
    this._letGo = letGo;
    this._drag = null;
    this._level = 0;
    this._disabled = true;
    bar.addEventListener('pointerdown', (event) => this._down(event));
    bar.addEventListener('pointermove', (event) => this._moved(event));
    bar.addEventListener('pointerup', (event) => this._up(event));
    bar.addEventListener('pointercancel', (event) => this._up(event));
    bar.addEventListener('keydown', (event) => this._key(event));
  }

  render({ level, actual, text, label, disabled }) {
    if (disabled && this._drag) this._end();
    this._level = level;
    this._disabled = disabled;
    this._bar.style.setProperty('--level', level / 100);
    this._bar.style.setProperty('--actual', actual / 100);
    this._bubble.textContent = `${level} %`;
    setAttributes(this._bar, {
      'aria-valuenow': level,
      'aria-valuetext': text,
      'aria-label': label,
      'aria-disabled': disabled,
    });
  }

  _down(event) {
    if (this._disabled || this._drag || event.button !== 0) return;
    const touch = event.pointerType === 'touch';
    this._drag = { id: event.pointerId, x: event.clientX, y: event.clientY, from: this._level, touch, moving: false };
    if (touch) return;
    this._bar.setPointerCapture(event.pointerId);
    this._begin();
    this._set(this._pointedAt(event));
  }

  _moved(event) {
    const drag = this._drag;
    if (!drag || event.pointerId !== drag.id) return;
    if (!drag.touch) return this._set(this._pointedAt(event));
    if (!drag.moving) {
      const sideways = Math.abs(event.clientX - drag.x);
      if (sideways < THRESHOLD || sideways < Math.abs(event.clientY - drag.y)) return;
      drag.x = event.clientX; // start here, so that the level does not jump
      this._begin();
    }
    this._set(drag.from + ((event.clientX - drag.x) / this._travel()) * 100);
  }

  _up(event) {
    const drag = this._drag;
    if (!drag || event.pointerId !== drag.id) return;
    if (!drag.moving && event.type === 'pointerup') this._hint();
    this._end();
  }

  _begin() {
    this._drag.moving = true;
    this._bar.classList.add('in-hand');
    this._grab();
  }

  _end() {
    const { moving } = this._drag;
    this._drag = null;
    this._bar.classList.remove('in-hand');
    if (moving) this._letGo();
  }

  /** A tap does nothing: show the handle. */
  _hint() {
    this._bar.classList.remove('hint');
    void this._bar.offsetWidth; // restarts the animation
    this._bar.classList.add('hint');
  }

  _key(event) {
    const step = KEYS[event.key];
    if (step === undefined || this._disabled || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this._set(this._level + (event.shiftKey && Math.abs(step) === 1 ? step * PAGE : step));
  }

  _set(level) {
    const rounded = Math.round(Math.min(Math.max(level, 0), 100));
    if (rounded !== this._level) this._move(rounded);
    this._level = rounded;
  }

  // The handle stays inside both ends of the bar; `--inset` is the space for it.
  _travel() {
    return this._bar.clientWidth - this._inset();
  }

  _inset() {
    return parseFloat(getComputedStyle(this._bar).getPropertyValue('--inset'));
  }

  _pointedAt(event) {
    return ((event.clientX - this._bar.getBoundingClientRect().left - this._inset() / 2) / this._travel()) * 100;
  }
}
