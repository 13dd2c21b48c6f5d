// A slider for 0..100 percent: a wide bar for mouse, pen, finger and keys.
//
// A finger that scrolls the page must never change a light. So the browser handles vertical movement
// (`touch-action: pan-y`). A touch counts only after THRESHOLD px sideways, and from there the level moves as far as
// the finger. A mouse, a pen, and a finger that taps set the level where they point.
//
// A slider with a `tap` is a button too: a tap is for the button, and a mouse and a pen move the level as a finger does.
// `press()` is called when it is held for PRESS without moving.

import { setAttributes } from '../view/dom.js';

const THRESHOLD = 8; // px
const PRESS = 480; // ms
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
  /**
   * `bar` has role=slider; `grab()`, `move(level)` and `letGo()` are called as it is used. `surface` is what takes the
   * pointers, if not the bar itself.
   */
  constructor(bar, { grab, move, letGo, tap = null, press = null, surface = bar }) {
    this._bar = bar;
    this._surface = surface;
    this._bubble = bar.querySelector('.bubble');
    this._grab = grab;
    this._move = move;
    this._letGo = letGo;
    this._tap = tap;
    this._press = press;
    this._pressing = null;
    this._hand = null; // the pointer that is down: it is listened to until it is up, wherever that is
    this._drag = null;
    this._used = false; // the pointer has dragged or pressed, so the click that follows is none
    this._level = 0;
    this._disabled = true;
    surface.addEventListener('pointerdown', (event) => this._down(event));
    surface.addEventListener('touchmove', (event) => this._keep(event), { passive: false });
    bar.addEventListener('keydown', (event) => this._key(event));
    surface.addEventListener('click', (event) => this._clicked(event));
    if (press) surface.addEventListener('contextmenu', (event) => event.pointerType === 'touch' && event.preventDefault());
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
    if (event.button !== 0) return;
    if (this._hand && !event.isPrimary) return; // a second finger
    this._release(); // of a pointer whose end nobody told
    this._used = false;
    this._listen(event.pointerId);
    this._awaitPress(event);
    if (this._disabled) return;
    const relative = event.pointerType === 'touch' || this._tap !== null;
    this._drag = { x: event.clientX, y: event.clientY, from: this._level, relative, moving: false };
    if (relative) return;
    this._surface.setPointerCapture(event.pointerId);
    this._begin();
    this._set(this._pointedAt(event));
  }

  /** A bar that moves on the page loses the capture of the pointer, and before a drag there is none: so the window hears it. */
  _listen(id) {
    const hand = new AbortController();
    const listen = (type, act) =>
      addEventListener(type, (event) => event.pointerId === id && act(event), { signal: hand.signal });
    listen('pointermove', (event) => this._moved(event));
    for (const type of ['pointerup', 'pointercancel']) listen(type, () => this._release());
    this._hand = hand;
  }

  _moved(event) {
    if (event.buttons === 0) return this._release(); // it went up where the page does not hear it
    this._keepPressing(event);
    const drag = this._drag;
    if (!drag) return;
    if (!drag.relative) return this._set(this._pointedAt(event));
    if (!drag.moving) {
      const sideways = Math.abs(event.clientX - drag.x);
      if (sideways < THRESHOLD || sideways < Math.abs(event.clientY - drag.y)) return;
      [drag.x, drag.from] = [event.clientX, this._level]; // start here, so that the level does not jump
      this._surface.setPointerCapture(event.pointerId);
      this._begin();
    }
    this._set(drag.from + ((event.clientX - drag.x) / this._travel()) * 100);
  }

  /** Without this, Chromium makes a fling of a quick drag, and a tap within 200 ms only stops the fling: no click comes. */
  _keep(event) {
    if (this._drag?.moving && event.cancelable) event.preventDefault();
  }

  _release() {
    this._hand?.abort();
    this._hand = null;
    this._endPress();
    if (this._drag) this._end();
  }

  _begin() {
    this._drag.moving = true;
    this._used = true;
    for (const part of [this._bar, this._surface]) part.classList.add('in-hand');
    this._grab();
  }

  _end() {
    const { moving } = this._drag;
    this._drag = null;
    for (const part of [this._bar, this._surface]) part.classList.remove('in-hand');
    if (moving) this._letGo();
  }

  // A click, not the end of a touch: a browser sends none for a finger that stops the page as it scrolls.
  _clicked(event) {
    const byKey = event.detail === 0;
    const isTap = !this._disabled && !this._used;
    this._used = false;
    if (this._tap && !this._disabled && (byKey || isTap)) this._tap();
    else if (isTap && !byKey) this._set(this._pointedAt(event));
  }

  _awaitPress({ clientX, clientY }) {
    if (!this._press) return;
    const timer = setTimeout(() => {
      this._pressing = null;
      this._used = true;
      if (this._drag) this._end();
      this._press();
    }, PRESS);
    this._pressing = { timer, x: clientX, y: clientY };
  }

  _keepPressing({ clientX, clientY }) {
    const start = this._pressing;
    if (start && Math.hypot(clientX - start.x, clientY - start.y) >= THRESHOLD) this._endPress();
  }

  _endPress() {
    clearTimeout(this._pressing?.timer);
    this._pressing = null;
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
