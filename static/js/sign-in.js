// Signing in where somebody is: the sheet of every page, the form of the Access page, and the code of a QR code.
//
// Pages load this when it is asked for (ask-to-sign-in.js).
//
// After a sign-in the event `pilotlight:signed-in` tells the page. A page that does not connect again by itself is reloaded.

import { knownMe, learnMe, mayControl, noteMe, showDone } from './me.js';
import { ROOT } from './root.js';
import { onSubmit, write } from './view/dom.js';
import { lineOf } from './view/problem.js';
import { Sheet } from './view/sheet.js';
import { addWords, t, translate } from './words.js';

const TOKEN = 'plt_'; // how each token begins
const TICK = 1000; // ms
const TRIES = 3; // of a request without an answer: a phone may change its network just now
/** What a sign-in also says inside a page of somebody else: its cookie is another one there. */
export const WHERE = window.top === window ? {} : { embedded: true };
const NOT_KEPT = {}; // the problem of a browser that keeps no cookie there
const WAYS = {
  pin: { inputMode: 'numeric', autocomplete: 'one-time-code' },
  token: { inputMode: 'text', autocomplete: 'off' },
};

addWords({
  en: {
    sign_in_label_pin: 'PIN',
    sign_in_label_token: 'Token',
    sign_in_how_pin: 'The panel prints the PIN when it starts. The command “pilotlight pin” on the same machine shows it, too.',
    sign_in_how_token: 'The command “pilotlight token add me --role admin” on the machine of the panel makes one.',
    sign_in_other_pin: 'Use a token instead',
    sign_in_other_token: 'Use the PIN instead',
    sign_in_wrong_pin: 'This is not the PIN of the panel. Check the digits.',
    sign_in_wrong_token: 'The panel does not know this token. It may have been revoked.',
    sign_in_wrong_code: 'This QR code was used already, or is too old. Scan a new one, or type the PIN.',
    sign_in_too_many: 'Too many wrong tries.',
    sign_in_wait: ({ seconds }) => `Try again in ${seconds} s.`,
    sign_in_now: 'You can try again now.',
    sign_in_not_kept: 'Inside a page of another site, this browser keeps no sign-in. Open the panel itself.',
    sign_in_unanswered: 'The panel does not answer. Check whether this device is in its network, then try again.',
  },
  zh: {
    sign_in_label_pin: 'PIN',
    sign_in_label_token: '令牌',
    sign_in_how_pin: '面板启动时会显示 PIN；在面板所在的机器上运行“pilotlight pin”也能看到。',
    sign_in_how_token: '在面板所在的机器上运行“pilotlight token add me --role admin”可以创建令牌。',
    sign_in_other_pin: '改用令牌',
    sign_in_other_token: '改用 PIN',
    sign_in_wrong_pin: 'PIN 不对，请检查数字。',
    sign_in_wrong_token: '面板不认识这个令牌，它可能已被撤销。',
    sign_in_wrong_code: '这个二维码已经用过或已过期。请扫描新的二维码，或输入 PIN。',
    sign_in_too_many: '错误尝试太多。',
    sign_in_wait: ({ seconds }) => `请在 ${seconds} 秒后再试。`,
    sign_in_now: '现在可以再试。',
    sign_in_not_kept: '面板嵌在其他网站的页面里时，此浏览器不保存登录。请直接打开面板。',
    sign_in_unanswered: '面板没有回应。请检查此设备是否在它的网络中，然后再试。',
  },
});

/** A form that asks for the PIN or a token. */
export class SignInForm {
  /** `done(me)` is called after a sign-in. */
  constructor(form, done) {
    const find = (selector) => form.querySelector(selector);
    this._done = done;
    this._parts = {
      how: find('.sign-in-how'),
      field: find('.sign-in-field'),
      label: find('.sign-in-label'),
      input: form.elements.secret,
      problem: find('.form-problem'),
      wait: find('.sign-in-wait'),
      send: find('button:not([type])'),
      other: find('.sign-in-other'),
    };
    this._form = form;
    this._ticking = null;
    this._parts.other.addEventListener('click', () => this.ask(this._way === 'pin' ? 'token' : 'pin'));
    onSubmit(form, () => this._submit());
    this._use('pin');
  }

  /** Ask for the `pin` or a `token`. `problem` is why it asks again. */
  ask(way, problem = '') {
    this._use(way);
    write(this._parts.problem, problem);
    this._parts.input.focus({ preventScroll: true });
    this._parts.input.select();
  }

  _use(way) {
    const { how, field, label, input, other } = this._parts;
    this._way = way;
    field.dataset.way = way;
    Object.assign(input, WAYS[way]);
    write(label, t(`sign_in_label_${way}`));
    write(how, t(`sign_in_how_${way}`));
    write(other, t(`sign_in_other_${way}`));
  }

  async _submit() {
    const { input, problem, send } = this._parts;
    const text = input.value.trim();
    if (!text || send.disabled) return;
    const way = this._way === 'token' || text.startsWith(TOKEN) ? 'token' : 'pin';
    send.disabled = true;
    const { me, refused } = await post({ [way]: text });
    send.disabled = false;
    write(problem, me ? '' : inWords(refused));
    if (me) {
      this._form.reset();
      this._endWait();
      return this._done(me);
    }
    if (refused?.retry_after) this._wait(refused.retry_after);
    input.focus();
    input.select();
  }

  /** Count down until the next try. The field can be used meanwhile. */
  _wait(seconds) {
    const { wait, send, problem } = this._parts;
    const until = performance.now() + seconds * 1000;
    this._endWait();
    send.disabled = true;
    wait.hidden = false;
    const tick = () => {
      const left = Math.ceil((until - performance.now()) / 1000);
      if (left > 0) return write(wait, t('sign_in_wait', { seconds: left }));
      this._endWait();
      write(problem, t('sign_in_now'));
    };
    this._ticking = setInterval(tick, TICK);
    tick();
  }

  _endWait() {
    clearInterval(this._ticking);
    this._parts.wait.hidden = true;
    this._parts.send.disabled = false;
  }
}

class SignInSheet extends Sheet {
  constructor(dialog) {
    super(dialog);
    translate(dialog);
    this._why = dialog.querySelector('.sign-in-why');
    this._form = new SignInForm(dialog.querySelector('form'), (me) => {
      this.close();
      signedIn(me);
    });
  }

  open({ why = '', token = false, problem = '' }) {
    write(this._why, why);
    this._why.hidden = !why;
    this._show();
    this._form.ask(token ? 'token' : 'pin', problem);
  }
}

const dialog = document.getElementById('sign-in'); // the Access page has its form instead
const sheet = dialog && new SignInSheet(dialog);

/** Open the sheet. `why` is a sentence about what needs it, `token` whether the PIN is not enough. */
export function openSignIn(what) {
  if (sheet && !sheet.isOpen) sheet.open(what);
}

/** Tell the page who this is now, without leaving the place. */
export function signedIn(me) {
  noteMe(me);
  showDone(me);
  if (dispatchEvent(new CustomEvent('pilotlight:signed-in', { cancelable: true }))) location.reload();
}

/** Send credentials; returns `{me}`, or `{refused}` with the problem, which is null where no answer came. */
async function post(credentials) {
  for (let tries = TRIES; tries > 0; tries -= 1) {
    try {
      const response = await fetch(`${ROOT}/access/sign-in`, {
        method: 'POST',
        cache: 'no-store',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ ...credentials, ...WHERE }),
      });
      const answer = await response.json();
      if (!response.ok) return { refused: answer };
      const isLost = WHERE.embedded && (await learnMe())?.signed_in === false;
      return isLost ? { refused: NOT_KEPT } : { me: answer };
    } catch {
      if (!navigator.onLine) break;
      if (tries > 1) await new Promise((resolve) => setTimeout(resolve, TICK));
    }
  }
  return { refused: null };
}

function inWords(problem) {
  if (problem === null) return t(navigator.onLine ? 'sign_in_unanswered' : 'lost_network');
  if (problem === NOT_KEPT) return t('sign_in_not_kept');
  if (problem.retry_after) return t('sign_in_too_many');
  if (!problem.type?.endsWith('sign-in-failed')) return lineOf(problem);
  return t(`sign_in_wrong_${problem.errors?.[0]?.field ?? 'token'}`);
}

/** Use the code in the address up, if there is one, and take it out of there. */
export async function useCode() {
  const code = /^#code=([\w-]+)$/.exec(location.hash)?.[1];
  if (!code) return;
  history.replaceState(history.state, '', location.pathname + location.search);
  const { me, refused } = await post({ code });
  // The script of the page is there: it connects again, or has not begun.
  if (document.readyState !== 'complete') await new Promise((resolve) => addEventListener('load', resolve, { once: true }));
  if (me) signedIn(me);
  else if (!knownMe() || !mayControl(knownMe())) openSignIn({ problem: inWords(refused) });
}
