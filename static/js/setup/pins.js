// The 40-pin header of a Raspberry Pi: which GPIO is where, what else a pin is for, and a picture of it.
//
// Source: the Raspberry Pi documentation, "GPIO and the 40-pin header", and docs/reference/pins.md.

import { make } from '../view/dom.js';
import { language, t } from '../words.js';

const PLACES = {
  0: 27, 1: 28, 2: 3, 3: 5, 4: 7, 5: 29, 6: 31, 7: 26, 8: 24, 9: 21, 10: 19, 11: 23, 12: 32, 13: 33,
  14: 8, 15: 10, 16: 36, 17: 11, 18: 12, 19: 35, 20: 38, 21: 40, 22: 15, 23: 16, 24: 18, 25: 22, 26: 37, 27: 13,
};
const GPIOS = Object.fromEntries(Object.entries(PLACES).map(([gpio, place]) => [place, Number(gpio)]));
const POWER = [1, 2, 4, 17]; // 3.3 V and 5 V
const GROUNDS = [6, 9, 14, 20, 25, 30, 34, 39];
const GOOD = [21, 26, 20, 16, 12, 13, 18, 19, 25, 24, 23, 22, 27, 17, 5, 6]; // the best first
const OTHER_USE = {
  2: 'i2c', 3: 'i2c', 4: 'wire', 5: 'up', 6: 'up', 7: 'spi', 8: 'spi', 9: 'spi', 10: 'spi', 11: 'spi',
  14: 'uart', 15: 'uart', 18: 'i2s', 19: 'i2s', 20: 'i2s', 21: 'i2s',
};

/** The place of a GPIO on the header. */
export function placeOf(gpio) {
  return PLACES[gpio];
}

/** Fill the select with these GPIOs, the good ones first, and choose one: `chosen`, or the best. */
export function offerPins(select, gpios, chosen = null) {
  const good = GOOD.filter((gpio) => gpios.includes(gpio));
  const other = gpios.filter((gpio) => !GOOD.includes(gpio));
  const groups = [
    ['setup_pins_good', good],
    ['setup_pins_other', other],
  ].filter(([, of]) => of.length);
  const optionOf = (pin) => make('option', { value: pin }, t('setup_pin_option', { pin, place: PLACES[pin] }));
  select.replaceChildren(
    ...groups.map(([word, of]) => make('optgroup', { label: t(word) }, ...of.map(optionOf))),
  );
  select.value = chosen ?? good[0] ?? other[0];
}

/** Where on the header a GPIO is, and what to know of it. */
export function aboutPin(gpio) {
  const place = PLACES[gpio];
  const far = (ground) => Math.hypot(column(ground) - column(place), (ground - place) % 2);
  const grounds = GROUNDS.reduce((best, ground) => (far(ground) < far(best) ? ground : best));
  const row = place % 2 === 0;
  const words = [t('setup_pin_place', { place, row, n: column(place), grounds })];
  if (gpio in OTHER_USE) words.push(t(`setup_pin_${OTHER_USE[gpio]}`));
  return words.join(language === 'zh' ? '' : ' ');
}

function column(place) {
  return Math.ceil(place / 2);
}

/** Draw the header along the upper edge of the board: even pins above, odd ones below. A click chooses a pin. */
export function drawHeader(box, gpios, chosen) {
  const row = (first) => Array.from({ length: 20 }, (_, index) => first + 2 * index);
  const dots = [...row(2), ...row(1)].map((place) => {
    const dot = make('span', { className: 'header-pin', title: titleOf(place) });
    dot.dataset.is = kindOf(place, gpios, chosen);
    if (['free', 'chosen'].includes(dot.dataset.is)) dot.dataset.gpio = GPIOS[place];
    return dot;
  });
  const numbers = [2, 40, 1, 39].map((place) => make('span', { className: `header-number at-${place}` }, String(place)));
  box.replaceChildren(...numbers, make('div', { className: 'header-pins' }, ...dots));
}

function kindOf(place, gpios, chosen) {
  if (POWER.includes(place)) return 'power';
  if (GROUNDS.includes(place)) return 'ground';
  if (GPIOS[place] === chosen) return 'chosen';
  return gpios.includes(GPIOS[place]) ? 'free' : 'taken';
}

function titleOf(place) {
  if (POWER.includes(place)) return `${place}: ${[2, 4].includes(place) ? '5 V' : '3.3 V'}`;
  return `${place}: ${GROUNDS.includes(place) ? 'GND' : `GPIO ${GPIOS[place]}`}`;
}
