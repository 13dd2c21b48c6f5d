// What may be done with the open room or talk: search it, mute it, leave it; for admins, delete it.

import { knownMe } from '../me.js';
import { remember } from '../remember.js';
import { mutedThreads } from '../unread.js';
import { askFirst } from '../view/ask-first.js';
import { t } from '../words.js';
import { labelOf } from './dom.js';
import { isRoom, nameOf } from './state.js';

/** The items of the menu. `ask(command)` does a command, `drawn()` draws the page again. */
export function menuOf(key, { ask, leave, search, drawn, refuse }) {
  const name = nameOf(key);
  const isLobby = key === 'room:lobby';
  const muted = mutedThreads();
  const isMuted = muted.includes(key);
  const mute = () => {
    remember('chat.muted', isMuted ? muted.filter((one) => one !== key) : [...muted, key]);
    drawn();
  };
  const remove = async () => {
    const [kind, command] = isRoom(key) ? ['room', { do: 'delete_room', room: name }] : ['person', { do: 'delete_person', person: name }];
    const title = t(`chat_delete_${kind}_sure`, { name: labelOf(key) });
    const sure = { title, what: t(`chat_delete_${kind}_what`), keep: t('chat_keep'), lose: t('chat_delete') };
    if (!(await askFirst(sure))) return;
    const reply = await ask(command);
    if (reply.ok) leave();
    else refuse(reply.problem ?? null);
  };
  return [
    { label: t('chat_search_here'), act: () => search(key) },
    { label: t(isMuted ? 'chat_unmute' : 'chat_mute'), act: mute },
    isRoom(key) && !isLobby && { label: t('chat_leave'), act: leave },
    knownMe()?.role === 'admin' && !isLobby && { label: t(isRoom(key) ? 'chat_delete_room' : 'chat_delete_person'), act: remove, danger: true },
  ];
}
