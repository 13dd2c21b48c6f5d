// Who this browser is for the panel, and the strip on every page that asks to sign in where that is needed.

import { learnFrom } from './clock.js';
import { ROOT } from './root.js';
import { lineOf, ready } from './view/problem.js';
import { addWords, t } from './words.js';

const DONE_SHOWN = 6000; // ms
const AGAIN = 1000; // ms until a failed request is sent again
const MAY_CONTROL = ['operator', 'admin'];
const STRIP_WORDS = { 'sign-in-needed': 'strip_nobody', 'name-taken': 'strip_taken' }; // by the type of the refusal

addWords({
  en: {
    access: 'People & access',
    strip_viewer: 'You can only view this panel. To control the lights and to chat, sign in with the PIN.',
    strip_nobody: 'You cannot use this panel yet. Sign in first.',
    strip_taken: 'The name of this device belongs to somebody. Sign in as them, or choose another name in the settings.',
    strip_done_viewer: 'Signed in as viewer. You can see everything, but not change it.',
    strip_done_operator: 'Signed in as operator. You can control the lights, chat, and start runs.',
    strip_done_admin: 'Signed in as admin. You can do everything.',
  },
  zh: {
    access: '成员与权限',
    strip_viewer: '你只能查看。要控制灯光或聊天，请用 PIN 登录。',
    strip_nobody: '你还不能使用此面板，请先登录。',
    strip_taken: '此设备的名字属于别人。请以该身份登录，或在设置中换一个名字。',
    strip_done_viewer: '已登录：你可以查看，但不能更改。',
    strip_done_operator: '已登录：你可以控制灯光、聊天和启动任务。',
    strip_done_admin: '已登录：你拥有全部权限。',
  },
});

const strip = document.getElementById('access-strip');
// Pages that fill the window leave room for it.
new ResizeObserver(() => {
  const height = strip.hidden ? 0 : strip.offsetHeight + parseFloat(getComputedStyle(strip).marginTop);
  document.documentElement.style.setProperty('--strip', `${height}px`);
}).observe(strip);

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
      const response = await fetch(`${ROOT}/access/me`, { cache: 'no-store' });
      learnFrom(response);
      if (!response.ok) return null;
      return noteMe(await response.json());
    } catch {
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
    }
  }
  return null;
}

/** Note who this is, from an answer of the panel. Pages draw again at the event `pilotlight:me`. */
export function noteMe(me) {
  const changed = me.role !== known?.role;
  known = me;
  document.body.dataset.role = me.role;
  showStrip(me);
  if (changed) dispatchEvent(new CustomEvent('pilotlight:me'));
  return me;
}

/** Whether the role may control lights. While it is not known yet, the page allows it and the panel decides. */
export function mayControl(me) {
  return me === null || MAY_CONTROL.includes(me.role);
}

/** Show in the strip why a connection was refused. */
export function showRefusal(problem) {
  strip.hidden = false;
  delete strip.dataset.look;
  const slug = problem.type?.split(':').at(-1);
  strip.querySelector('a').toggleAttribute('data-sign-in', slug !== 'name-taken'); // its password is asked on the Access page
  ready.then(() => {
    strip.querySelector('.strip-text').textContent = STRIP_WORDS[slug] ? t(STRIP_WORDS[slug]) : lineOf(problem);
  });
}

/** Say in the strip for a while that somebody has signed in. */
export function showDone({ role }) {
  strip.dataset.look = 'done';
  strip.hidden = false;
  strip.querySelector('.strip-text').textContent = t(`strip_done_${role}`);
  setTimeout(() => {
    delete strip.dataset.look;
    showStrip(known);
  }, DONE_SHOWN);
}

function showStrip(me) {
  if (strip.dataset.look === 'done') return;
  const here = location.pathname === `${ROOT}/access`;
  strip.hidden = mayControl(me) || here;
  if (!strip.hidden) strip.querySelector('.strip-text').textContent = t(`strip_${me.role}`);
}
