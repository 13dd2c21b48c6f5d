// Who is here: a row of initials beside the connection mark. A press says the names, and one of them opens the chat.

import { isLive } from '../page-state.js';
import { ROOT } from '../root.js';
import { avatar } from '../view/avatar.js';
import { make, setAttributes } from '../view/dom.js';
import { openMenu } from '../view/menu.js';
import { deviceName } from '../view/settings.js';
import { t } from '../words.js';

const FACES = 4; // the others are a number
const NAMES = 12; // in the menu

/** The page of the chat with this person. */
const talkWith = ({ name }) => `/chat#${new URLSearchParams({ to: name })}`;

export class PeopleRow {
  constructor(button) {
    this._button = button;
    this._drawn = '';
    this._people = [];
    button.addEventListener('click', () => this._open());
  }

  render(state) {
    this._people = inOrder(Object.values(state.people));
    const alone = this._people.every(isMe);
    this._button.hidden = alone || !isLive(state); // without a connection nobody knows who is here
    const names = this._people.map(({ name }) => name);
    if (names.join('\n') === this._drawn) return;
    this._drawn = names.join('\n');
    const more = names.length - FACES;
    const faces = this._people.slice(0, FACES).map(faceOf);
    if (more > 0) faces.push(make('span', { className: 'more-people' }, `+${more}`));
    this._button.replaceChildren(...faces);
    setAttributes(this._button, { 'aria-label': t('here', { names: names.slice(0, NAMES), all: names.length }) });
  }

  _open() {
    const rows = this._people.slice(0, NAMES).map((person) => ({
      label: isMe(person) ? t('here_you', person) : person.name,
      act: () => location.assign(ROOT + (isMe(person) ? '/settings/device' : talkWith(person))),
    }));
    const more = this._people.length - rows.length;
    if (more > 0) rows.push({ label: t('here_more', { more }), act: () => location.assign(`${ROOT}/chat`) });
    openMenu(this._button, rows);
  }
}

function isMe({ name }) {
  return name === deviceName();
}

/** This device first, then by name. */
function inOrder(people) {
  return people.sort((one, other) => isMe(other) - isMe(one) || one.name.localeCompare(other.name));
}

function faceOf(person) {
  const face = avatar(person.name);
  face.classList.toggle('me', isMe(person));
  return face;
}
