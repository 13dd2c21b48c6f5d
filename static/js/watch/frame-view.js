// The Runs page around the runs: the connection, the notices, whether anything is saved.

import { write } from '../view/dom.js';
import { LinkView } from '../view/link.js';
import { Notices } from '../view/notices.js';
import { inWords } from '../view/problem.js';
import { t } from '../words.js';
import { RANKS, rank, reading } from './line-text.js';
import { signOf } from './lines.js';
import { endOf, nameOf } from './run-words.js';
import { everyRun } from './state.js';

const LONGEST = 300; // characters of a line that are shown in a notice

export class FrameView {
  /** `dismiss(id)` removes a notice, `retry()` connects now. */
  constructor({ dismiss, retry }) {
    this._link = new LinkView(retry);
    this._notices = new Notices(dismiss);
    this._storage = document.getElementById('storage');
    this._spoken = document.getElementById('spoken');
    this._ends = new Map();
  }

  render(state) {
    this._link.render(state.link, Boolean(state.runs));
    this._renderStorage(state.storage);
    this._notices.render(state.notices, (notice) => (notice.line ? signInWords(notice, state) : inWords(notice.problem)));
    this._speak(state);
  }

  _renderStorage(storage) {
    const box = this._storage;
    box.hidden = !storage || storage.kept !== false;
    if (!box.hidden) write(box.querySelector('span'), [t('watch_not_kept'), storage.reason].filter(Boolean).join(' '));
  }

  /** Have a screen reader say how the run on show ended, but not each step. */
  _speak(state) {
    const run = state.watch && everyRun(state)[state.watch.run];
    if (!run) return;
    if (run.state === 'ended' && this._ends.get(run.id) === 'going') {
      write(this._spoken, `${nameOf(run, state.shows)}: ${endOf(run)[0]}`);
    }
    this._ends.set(run.id, run.state === 'ended' ? 'over' : 'going');
  }
}

/** The notice for a line with a sign: something has finished. */
function signInWords({ run: id, line }, state) {
  const run = everyRun(state)[id];
  const sign = signOf(line);
  const said = reading(line).text;
  return {
    title: `${run ? nameOf(run, state.shows) : id}: ${sign}`,
    detail: said === sign ? '' : said.slice(0, LONGEST),
    look: rank(line) >= RANKS.warning ? 'bad' : 'good',
  };
}
