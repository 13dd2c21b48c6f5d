// Reading messages. Over a socket that needs a name, which a viewer has not: REST gives those of rooms without one.

import { LOST } from '../connection.js';
import { knownMe, mayControl } from '../me.js';
import { ROOT } from '../root.js';
import { addressOf, nameOf } from './state.js';

/** The reply with a page of a thread. `ask(command)` asks over the connection. */
export function messagesOf(ask, key, range) {
  if (mayControl(knownMe())) return ask({ do: 'get_messages', ...addressOf(key), ...range });
  return get(`/chat/rooms/${encodeURIComponent(nameOf(key))}/messages?${new URLSearchParams(range)}`);
}

/** The reply with what a search finds. */
export function findMessages(ask, wanted) {
  if (mayControl(knownMe())) return ask({ do: 'search_messages', ...wanted });
  return get(`/chat/search?${new URLSearchParams(wanted)}`);
}

/** An answer of REST as the reply to a command. */
async function get(path) {
  try {
    const response = await fetch(ROOT + path, { cache: 'no-store' });
    const answer = await response.json();
    return response.ok ? { ok: true, ...answer } : { ok: false, problem: answer };
  } catch {
    return LOST;
  }
}
