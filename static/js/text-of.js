// Values of JSON as text. Needs no page.

/** A value of JSON as one line of text. */
export function textOf(value) {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
