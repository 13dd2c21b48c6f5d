// Elements made and changed without a word of HTML: what people and programs say can never become markup.

/** `make('p', { className: 'text' }, 'words', child)`; a child that is null is left out. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** An icon of the page's sprite, which says nothing to a screen reader. */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `#${name}`);
  svg.append(use);
  return svg;
}

/** The round button that takes something away. */
export function crossButton(label, press) {
  const button = make('button', { type: 'button', className: 'round quiet' }, icon('close'));
  button.setAttribute('aria-label', label);
  button.addEventListener('click', press);
  return button;
}

/** Only what differs is touched: a text that is written anew is selected no more, and may be read out again. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
  }
}
