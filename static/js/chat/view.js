// The chat page: `render(state)` draws the whole state.

import { lock } from '../lock.js';
import { knownMe, mayControl } from '../me.js';
import { known } from '../page-state.js';
import { avatar } from '../view/avatar.js';
import { icon, make, write } from '../view/dom.js';
import { isLost, renderMark } from '../view/link.js';
import { openMenu } from '../view/menu.js';
import { Notices } from '../view/notices.js';
import { renderProblem } from '../view/problem.js';
import { mutedThreads, showUnread } from '../unread.js';
import { t } from '../words.js';
import { Composer } from './composer.js';
import { arrange, labelOf } from './dom.js';
import { Log, spoken } from './log.js';
import { Side } from './side.js';
import { isRoom, nameOf, threadOf, typists, unread } from './state.js';

const SPOKEN_KEPT = 5; // messages in the box for screen readers

export class ChatView {
  /** `acts` has a function for each thing that people do here; see main.js. */
  constructor(acts, followed) {
    const part = (id) => document.getElementById(id);
    this._acts = acts;
    this._followed = followed;
    this._parts = {
      mark: part('mark'),
      chat: part('chat'),
      notKept: part('not-kept'),
      lost: part('lost'),
      face: part('talk-face'),
      name: part('talk-name'),
      what: part('talk-what'),
      more: part('talk-more'),
      typing: part('typing'),
      askName: part('ask-name'),
      nameForm: part('name-form'),
      nameProblem: part('name-problem'),
      newRoom: part('new-room'),
      roomForm: part('room-form'),
      roomProblem: part('room-problem'),
      spoken: part('spoken'),
    };
    this.log = new Log(acts);
    this.composer = new Composer(acts);
    this._side = new Side();
    this._notices = new Notices(acts.dismiss);
    this._open = undefined;
    this._asking = false; // whether the form for the name is shown
    this._nameMistake = '';
    part('back').addEventListener('click', acts.back);
    this._parts.more.addEventListener('click', () => openMenu(this._parts.more, acts.menu()));
    part('open-search').addEventListener('click', () => acts.search());
    this._parts.lost.querySelector('button').addEventListener('click', acts.reconnect);
    this._listenToForms();
  }

  render(state) {
    document.body.dataset.link = state.link.status;
    document.body.dataset.view = state.open ? 'thread' : 'list';
    renderMark(this._parts.mark, state.link);
    this._notices.render(state.notices);
    this._renderNotKept(state.storage);
    this._renderAskName(state);
    this._side.render(state, this._followed());
    const threads = Object.values(state.threads);
    const muted = mutedThreads();
    const counts = ({ key }) => (!isRoom(key) || this._followed().includes(nameOf(key))) && !muted.includes(key);
    const counted = threads.filter(counts);
    showUnread(state.me ? counted.reduce((sum, thread) => sum + unread(thread), 0) : 0);
    if (state.open) this._renderTalk(state, threadOf(state, state.open));
    this._open = state.open;
  }

  /** Have a screen reader say a new message of the open thread. */
  speak(message) {
    const { spoken: box } = this._parts;
    box.append(make('p', { textContent: spoken(message) }));
    while (box.children.length > SPOKEN_KEPT) box.firstElementChild.remove();
  }

  // --- the open thread -----------------------------------------------------------------------------------------

  _renderTalk(state, thread) {
    const { face, name, what, more, typing, lost } = this._parts;
    const called = nameOf(thread.key);
    const label = labelOf(thread.key);
    if (this._open !== state.open) {
      arrange(face, [isRoom(thread.key) ? make('span', { className: 'avatar room-sign' }, icon('sign-hash')) : avatar(called)]);
      write(name, label);
      more.setAttribute('aria-label', t('chat_more', { name: label }));
      document.title = `${label} · Pilot Light`;
    }
    write(what, inShort(state, thread));
    what.classList.toggle('here', !isRoom(thread.key) && Object.hasOwn(state.people, called));

    const names = typists(thread);
    typing.classList.toggle('some', names.length > 0);
    write(typing.querySelector('.typing-words'), names.length ? t('chat_typing', { names }) : '');

    lost.hidden = !isLost(state.link);
    this.composer.render(thread.key, mayControl(knownMe()));
    this.log.render(state, thread);
  }

  // --- around the open thread ----------------------------------------------------------------------------------

  _renderNotKept({ kept, reason }) {
    const { notKept } = this._parts;
    notKept.hidden = kept;
    write(notKept.querySelector('span'), kept ? '' : [t('chat_not_kept'), reason].filter(Boolean).join(' '));
    notKept.title = reason ?? '';
  }

  _renderAskName(state) {
    const { chat, askName, nameForm, nameProblem } = this._parts;
    const may = mayControl(knownMe());
    const asking = may && (!state.me || Boolean(state.name_problem)); // who may only read needs no name
    lock(this._parts.newRoom, may ? null : 'chat');
    askName.hidden = !asking;
    chat.classList.toggle('nameless', asking);
    for (const part of chat.querySelectorAll('.side, .people, .talk')) part.inert = asking;
    if (state.name_problem) renderProblem(nameProblem, state.name_problem);
    else write(nameProblem, this._nameMistake);
    if (asking && !this._asking) {
      nameForm.elements.name.value = state.me;
      nameForm.elements.name.focus();
    }
    this._asking = asking;
  }

  _listenToForms() {
    const { nameForm, nameProblem, newRoom, roomForm, roomProblem } = this._parts;
    nameForm.addEventListener('submit', (event) => {
      event.preventDefault();
      this._nameMistake = nameForm.elements.name.value.trim() ? '' : t('chat_name_empty');
      write(nameProblem, this._nameMistake);
      if (!this._nameMistake) this._acts.name(nameForm.elements.name.value);
    });

    const show = (shown) => {
      roomForm.hidden = !shown;
      newRoom.setAttribute('aria-expanded', shown);
      roomForm.reset();
      write(roomProblem, '');
      if (shown) roomForm.elements.room.focus();
      else newRoom.focus();
    };
    newRoom.addEventListener('click', () => show(roomForm.hidden));
    roomForm.addEventListener('keydown', (event) => event.key === 'Escape' && show(false));
    roomForm.addEventListener('submit', async (event) => {
      event.preventDefault();
      const reply = await this._acts.join(roomForm.elements.room.value);
      if (reply.ok) show(false);
      else renderProblem(roomProblem, reply.problem);
    });
  }
}

function inShort(state, { key, n }) {
  if (isRoom(key)) return t('chat_room_what', { n });
  const person = known(state.people, nameOf(key));
  if (!person) return t('chat_away');
  const many = person.devices.length;
  return many > 1 ? `${t('chat_here')} · ${t('chat_devices', { n: many })}` : t('chat_here');
}
