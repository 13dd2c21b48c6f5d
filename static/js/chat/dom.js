// Elements that only the chat has.

import { t } from '../words.js';
import { nameOf } from './state.js';

/** The name of a thread as the page shows it: the lobby has a name in each language. */
export function labelOf(key) {
  return key === 'room:lobby' ? t('chat_lobby') : nameOf(key);
}

/** Put the children in this order. Do not move those in their place: a moved element loses the focus. */
export function arrange(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  children.forEach((child, at) => {
    if (parent.children[at] !== child) parent.insertBefore(child, parent.children[at] ?? null);
  });
}
