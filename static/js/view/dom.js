// Elements are made and changed without HTML text, so that no message or name can become markup.

/** `make('p', { className: 'text' }, 'words', child)`; a child that is null is left out. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** An icon of the page's sprite, hidden from screen readers. */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `#${name}`);
  svg.append(use);
  return svg;
}

/** The round button that removes something. */
export function crossButton(label, press) {
  const button = make('button', { type: 'button', className: 'round quiet' }, icon('close'));
  button.setAttribute('aria-label', label);
  button.addEventListener('click', press);
  return button;
}

/** Enable the form and call `act(form)` instead of sending it; until then its button is disabled. */
export function onSubmit(form, act) {
  for (const button of form.querySelectorAll('button:not([type])')) button.disabled = false;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    act(form);
  });
}

/** Set the text only if it differs: writing it anew ends a selection, and a screen reader may say it again. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
  }
}

/**
 * Let the box have exactly these elements, in this order. What is in its place already is not moved, and what is moved keeps
 * the focus.
 */
export function arrange(box, elements) {
  const focused = document.activeElement;
  elements.forEach((element, index) => {
    if (box.children[index] !== element) box.insertBefore(element, box.children[index] ?? null);
  });
  while (box.children.length > elements.length) box.lastElementChild.remove();
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
}
