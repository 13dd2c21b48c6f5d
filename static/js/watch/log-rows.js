// The rows of the log: a line with its colours and matches, and a gap.

import { make } from '../view/dom.js';
import { language, t } from '../words.js';
import { look, reading } from './line-text.js';
import { lookLike, signOf, timeOf } from './lines.js';

const LONGEST = 4000; // characters of one line that are shown

export const number = new Intl.NumberFormat(language);

/** The address of a run on this page, or of one of its lines. */
export function addressOf(run, n) {
  return `#run=${encodeURIComponent(run)}${n === undefined ? '' : `&line=${n}`}`;
}

/** The key of an item: the same for the same lines. */
export function keyOf(item) {
  return item.upto ? `${item.n}-${item.upto}` : String(item.n);
}

/** The row of a gap in a log; its button calls `fill(gap)`. */
export function makeGap({ n, upto }, fill) {
  const text = t('watch_gap', { from: number.format(n), upto: number.format(upto - 1) });
  const load = make('button', { type: 'button', className: 'button' }, t('watch_load'));
  load.addEventListener('click', () => fill({ n, upto }));
  const row = make('div', { className: 'row gap' }, make('span', {}, text), load);
  row.dataset.n = n;
  return row;
}

/** The row of a line, with the matches of `query` marked; its number leads to `run`'s address of this line. */
export function makeRow({ n, line }, query, run) {
  const row = make('div', { className: 'row' });
  if (n !== undefined) row.dataset.n = n;
  row.dataset.level = look(line);
  if (line.stream === 'stderr') row.dataset.stream = 'stderr';
  const { short, full } = timeOf(line);
  const offset = make(n === undefined ? 'span' : 'a', { className: 'offset' }, n === undefined ? '' : number.format(n));
  if (n !== undefined) {
    offset.href = addressOf(run, n);
    offset.tabIndex = -1; // by keys, "Jump to line" does the same
    offset.title = t('watch_link_to', { n: number.format(n) });
  }
  const time = make('time', { className: 'at', title: [full, line.stream].filter(Boolean).join(' · ') }, short);
  const said = make('span', { className: 'said' });
  // Not everybody sees the colour of a level, so name it too.
  if (look(line) !== line.level) said.append(make('span', { className: 'level-name' }, String(line.level ?? '')));
  else if (line.level !== 'info') said.append(make('span', { className: 'unseen' }, `${t(`watch_level_${line.level}`)}: `));
  if (line.stream === 'stderr') said.append(make('span', { className: 'unseen' }, 'stderr: '));
  const { text, parts } = reading(line);
  if (parts && text.length <= LONGEST) {
    let begin = 0;
    for (const part of parts) {
      const piece = make('span');
      lookLike(piece, part);
      mark(piece, part.text, query, text, begin);
      begin += part.text.length;
      said.append(piece);
    }
  } else {
    const shown = text.slice(0, LONGEST);
    const more = text.length - shown.length;
    mark(said, shown, query, shown, 0);
    if (more) said.append(make('span', { className: 'cut' }, t('watch_cut', { n: number.format(more) })));
  }
  const sign = signOf(line);
  if (sign !== null) {
    row.classList.add('sign');
    said.append(make('span', { className: 'sign-mark' }, sign));
  }
  row.append(offset, time, said);
  return row;
}

/** Append `piece` with the matches marked. It begins at `begin` of the whole text; a match may span several pieces. */
function mark(element, piece, query, whole, begin) {
  const lower = query && whole.toLowerCase();
  if (!query || lower.length !== whole.length) {
    element.append(piece);
    return;
  }
  let at = begin;
  const end = begin + piece.length;
  let hit = lower.indexOf(query, Math.max(begin - query.length + 1, 0));
  while (hit >= 0 && hit < end) {
    const from = Math.max(hit, at);
    const upto = Math.min(hit + query.length, end);
    if (from > at) element.append(whole.slice(at, from));
    if (upto > from) element.append(make('mark', {}, whole.slice(from, upto)));
    at = Math.max(at, upto);
    hit = lower.indexOf(query, hit + query.length);
  }
  if (at < end) element.append(whole.slice(at, end));
}
