// The lists beside the messages: rooms, private talks, and the people who are here.

import { inBadge, mutedThreads } from '../unread.js';
import { avatar } from '../view/avatar.js';
import { icon, make, write } from '../view/dom.js';
import { textOf } from '../text-of.js';
import { t } from '../words.js';
import { arrange, labelOf } from './dom.js';
import { isRoom, nameOf, personKey, typists, unread } from './state.js';
import { briefly } from './times.js';

const PREVIEW = 120; // characters

export class Side {
  constructor() {
    const part = (id) => document.getElementById(id);
    this._parts = {
      rooms: part('rooms'),
      privates: part('privates'),
      noPrivates: part('no-privates'),
      people: part('people'),
      nobody: part('nobody'),
      count: part('people-count'),
    };
    this._rows = new Map();
  }

  render(state, followed) {
    const { rooms, privates, noPrivates } = this._parts;
    const threads = Object.values(state.threads);
    const inRooms = threads.filter(({ key }) => isRoom(key)).sort((one, other) => byRoom(one, other, followed));
    const alone = threads
      .filter(({ key, last, pending }) => !isRoom(key) && (last || pending.length || key === state.open))
      .sort((one, other) => lastAt(other) - lastAt(one));
    arrange(rooms, inRooms.map((thread) => this._thread(state, thread, followed)));
    arrange(privates, alone.map((thread) => this._thread(state, thread, followed)));
    noPrivates.hidden = alone.length > 0;
    this._renderPeople(state);
  }

  // --- threads -----------------------------------------------------------------------------------------------

  _thread(state, thread, followed) {
    const { key } = thread;
    const row = this._row(key, () => threadRow(key));
    const name = nameOf(key);
    const link = row.firstElementChild;
    const muted = mutedThreads().includes(key);
    const waiting = muted ? 0 : unread(thread);
    row.querySelector('.muted').toggleAttribute('hidden', !muted);
    const follows = !isRoom(key) || followed.includes(name);
    link.classList.toggle('quiet', !follows);
    link.classList.toggle('has-unread', waiting > 0 && follows);
    setOrRemove(link, 'aria-current', key === state.open && 'true');
    row.querySelector('.presence')?.classList.toggle('here', Object.hasOwn(state.people, name));
    write(row.querySelector('.thread-when'), thread.last ? briefly(thread.last.at) : '');
    write(row.querySelector('.thread-last'), preview(state, thread));
    row.querySelector('.thread-last').classList.toggle('typing', typists(thread).length > 0);
    const badge = row.querySelector('.badge');
    badge.hidden = waiting === 0;
    write(badge.firstElementChild, inBadge(waiting));
    write(badge.lastElementChild, ` ${t('chat_unread_count', { n: '' }).trim()}`);
    return row;
  }

  // --- people ------------------------------------------------------------------------------------------------

  _renderPeople(state) {
    const { people, nobody, count } = this._parts;
    const all = Object.values(state.people);
    const byName = (one, other) => (other.name === state.me) - (one.name === state.me) || one.name.localeCompare(other.name);
    arrange(people, all.sort(byName).map((person) => this._person(person, person.name === state.me)));
    write(count, all.length ? String(all.length) : '');
    nobody.hidden = !state.known || all.some(({ name }) => name !== state.me);
  }

  _person({ name, devices }, isMe) {
    const row = this._row(`person ${name} ${isMe}`, () => personRow(name, isMe));
    const n = devices.length;
    write(row.querySelector('.person-devices'), n > 1 ? t('chat_devices', { n }) : (devices[0]?.device ?? ''));
    row.title = devices.map(({ device }) => device).join('\n');
    return row;
  }

  _row(key, make) {
    if (!this._rows.has(key)) this._rows.set(key, make());
    return this._rows.get(key);
  }
}

function threadRow(key) {
  const name = nameOf(key);
  const face = isRoom(key)
    ? make('span', { className: 'avatar room-sign' }, icon('sign-hash'))
    : make('span', { className: 'face' }, avatar(name), make('span', { className: 'presence' }));
  const link = make(
    'a',
    { className: 'thread', href: hashOf(key) },
    face,
    make('span', { className: 'thread-head' }, make('strong', { className: 'thread-name', textContent: labelOf(key), dir: 'auto' }), mutedSign()),
    make('span', { className: 'thread-when' }),
    make('span', { className: 'thread-last', dir: 'auto' }),
    make('span', { className: 'badge', hidden: true }, make('span'), make('span', { className: 'unseen' })),
  );
  const row = make('li', {}, link);
  row.dataset.thread = key;
  return row;
}

function mutedSign() {
  const words = make('span', { className: 'unseen', textContent: t('chat_muted') });
  return make('span', { className: 'muted', hidden: true }, icon('sign-bell-off'), words);
}

function personRow(name, isMe) {
  const parts = [
    make('span', { className: 'face' }, avatar(name), make('span', { className: 'presence here' })),
    make('span', { className: 'person-name', dir: 'auto' }, name, isMe ? make('small', { textContent: t('chat_you') }) : null),
    make('span', { className: 'person-devices' }),
  ];
  const inside = isMe ? make('div', { className: 'person' }, ...parts) : make('a', { className: 'person', href: hashOf(personKey(name)) }, ...parts);
  if (!isMe) inside.setAttribute('aria-description', t('chat_talk_to', { name }));
  const row = make('li', {}, inside);
  row.dataset.person = name;
  return row;
}

function preview(state, thread) {
  const typing = typists(thread);
  if (typing.length) return t('chat_typing', { names: typing });
  const message = thread.pending.length ? { from: state.me, msg: thread.pending.at(-1).msg } : thread.last;
  if (!message) return isRoom(thread.key) && thread.n ? t('chat_room_what', { n: thread.n }) : '';
  const text = message.deleted_at ? t('chat_deleted') : textOf(message.msg).slice(0, PREVIEW);
  if (message.from === state.me) return t('chat_preview_own', { text });
  return isRoom(thread.key) ? t('chat_preview_in_room', { from: message.from, text }) : text;
}

/** Order of rooms: the lobby, then those that this person follows, then the others. */
function byRoom(one, other, followed) {
  const rank = ({ key }) => (nameOf(key) === 'lobby' ? 0 : followed.includes(nameOf(key)) ? 1 : 2);
  return rank(one) - rank(other) || nameOf(one.key).localeCompare(nameOf(other.key));
}

function lastAt(thread) {
  return thread.pending.at(-1)?.at ?? thread.at;
}

/** The address of a thread within the page. */
export function hashOf(key) {
  return `#${new URLSearchParams(isRoom(key) ? { room: nameOf(key) } : { to: nameOf(key) })}`;
}

function setOrRemove(element, name, value) {
  if (value) element.setAttribute(name, value);
  else element.removeAttribute(name);
}
