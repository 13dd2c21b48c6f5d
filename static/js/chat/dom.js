// What the chat's parts are drawn with, beside what all pages have.

import { make } from '../view/dom.js';

/** Put these children in this order, and move none that is in its place: a moved element loses focus. */
export function arrange(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  children.forEach((child, at) => {
    if (parent.children[at] !== child) parent.insertBefore(child, parent.children[at] ?? null);
  });
}

const HUES = 8;

/** The round sign of a person: the first letter of the name, in a colour that is always the same. */
export function avatar(name) {
  const element = make('span', { className: 'avatar', textContent: [...name][0]?.toUpperCase() ?? '' });
  element.dataset.hue = [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 9973, 7) % HUES;
  element.setAttribute('aria-hidden', 'true');
  return element;
}

/** What was said as one text; a message may be any JSON. */
export function inText(msg) {
  return typeof msg === 'string' ? msg : JSON.stringify(msg);
}
