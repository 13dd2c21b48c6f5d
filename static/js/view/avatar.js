// The face of a person.

import { make } from './dom.js';

const HUES = 8;

/** The round picture of a person: the first letter of the name, always in the same colour. */
export function avatar(name) {
  const element = make('span', { className: 'avatar' });
  element.dataset.initial = [...name][0]?.toUpperCase() ?? ''; // drawn by CSS: it is no part of any accessible name
  element.dataset.hue = [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 9973, 7) % HUES;
  element.setAttribute('aria-hidden', 'true');
  return element;
}
