// Who this browser is for the panel, and the strip on every page that asks to sign in where that is needed.

import { lineOf } from './view/problem.js';
import { addWords, t } from './words.js';

const AGAIN = 1000; // ms until a failed request is sent again
const MAY_CONTROL = ['operator', 'admin'];
const STRIP_WORDS = { 'sign-in-needed': 'strip_nobody', 'name-taken': 'strip_taken' }; // by the type of the refusal

addWords({
  en: {
    access: 'Access',
    strip_viewer: 'You can only view this panel. To control the lights and to chat, sign in with the PIN.',
    strip_nobody: 'You cannot use this panel yet. Sign in first.',
    strip_taken: 'The name of this device belongs to somebody. Sign in as them, or choose another name in the settings.',
    strip_sign_in: 'Sign in',
  },
  zh: {
    access: '权限',
    strip_viewer: '你只能查看。要控制灯光或聊天，请用 PIN 登录。',
    strip_nobody: '你还不能使用此面板，请先登录。',
    strip_taken: '此设备的名字属于别人。请以该身份登录，或在设置中换一个名字。',
    strip_sign_in: '登录',
  },
});

let asking = null;
let known = null;

/** The last answer about who this is, or null. */
export function knownMe() {
  return known;
}

/** Ask the panel who this is: `{role, how, name, address, signed_in}`; null where it does not answer. */
export function learnMe() {
  asking ??= askMe().finally(() => (asking = null));
  return asking;
}

/** Try more than once: a phone that changes its network breaks the requests that are on their way. */
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

/** Whether the role may control lights. While it is not known yet, the page allows it and the panel decides. */
export function mayControl(me) {
  return me === null || MAY_CONTROL.includes(me.role);
}

/** Show in the strip why a connection was refused. */
export function showRefusal(problem) {
  const strip = document.getElementById('access-strip');
  strip.hidden = false;
  const slug = problem.type?.split(':').at(-1);
  strip.querySelector('.strip-text').textContent = STRIP_WORDS[slug] ? t(STRIP_WORDS[slug]) : lineOf(problem);
}

function showStrip(me) {
  const strip = document.getElementById('access-strip');
  const here = location.pathname === '/access';
  strip.hidden = mayControl(me) || here;
  if (!strip.hidden) strip.querySelector('.strip-text').textContent = t(`strip_${me.role}`);
}
