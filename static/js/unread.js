// The badge of the Chat tab: the number of unread messages, on the pages that are not the chat.
//
//   const updateBadge = chatBadge(page);   // once
//   updateBadge(event);                    // for each event of the page's connection

import { knownMe, mayControl } from './me.js';
import { remembered } from './remember.js';
import { SOCKETS } from './transports.js';
import { deviceName } from './view/settings.js';
import { t } from './words.js';

const SETTLED = 600; // ms; one request for a burst of messages
const MOST = 99; // the largest number in the badge

/** The rooms this person follows: they opened them in the chat and did not leave. */
export function followedRooms() {
  return remembered('chat.rooms', ['lobby']);
}

/** The keys of the rooms and talks that are muted on this device. */
export function mutedThreads() {
  return remembered('chat.muted', []);
}

/** Returns a function for each event of the page's connection. */
export function chatBadge(page) {
  let timer = null;
  const soon = () => {
    timer ??= setTimeout(count, SETTLED);
  };

  async function count() {
    timer = null;
    // REST has no chat commands here, and there are no messages without a name or for a viewer.
    if (document.hidden || !page.live || !SOCKETS.includes(page.connection.transport)) return;
    if (!deviceName() || !mayControl(knownMe())) return;
    const reply = await page.ask({ do: 'get_threads' });
    if (reply.ok) showUnread(unreadIn(reply.threads, followedRooms()));
  }

  document.addEventListener('visibilitychange', () => document.hidden || soon());
  return (event) => {
    const live = event.event === 'link' && event.link.status === 'live';
    if (live || ['snapshot', 'message', 'marks_changed', 'room_changed', 'gap'].includes(event.event)) soon();
  };
}

/** The number of unread messages in private talks and in the rooms that this person follows. */
function unreadIn(threads, rooms) {
  const muted = mutedThreads();
  const isMuted = ({ room, with: person }) => muted.includes(room === null ? `to:${person}` : `room:${room}`);
  const mine = threads.filter((thread) => (thread.room === null || rooms.includes(thread.room)) && !isMuted(thread));
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
