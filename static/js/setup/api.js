// Requests of the settings page, over REST.

import { ROOT } from '../root.js';
import { deviceName } from '../view/settings.js';

/** The panel refused: `problem` says why; null where it did not answer. */
export class Refused extends Error {
  constructor(problem) {
    super(problem?.detail ?? '');
    this.problem = problem;
  }
}

/** Send a request; returns the answer. Throws `Refused`. `body` is JSON, or its text. */
export async function call(method, path, body = null) {
  const url = new URL(ROOT + path, location.href);
  if (method !== 'GET' && deviceName()) url.searchParams.set('name', deviceName()); // a header cannot carry 名字
  const content = typeof body === 'string' ? body : JSON.stringify(body);
  const options = body === null ? {} : { body: content, headers: { 'Content-Type': 'application/json' } };
  let response;
  let answer;
  try {
    response = await fetch(url, { method, cache: 'no-store', ...options });
    answer = await response.json();
  } catch {
    throw new Refused(null);
  }
  if (!response.ok) throw new Refused(answer);
  return answer;
}

/** Run `act()`; returns its problem if the panel refused, else undefined. Null: no answer came. */
export async function problemOf(act) {
  try {
    await act();
    return undefined;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return error.problem;
  }
}
