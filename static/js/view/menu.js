// A menu of commands at a button.

import { make } from './dom.js';

const GAP = 6; // px between the button and its menu, and between the menu and the edge of the screen
const SAME_PRESS = 300; // ms; the press of the button that closed its menu does not open it again

let last = { button: null, closed: 0 };

/** Open a menu at the button. `items` are `{label, act, danger}`; one that is null is left out. */
export function openMenu(button, items) {
  if (last.button === button && performance.now() - last.closed < SAME_PRESS) return;
  const menu = make('div', { className: 'menu', popover: 'auto', role: 'menu' });
  for (const item of items.filter(Boolean)) menu.append(choiceOf(item, menu));
  // Behind a dialog nothing can be pressed, and who goes from landmark to landmark finds nothing outside of them. What is
  // in a section is moved with it, and a popover that is moved closes without a word.
  const home = button.closest('dialog, main, body > header');
  home.append(menu);
  const away = new AbortController();
  menu.addEventListener('toggle', ({ newState }) => {
    if (newState === 'open') return;
    last = { button, closed: 'chosen' in menu.dataset ? -Infinity : performance.now() };
    button.setAttribute('aria-expanded', 'false');
    away.abort();
    menu.remove();
  });
  menu.addEventListener('keydown', (event) => step(event, menu));
  const put = () => place(menu, button.getBoundingClientRect());
  addEventListener('scroll', put, { signal: away.signal, passive: true, capture: true }); // of a sheet too
  addEventListener('resize', put, { signal: away.signal });
  const moves = new MutationObserver(() => (button.isConnected ? put() : menu.hidePopover()));
  moves.observe(home, { childList: true, subtree: true });
  away.signal.addEventListener('abort', () => moves.disconnect());
  button.setAttribute('aria-expanded', 'true');
  button.focus({ preventScroll: true }); // where the focus returns to; a press does not give it to a button everywhere
  menu.showPopover();
  put();
  menu.firstElementChild.focus({ preventScroll: true });
}

function choiceOf({ label, act, danger = false }, menu) {
  const choice = make('button', { type: 'button', role: 'menuitem', className: danger ? 'danger' : '' }, label);
  choice.addEventListener('click', () => {
    menu.dataset.chosen = '';
    menu.hidePopover();
    act();
  });
  return choice;
}

/** Below the button, or above where there is no space; inside the screen in any case. */
function place(menu, at) {
  const { width, height } = menu.getBoundingClientRect();
  const below = at.bottom + GAP;
  const top = below + height + GAP <= innerHeight ? below : at.top - GAP - height;
  const left = Math.min(at.right - width, innerWidth - width - GAP);
  menu.style.left = `${Math.max(left, GAP)}px`;
  menu.style.top = `${Math.max(top, GAP)}px`;
}

function step(event, menu) {
  const choices = [...menu.children];
  const now = choices.indexOf(document.activeElement);
  const next = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: -1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  choices.at(next % choices.length).focus();
}
