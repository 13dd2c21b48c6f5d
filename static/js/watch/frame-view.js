// What stands around the runs: the connection mark, the banner when there is none, the notices.

import { t, ago } from '../words.js';
import { renderMark } from '../view/mark.js';
import { rank, reading } from './lines.js';
import { everyRun } from './state.js';

const BLINK = 1500; // ms without a connection that the mark alone tells

export class FrameView {
  /** `dismiss(id)` takes a notice away, `retry()` connects now. */
  constructor({ dismiss, retry }) {
    const part = (id) => document.getElementById(id);
    this._parts = {
      mark: part('mark'),
      lost: part('lost'),
      notices: part('notices'),
      spoken: part('spoken'),
      storage: part('storage'),
    };
    this._dismiss = dismiss;
    this._notices = new Map();
    this._status = null;
    this._ends = new Map();
    this._parts.lost.querySelector('button').addEventListener('click', retry);
  }

  render(state) {
    document.body.dataset.link = state.link.status;
    renderMark(this._parts.mark, state.link);
    this._renderLost(state);
    this._renderStorage(state.storage);
    this._renderNotices(state);
    this._speak(state);
  }

  _renderLost({ link: { status, restarting, refused, retryAt, since }, runs }) {
    const { lost } = this._parts;
    const down = status === 'reconnecting' || status === 'offline';
    lost.hidden = !down || refused || (status === 'reconnecting' && Date.now() - since < BLINK);
    if (lost.hidden) return;
    const said = [t('lost_retry', { seconds: retryAt ? Math.max(Math.ceil((retryAt - Date.now()) / 1000), 0) : 0 })];
    if (!navigator.onLine) said.unshift(t('lost_network'));
    if (runs && since) said.unshift(t('lost_since', { age: ago(since / 1000, Date.now() / 1000) }));
    write(lost.querySelector('.banner-title'), t(restarting ? 'lost_restarting' : 'lost_title'));
    write(lost.querySelector('.banner-text'), said.join(' '));
  }

  _renderStorage(storage) {
    const { storage: box } = this._parts;
    box.hidden = !storage || storage.kept !== false;
    if (!box.hidden) write(box.querySelector('span'), [t('watch_not_kept'), storage.reason].filter(Boolean).join(' '));
  }

  _renderNotices(state) {
    const wanted = new Set(state.notices.map(({ id }) => id));
    for (const [id, element] of this._notices) {
      if (wanted.has(id)) continue;
      element.remove();
      this._notices.delete(id);
    }
    for (const notice of state.notices) {
      if (this._notices.has(notice.id)) continue;
      const element = this._notice(notice, state);
      this._notices.set(notice.id, element);
      this._parts.notices.append(element);
    }
  }

  _notice({ id, problem, run, line }, state) {
    const element = make('div', 'notice');
    const text = make('p');
    if (line) {
      element.dataset.look = rank(line) >= 2 ? 'bad' : 'good';
      const name = everyRun(state)[run]?.name ?? run;
      const sign = typeof line.sign === 'string' ? line.sign : t('watch_sign');
      const said = reading(line).text;
      text.append(make('strong', '', `${name}: ${sign}`), make('span', '', said === sign ? '' : said.slice(0, 300)));
    } else {
      text.append(make('strong', '', problem?.title ?? t('refused')), make('span', '', problem?.detail ?? ''));
    }
    const close = Object.assign(make('button', 'round quiet'), { type: 'button' });
    close.setAttribute('aria-label', t('dismiss'));
    close.innerHTML = '<svg class="icon" aria-hidden="true"><use href="#close"/></svg>';
    close.addEventListener('click', () => this._dismiss(id));
    element.append(text, close);
    return element;
  }

  /** Tell a screen reader that the connection went or came, and how the run on show ended; not each step of it. */
  _speak(state) {
    const { status } = state.link;
    if (status !== this._status) {
      const back = status === 'live' && this._status !== 'connecting' && this._status !== null;
      const key = { reconnecting: 'link_lost', offline: 'link_offline', live: back && 'link_live' }[status];
      if (key) write(this._parts.spoken, t(key));
      this._status = status;
    }
    const run = state.watch && everyRun(state)[state.watch.run];
    if (!run) return;
    if (run.state === 'ended' && this._ends.get(run.id) === 'going') {
      write(this._parts.spoken, `${run.name}: ${t(`watch_outcome_${run.outcome ?? 'done'}`)}`);
    }
    this._ends.set(run.id, run.state === 'ended' ? 'over' : 'going');
  }
}

function make(tag, className = '', textContent = '') {
  return Object.assign(document.createElement(tag), { className, textContent });
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
