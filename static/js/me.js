// Who this browser is for the panel, and the strip on every page that says so where that is not enough.

import { addWords, t } from './words.js';

const AGAIN = 1000; // ms until what failed is asked again
const MAY_CONTROL = ['operator', 'admin'];
const SAID = { 'sign-in-needed': 'strip_nobody', 'name-taken': 'strip_taken' }; // refusals that have words of the page's own

addWords({
  en: {
    access: 'Access',
    strip_viewer: 'You may look. To move the lights and to talk, sign in with the PIN.',
    strip_nobody: 'This panel is not open to you yet. Sign in first.',
    strip_taken: 'The name of this device belongs to somebody. Sign in as them, or choose another name in the settings.',
    strip_sign_in: 'Sign in',
  },
  zh: {
    access: '访问',
    strip_viewer: '你可以查看。要控制灯光或聊天，请用 PIN 登录。',
    strip_nobody: '此面板尚未对你开放，请先登录。',
    strip_taken: '此设备的名字属于别人。请以该身份登录，或在设置中换一个名字。',
    strip_sign_in: '登录',
  },
});

let asking = null;
let known = null;

/** Who this is, as far as it was learnt. */
export function knownMe() {
  return known;
}

/** Ask the panel who this is: `{role, how, name, address, signed_in}`; null where it does not answer. */
export function learnMe() {
  asking ??= askMe().finally(() => (asking = null));
  return asking;
}

/** More than once, for a phone that changes its network fails what is under way. */
async function askMe() {
  for (let tries = 3; tries > 0; tries -= 1) {
    try {
      const response = await fetch('/access/me', { cache: 'no-store' });
      if (!response.ok) return null;
      known = await response.json();
      showStrip(known);
      return known;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
    }
  }
  return null;
}

/** Whether somebody of this role moves lights; who is not known yet is not held back by the page, only by the panel. */
export function mayControl(me) {
  return me === null || MAY_CONTROL.includes(me.role);
}

/** A connection was refused: the strip says why, which a browser's own error would not. */
export function showRefusal(problem) {
  const strip = document.getElementById('access-strip');
  strip.hidden = false;
  const slug = problem.type?.split(':').at(-1);
  strip.querySelector('.strip-text').textContent = SAID[slug] ? t(SAID[slug]) : problem.detail;
}

function showStrip(me) {
  const strip = document.getElementById('access-strip');
  const here = location.pathname === '/access';
  strip.hidden = mayControl(me) || here;
  if (!strip.hidden) strip.querySelector('.strip-text').textContent = t(`strip_${me.role}`);
}
