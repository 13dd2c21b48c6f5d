// The panel's clock. A Pi without a network has no idea of the time of day, so "5 s ago" is reckoned on its clock.

let ahead = 0; // seconds by which the panel's clock is ahead of this one

/** Learn the panel's time from the Date header of any answer. */
export async function learnClock() {
  try {
    learnFrom(await fetch('/static/manifest.webmanifest', { cache: 'no-store' }));
  } catch {
    // no answer, no better clock
  }
}

/** Learn it from this answer. */
export function learnFrom(response) {
  const theirs = Date.parse(response.headers.get('Date')) / 1000;
  if (!Number.isNaN(theirs)) itIs(theirs);
}

/** It is this time now on the panel's clock, in seconds since the Unix epoch, give or take a second. */
export function itIs(theirs) {
  const offset = theirs - Date.now() / 1000;
  ahead = Math.abs(offset) > 2 ? offset : 0; // a Date header has whole seconds; closer than that is the same clock
}

/** Now, on the panel's clock, in seconds since the Unix epoch. */
export function panelNow() {
  return Date.now() / 1000 + ahead;
}
