// The badge of the Chat tab: how many messages wait for this person, on the pages that are not the chat.
//
//   const heardOfChat = chatBadge(() => connection);   // once
//   heardOfChat(event);                                // in the `listen(event)` of the page's Connection

import { knownMe, mayControl } from './me.js';
import { remembered } from './remember.js';
import { SOCKETS } from './transports.js';
import { deviceName } from './view/settings.js';
import { t } from './words.js';

const SETTLED = 600; // ms; a burst of messages is one question
const MOST = 99;

/** The rooms this person follows: those they opened in the chat and did not leave. */
export function followedRooms() {
  return remembered('chat.rooms', ['lobby']);
}

/** `getConnection()` gives the page's Connection; call what is returned with each of its events. */
export function chatBadge(getConnection) {
  let timer = null;
  const soon = () => {
    timer ??= setTimeout(count, SETTLED);
  };

  async function count() {
    timer = null;
    const connection = getConnection();
    // REST has no words for the chat, and without a name there is nobody to wait for.
    if (document.hidden || !connection?.live || !SOCKETS.includes(connection.transport) || !deviceName()) return;
    if (!mayControl(knownMe())) return; // who may only look has no letters
    const reply = await connection.ask({ do: 'get_threads' });
    if (reply.ok) showUnread(unreadIn(reply.threads, followedRooms()));
  }

  document.addEventListener('visibilitychange', () => document.hidden || soon());
  return (event) => {
    const live = event.event === 'link' && event.link.status === 'live';
    if (live || ['snapshot', 'message', 'marks_changed', 'room_changed', 'gap'].includes(event.event)) soon();
  };
}

/** A room nobody here follows is no reason to look. */
function unreadIn(threads, rooms) {
  const mine = threads.filter(({ room }) => room === null || rooms.includes(room));
  return mine.reduce((sum, { unread }) => sum + unread, 0);
}

export function showUnread(n) {
  const tab = document.getElementById('chat-tab');
  const badge = tab.querySelector('.badge');
  badge.hidden = n === 0;
  badge.textContent = inBadge(n);
  if (n) tab.setAttribute('aria-label', t('chat_unread', { n }));
  else tab.removeAttribute('aria-label');
}

export function inBadge(n) {
  return n > MOST ? `${MOST}+` : String(n);
}
