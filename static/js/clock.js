// The panel's clock. A Pi without a network may have the wrong time, so "5 s ago" is computed with the Pi's clock.

let ahead = 0; // seconds by which the panel's clock is ahead of this one

/** Read the panel's time from the Date header of this answer. */
export function learnFrom(response) {
  const theirs = Date.parse(response.headers.get('Date')) / 1000;
  if (!Number.isNaN(theirs)) setClock(theirs);
}

/** Set the panel's clock to this time, in seconds since the Unix epoch; one second more or less does not matter. */
export function setClock(theirs) {
  const offset = theirs - Date.now() / 1000;
  ahead = Math.abs(offset) > 2 ? offset : 0; // a Date header has whole seconds, so a smaller difference is none
}

/** The time on the panel's clock, in seconds since the Unix epoch. */
export function panelNow() {
  return Date.now() / 1000 + ahead;
}
