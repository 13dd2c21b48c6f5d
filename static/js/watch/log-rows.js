// The rows of the log: a line with its colours and hits, and a gap.

import { make } from '../view/dom.js';
import { language, t } from '../words.js';
import { look, lookLike, reading, signOf, timeOf } from './lines.js';

const LONGEST = 4000; // characters of one line that are shown

export const number = new Intl.NumberFormat(language);

/** The key of an item: the same for the same lines. */
export function keyOf(item) {
  return item.upto ? `${item.n}-${item.upto}` : String(item.n);
}

/** The row of a gap in the log of `run`; its button calls `fill(gap)`. */
export function makeGap({ n, upto, href }, run, fill) {
  const text = t('watch_gap', { from: number.format(n), upto: number.format(upto - 1) });
  const load = make('button', { type: 'button', className: 'button' }, t('watch_load'));
  load.addEventListener('click', () => fill({ n, upto }));
  const where = href ?? `/runs/${encodeURIComponent(run)}/log?from=${n}`;
  const link = make('a', { href: where, target: '_blank' }, t('watch_raw'));
  const row = make('div', { className: 'row gap' }, make('span', {}, text), link, load);
  row.dataset.n = n;
  return row;
}

/** The row of a line, with the hits of `query` marked. */
export function makeRow({ n, line }, query) {
  const row = make('div', { className: 'row' });
  if (n !== undefined) row.dataset.n = n;
  row.dataset.level = look(line);
  if (line.stream === 'stderr') row.dataset.stream = 'stderr';
  const { short, full } = timeOf(line);
  const offset = make('span', { className: 'offset' }, n === undefined ? '' : number.format(n));
  const time = make('time', { className: 'at', title: [full, line.stream].filter(Boolean).join(' · ') }, short);
  const said = make('span', { className: 'said' });
  // Not everybody sees the colour of a level, so name it too.
  if (look(line) !== line.level) said.append(make('span', { className: 'level-name' }, String(line.level ?? '')));
  else if (line.level !== 'info') said.append(make('span', { className: 'unseen' }, `${t(`watch_level_${line.level}`)}: `));
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

/** Append `piece` with the hits marked. It begins at `begin` of the whole text; a hit may span several pieces. */
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
