// "Add a phone": a QR code that signs another device in, once.

import { Choice } from '../view/choice.js';
import { write } from '../view/dom.js';
import { t } from '../words.js';

const TICK = 1000; // ms
const MARGIN = 4; // modules around a QR code (ISO/IEC 18004)
const LOOPBACK = /^(localhost|127\..*|\[::1\])$/;

export class PhoneTile {
  /** `call(method, path, body)` asks the panel, and throws an Error with the words of a refusal. */
  constructor(tile, call) {
    const find = (selector) => tile.querySelector(selector);
    this._tile = tile;
    this._call = call;
    this._parts = {
      roles: find('#phone-role-field'),
      code: find('.phone-code'),
      qr: find('.qr'),
      gives: find('.phone-gives'),
      left: find('.phone-left'),
      alone: find('.phone-alone'),
      problem: find('.phone-problem'),
      show: find('button'),
    };
    this._role = 'operator';
    this._ticking = null;
    this._choice = new Choice(
      find('#phone-role'),
      ['operator', 'admin'].map((value) => ({ value, label: t(`access_role_${value}`) })),
      (role) => {
        this._role = role;
        this._hide(); // a code on the screen gives another role
      },
    );
    this._parts.show.addEventListener('click', () => this._make());
  }

  render(me) {
    const may = me.signed_in ? me.role !== 'nobody' : me.role === 'admin';
    const chooses = me.role === 'admin' && me.how.startsWith('token ');
    this._tile.hidden = !may;
    this._parts.roles.hidden = !chooses;
    if (!chooses) this._role = null;
    else this._role ??= 'operator';
    this._choice.render(this._role);
    if (!may) this._hide();
  }

  async _make() {
    const { problem, show } = this._parts;
    write(problem, '');
    show.disabled = true;
    try {
      this._show(await this._call('POST', '/access/codes', this._role ? { role: this._role } : {}));
    } catch (error) {
      this._hide();
      write(problem, error.message);
    }
    show.disabled = false;
  }

  _show({ url, role, expires_in: seconds, qr }) {
    const { code, qr: svg, gives, alone, show } = this._parts;
    draw(svg, qr);
    write(gives, t(`phone_gives_${role}`));
    alone.hidden = !LOOPBACK.test(new URL(url).hostname);
    write(show, t('phone_another'));
    code.hidden = false;
    this._countDown(performance.now() + seconds * 1000);
  }

  _countDown(until) {
    clearInterval(this._ticking);
    const tick = () => {
      const left = Math.ceil((until - performance.now()) / 1000);
      if (left <= 0) return this._hide();
      write(this._parts.left, t('phone_left', { minutes: Math.floor(left / 60), seconds: String(left % 60).padStart(2, '0') }));
    };
    this._ticking = setInterval(tick, TICK);
    tick();
  }

  _hide() {
    clearInterval(this._ticking);
    this._parts.code.hidden = true;
    write(this._parts.show, t('phone_show'));
  }
}

/** Draw the modules of a QR code: rows of 0 and 1. */
function draw(svg, rows) {
  const size = rows.length + 2 * MARGIN;
  const dark = rows.flatMap((row, y) => [...row].map((one, x) => (one === '1' ? `M${x + MARGIN} ${y + MARGIN}h1v1h-1z` : '')));
  svg.setAttribute('viewBox', `0 0 ${size} ${size}`);
  svg.firstElementChild.setAttribute('d', dark.join(''));
}
