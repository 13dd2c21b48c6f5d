// Controls that the role of this browser may not use: they say so, and a press of one asks to sign in.
//
// A view calls `lock(region, why)` whenever it draws. Such controls are not `disabled`: a browser sends no click of those.
// A region with `data-surface` is pressed as a whole; what has `data-unlocked` can be used all the same.

import { askToSignIn } from './ask-to-sign-in.js';
import { make } from './view/dom.js';
import { addWords, t } from './words.js';

const CONTROLS = 'button, input, select, textarea, [role=slider]';
const PRESSED = `${CONTROLS}, label, a, summary, [data-surface]`;
const TEXT = 'input[type=text], textarea';
const MOVES = ['ArrowRight', 'ArrowUp', 'ArrowLeft', 'ArrowDown', 'PageUp', 'PageDown', 'Home', 'End', ' '];

addWords({
  en: {
    lock_lights: 'To control lights, sign in.',
    lock_plan: 'To change schedules, sign in.',
    lock_runs: 'To control runs and shows, sign in.',
    lock_chat: 'To chat, sign in.',
    lock_admin: 'Only an admin may do this. Sign in with a token of that role.',
  },
  zh: {
    lock_lights: '要控制灯光，请先登录。',
    lock_plan: '要更改定时，请先登录。',
    lock_runs: '要控制任务和灯光秀，请先登录。',
    lock_chat: '要聊天，请先登录。',
    lock_admin: '只有管理员可以这样做。请用管理员令牌登录。',
  },
});

/**
 * Lock the controls in the region, and itself if it is one, for the reason `lock_<why>`; null unlocks them.
 *
 * Call it before what else writes `aria-disabled`, as a slider does.
 */
export function lock(region, why) {
  const before = region.dataset.locked ?? null;
  if (why !== null) region.title = t(`lock_${why}`); // in the place of the view's own
  if (before === why) return;
  if (why !== null) region.dataset.locked = why;
  else {
    delete region.dataset.locked;
    if (region.title === t(`lock_${before}`)) region.removeAttribute('title');
  }
  const inside = [...region.querySelectorAll(CONTROLS)].filter((control) => !control.closest('[data-unlocked]'));
  for (const control of region.matches(CONTROLS) ? [region] : inside) say(control, why);
}

function say(control, why) {
  if (control.matches(TEXT)) control.readOnly = why !== null;
  if (why === null) {
    control.removeAttribute('aria-disabled');
    control.removeAttribute('aria-describedby');
  } else {
    control.setAttribute('aria-disabled', 'true');
    control.setAttribute('aria-describedby', reasonOf(why));
  }
}

/** The id of an element with the reason, for screen readers. */
function reasonOf(why) {
  const id = `lock-${why}`;
  if (!document.getElementById(id)) document.body.append(make('p', { id, hidden: true }, t(`lock_${why}`)));
  return id;
}

/** Why what was pressed is locked, or null. */
function lockOf(element) {
  const pressed = element.closest?.(PRESSED);
  if (!pressed || pressed.matches('a') || pressed.closest('[data-unlocked]')) return null;
  return pressed.closest('[data-locked]')?.dataset.locked ?? null;
}

function refuse(event, why) {
  event.preventDefault();
  event.stopImmediatePropagation();
  askToSignIn({ why: t(`lock_${why}`), token: why === 'admin' });
}

addEventListener(
  'click',
  (event) => {
    const why = lockOf(event.target);
    if (why) refuse(event, why);
  },
  true,
);

addEventListener(
  'keydown',
  (event) => {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || !target.matches?.(CONTROLS)) return;
    const types = target.matches(TEXT) && (key.length === 1 || ['Enter', 'Backspace', 'Delete'].includes(key));
    const moves = target.matches('[role=slider], [type=radio]') && MOVES.includes(key);
    const why = types || moves ? lockOf(target) : null;
    if (why) refuse(event, why);
  },
  true,
);
