// The messages of the open thread: days, groups, the delivery of own messages, and where the new ones begin.

import { knownMe, mayControl } from '../me.js';
import { avatar } from '../view/avatar.js';
import { icon, make, write } from '../view/dom.js';
import { openMenu } from '../view/menu.js';
import { renderProblem } from '../view/problem.js';
import { textOf } from '../text-of.js';
import { t } from '../words.js';
import { arrange, labelOf } from './dom.js';
import { partsOf } from './links.js';
import { delivery, isRoom, nameOf, unread } from './state.js';
import { dayInWords, dayOf, exactTimeOf, timeOf } from './times.js';

const TOGETHER = 300; // seconds; messages of one person in a shorter time are one group
const NEAR_TOP = 400; // px from the top at which older messages are loaded
const NEAR_END = 90; // px from the end within which the log follows new messages
const LONG = 3000; // characters of a message that are shown without a click
const SIGNS = {
  waiting: 'sign-clock',
  sending: 'sign-clock',
  stored: 'sign-tick',
  delivered: 'sign-ticks',
  read: 'sign-ticks',
  refused: 'alert',
};

export class Log {
  /**
   * `earlier()` loads older messages. `read()` is called when other messages may be on the screen.
   * `retry(client_id)` and `discard(client_id)` are for a message that was refused; `edit(message)` and `remove(message)`
   * for one that is there.
   */
  constructor({ earlier, read, retry, discard, edit, remove }) {
    const part = (id) => document.getElementById(id);
    this._scroller = part('scroller');
    this._list = part('log');
    this._empty = part('log-empty');
    this._latest = part('to-latest');
    this._do = { earlier, read, retry, discard, edit, remove };
    this._rows = new Map();
    this._key = null;
    this._drawn = null;
    this._stick = true; // whether the log follows new messages
    this._top = 0; // where it was scrolled to when that was decided
    this._scroller.addEventListener('scroll', () => this._scrolled(), { passive: true });
    // When a keyboard, a longer draft or a smaller window takes space, keep the last message visible.
    new ResizeObserver(() => this._stick && this._toEnd()).observe(this._scroller);
    this._latest.addEventListener('click', () => {
      this._toEnd();
      document.getElementById('say').focus();
    });
  }

  get atEnd() {
    return this._stick;
  }

  toEnd() {
    this._stick = true;
  }

  /** Show this message of the open thread, and let it be seen for a moment. Returns whether it is there. */
  show(n) {
    const row = this._list.querySelector(`.message[data-n='${n}']`);
    if (!row) return false;
    this._fresh = false;
    this._stick = false;
    this._scroller.scrollTop = row.offsetTop - (this._scroller.clientHeight - row.offsetHeight) / 2;
    this._top = this._scroller.scrollTop;
    this._scrolled();
    row.classList.add('found-here');
    row.addEventListener('animationend', () => row.classList.remove('found-here'), { once: true });
    return true;
  }

  render(state, thread) {
    const today = dayOf(Date.now() / 1000);
    const drawn = [thread, state.me, today, knownMe()?.role];
    if (this._drawn?.every((part, at) => part === drawn[at])) return;
    this._drawn = drawn;
    const switched = this._key !== thread.key;
    if (switched) this._begin(thread);
    const first = this._list.querySelector('.message');
    const stood = bottomOf(first);
    // The event of scrolling comes in the next frame: without this, a message in between would take the reader to the end.
    if (this._scroller.scrollTop < this._top - 1 && !this._isNearEnd()) this._stick = false;
    const items = itemsOf(thread, state.me);
    const rows = items.map((item) => this._row(item));
    arrange(this._list, rows);
    const kept = new Set(items.map(({ key }) => key));
    for (const key of this._rows.keys()) if (!kept.has(key)) this._rows.delete(key);
    this._renderEmpty(thread, items);

    if (this._fresh && thread.loaded) {
      this._fresh = false;
      const mark = this._list.querySelector('.new-mark');
      if (mark) this._scroller.scrollTop = Math.max(mark.offsetTop - 80, 0);
      else this._toEnd();
    } else if (this._stick) {
      this._toEnd();
    } else if (first?.isConnected) {
      this._scroller.scrollTop += bottomOf(first) - stood; // older messages came above: keep the place of the reader
    }
    this._scrolled();
  }

  _begin(thread) {
    this._key = thread.key;
    this._rows.clear();
    this._list.replaceChildren();
    this._stick = true;
    this._fresh = true; // to be scrolled to the first new message once there are messages
    this._list.setAttribute('aria-label', t('chat_messages_of', { name: labelOf(thread.key) }));
  }

  _toEnd() {
    this._scroller.scrollTop = this._scroller.scrollHeight;
    this._top = this._scroller.scrollTop;
    this._stick = true;
  }

  _isNearEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this._scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR_END;
  }

  _scrolled() {
    const { scrollTop } = this._scroller;
    this._top = scrollTop;
    this._stick = this._isNearEnd();
    const thread = this._drawn?.[0];
    if (!thread) return;
    if (thread.loaded && thread.more && !thread.loading && scrollTop < NEAR_TOP) this._do.earlier();
    const below = unread(thread);
    this._latest.hidden = this._stick;
    write(this._latest.querySelector('span'), below > 0 ? t('chat_to_new', { n: below }) : t('chat_to_latest'));
    this._do.read();
  }

  _renderEmpty(thread, items) {
    const nothing = thread.loaded && !items.some(({ message, pending }) => message || pending);
    const name = nameOf(thread.key);
    this._empty.hidden = !nothing && thread.loaded;
    this._empty.classList.toggle('waiting', !thread.loaded);
    this._empty.classList.toggle('bad', Boolean(thread.problem));
    if (!thread.loaded) return write(this._empty, t('chat_loading'));
    if (thread.problem) return renderProblem(this._empty, thread.problem);
    write(this._empty, isRoom(thread.key) ? t('chat_empty_room') : t('chat_empty_private', { name }));
  }

  _row(item) {
    let row = this._rows.get(item.key);
    if (!row) {
      row = item.make(item);
      this._rows.set(item.key, row);
    }
    item.update?.(row, item, this._do);
    return row;
  }
}

/** Where a row ends. Its top may move: an older message of the same person above it takes over the name. */
function bottomOf(row) {
  return row ? row.offsetTop + row.offsetHeight : 0;
}

// --- the items of the log ----------------------------------------------------------------------------------

/** One item a row, with a key that does not change; an own message keeps its key when it is stored. */
function itemsOf(thread, me) {
  const { messages, pending, new_after: read } = thread;
  const items = [];
  const all = [
    ...messages.map((message) => ({ from: message.from, at: message.at, msg: message.msg, message })),
    ...pending.map((one) => ({ from: me, at: one.at, msg: one.msg, pending: one })),
  ];
  const lastOwn = all.findLast(({ from, message }) => message && from === me);
  if (thread.loaded && !thread.more && messages.length) items.push({ key: 'beginning', make: () => note('chat_beginning') });
  else items.push({ key: 'above', make: () => make('li', { className: 'above' }) });
  let before = null;
  for (const one of all) {
    const day = dayOf(one.at);
    const newDay = !before || day !== dayOf(before.at);
    if (newDay) items.push({ key: `day ${day} ${one.message?.n ?? one.pending.client_id}`, at: one.at, make: dayRow, update: updateDay });
    const isNew = read !== null && one.message?.n === read + 1 && one.from !== me;
    if (isNew) items.push({ key: 'new', make: () => make('li', { className: 'new-mark' }, make('span', { textContent: t('chat_new') })) });
    const goesOn = before && !newDay && !isNew && before.from === one.from && one.at - before.at < TOGETHER;
    if (goesOn) items.at(-1).last = false;
    const { role } = knownMe() ?? {};
    const there = one.message && !one.message.deleted_at && mayControl(knownMe());
    const client = one.pending?.client_id ?? (one.from === me && one.message.client_id);
    items.push({
      ...one,
      key: client ? `own ${client}` : `${one.from === me ? 'own' : 'message'} number ${one.message.n}`,
      own: one.from === me,
      mayEdit: there && one.from === me && typeof one.msg === 'string',
      mayDelete: there && (one.from === me || (role === 'admin' && isRoom(thread.key))),
      first: !goesOn,
      last: true,
      showsDelivery: one === lastOwn,
      delivery: one.from === me && one.message ? delivery(thread, one.message, me) : null,
      room: isRoom(thread.key),
      make: messageRow,
      update: updateMessage,
    });
    before = one;
  }
  return items;
}

function note(word) {
  return make('li', { className: 'note', textContent: t(word) });
}

function dayRow() {
  return make('li', { className: 'day' }, make('span'));
}

function updateDay(row, { at }) {
  write(row.firstElementChild, dayInWords(at));
}

function messageRow({ from, own }) {
  const row = make('li', { className: own ? 'message own' : 'message' });
  const author = make('p', { className: 'author' }, own ? null : avatar(from), make('strong', { textContent: from }));
  const edited = make('span', { className: 'edited', hidden: true, textContent: t('chat_edited') });
  const meta = make('p', { className: 'meta' }, edited, make('time'), make('span', { className: 'delivery' }));
  row.append(author, make('div', { className: 'bubble' }, meta), make('div', { className: 'trouble-row' }));
  return row;
}

/** Write the text of a message, once and after each change of it. */
function renderBody(row, { msg, message }) {
  const change = String(message?.change ?? 0);
  if (row.dataset.change === change) return;
  row.dataset.change = change;
  row.classList.toggle('deleted', Boolean(message?.deleted_at));
  const gone = make('p', { className: 'text', textContent: t('chat_deleted') });
  const bubble = row.querySelector('.bubble');
  const meta = bubble.querySelector('.meta');
  bubble.replaceChildren(...(message?.deleted_at ? [gone] : body(msg)), meta);
  const edited = meta.querySelector('.edited');
  edited.hidden = !message?.edited_at || Boolean(message.deleted_at);
  if (!edited.hidden) edited.title = exactTimeOf(message.edited_at);
}

/** The button with what may be done with a message. */
function renderMore(row, { from, message, mayEdit, mayDelete }, { edit, remove }) {
  const may = `${mayEdit} ${mayDelete}`;
  if (row.dataset.may === may) return;
  row.dataset.may = may;
  row.querySelector('.message-more')?.remove();
  if (!mayEdit && !mayDelete) return;
  const button = make('button', { type: 'button', className: 'round quiet message-more' }, icon('sign-more'));
  button.setAttribute('aria-label', t('chat_message_more', { from }));
  button.setAttribute('aria-haspopup', 'menu');
  button.addEventListener('click', () =>
    openMenu(button, [
      mayEdit && { label: t('chat_edit'), act: () => edit(message.n) },
      { label: t('chat_delete'), act: () => remove(message.n), danger: true },
    ]),
  );
  row.querySelector('.bubble').append(button);
}

/** The text of a message, or its JSON. A click shows the rest of a very long one. */
function body(msg) {
  const isText = typeof msg === 'string';
  const whole = isText ? msg : JSON.stringify(msg, null, 2);
  const long = whole.length > LONG;
  const shown = long ? `${whole.slice(0, LONG)}…` : whole;
  const text = isText ? make('p', { className: 'text', dir: 'auto' }, ...linked(shown)) : make('pre', { className: 'data' }, shown);
  if (!isText) {
    text.tabIndex = 0;
    text.setAttribute('role', 'group');
    text.setAttribute('aria-label', t('chat_data'));
  }
  if (!long) return [text];
  const all = make('button', { type: 'button', className: 'link', textContent: t('chat_show_all', { n: whole.length }) });
  all.addEventListener('click', () => {
    text.replaceChildren(...(isText ? linked(whole) : [whole]));
    all.remove();
  });
  return [text, all];
}

/** The text with its links. Those who are linked to do not learn where from. */
function linked(text) {
  return partsOf(text).map(({ text, href }) =>
    href === null ? text : make('a', { href, textContent: text, target: '_blank', rel: 'noopener noreferrer nofollow' }),
  );
}

function updateMessage(row, item, acts) {
  const { retry, discard } = acts;
  renderBody(row, item);
  renderMore(row, item, acts);
  const { own, first, last, at, message, pending, showsDelivery } = item;
  row.classList.toggle('first', first);
  row.classList.toggle('last', last);
  row.classList.toggle('shows-delivery', Boolean(showsDelivery || pending));
  const [name, by] = !own ? [null, []] : pending ? [pending.state, []] : [item.delivery.state, item.delivery.by];
  const signature = `${name} ${by.length} ${pending?.problem?.detail ?? ''} ${at}`;
  if (row.dataset.signature === signature) return;
  row.dataset.signature = signature;
  if (message) row.dataset.n = message.n;
  const time = row.querySelector('time');
  write(time, timeOf(at));
  time.dateTime = new Date(at * 1000).toISOString();
  time.title = exactTimeOf(at);
  if (!own) return;
  row.dataset.delivery = name;
  const words = deliveryInWords(name, by, item.room);
  const sign = row.querySelector('.delivery');
  sign.replaceChildren(icon(SIGNS[name]), make('span', { textContent: words }));
  sign.title = by.length ? `${words}: ${by.join(', ')}` : words;
  renderTrouble(row.querySelector('.trouble-row'), pending, { retry, discard });
}

function deliveryInWords(name, by, room) {
  if (name === 'refused') return t('chat_not_sent');
  if (name === 'read' && room) return t('chat_read_by', { n: by.length });
  return t(`chat_${name}`);
}

function renderTrouble(box, pending, { retry, discard }) {
  if (pending?.state !== 'refused') return box.replaceChildren();
  const again = make('button', { type: 'button', className: 'link', textContent: t('chat_retry') });
  const drop = make('button', { type: 'button', className: 'link', textContent: t('chat_discard') });
  again.addEventListener('click', () => retry(pending.client_id));
  drop.addEventListener('click', () => discard(pending.client_id));
  const why = make('span');
  renderProblem(why, pending.problem);
  box.replaceChildren(why, again, drop);
}

/** What a screen reader says for a new message. */
export function spoken({ from, msg }) {
  return t('chat_spoken', { from, text: textOf(msg).slice(0, 300) });
}
