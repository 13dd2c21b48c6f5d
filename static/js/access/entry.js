// An item of the lists on this page.

import { make } from '../view/dom.js';

/** What it is, more about it in small print, and a button for what one can do with it. */
export function entry(what, more, action = null) {
  const name = make('span', { className: 'entry-what' }, what);
  const details = make('span', { className: 'entry-more' }, more.filter(Boolean).join(' · '));
  const line = make('li', {}, make('div', { className: 'entry' }, name, details));
  if (action) {
    const button = make('button', { type: 'button', className: 'button', ariaLabel: action.label }, action.word);
    button.addEventListener('click', action.act);
    line.append(button);
  }
  return line;
}
