// Elements that only the chat has.

import { make } from '../view/dom.js';
import { t } from '../words.js';
import { nameOf } from './state.js';

/** The name of a thread as the page shows it: the lobby has a name in each language. */
export function labelOf(key) {
  return key === 'room:lobby' ? t('chat_lobby') : nameOf(key);
}

/** Put the children in this order. Do not move those in their place: a moved element loses the focus. */
export function arrange(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  children.forEach((child, at) => {
    if (parent.children[at] !== child) parent.insertBefore(child, parent.children[at] ?? null);
  });
}

const HUES = 8;

/** The round picture of a person: the first letter of the name, always in the same colour. */
export function avatar(name) {
  const element = make('span', { className: 'avatar', textContent: [...name][0]?.toUpperCase() ?? '' });
  element.dataset.hue = [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 9973, 7) % HUES;
  element.setAttribute('aria-hidden', 'true');
  return element;
}
