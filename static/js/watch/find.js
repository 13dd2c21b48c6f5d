// The search of the log on show: what is looked for, where the matches are, and the list of the lines that pass a filter.
//
// The panel searches the whole log; the page adds the new lines that it hears of.

import { passes } from './line-text.js';
import { firstWhere } from './search.js';

const LISTED = 5000; // lines of a filtered log in the page

/** The filters, by their names on the page, as fields of `search_log`. */
export const SHOWN = {
  all: {},
  info: { level: 'info' },
  warning: { level: 'warning' },
  error: { level: 'error' },
  stderr: { stream: 'stderr' },
};

export const NO_FIND = {
  query: '',
  show: 'all', // a key of SHOWN
  only: false, // whether lines without a match are left out
  key: 0, // counts the questions, so that the answer to an older one is known
  total: null, // matches in the whole log; null: not known
  before: 0, // matches before the first of those in `matches`
  matches: [], // offsets of the matches around one place
  next: 0, // offset after the last line that was searched
  cut: false, // whether older lines were not searched
  hit: null, // offset of the match where the reader is
};

// The lines that pass the filter, like the log in state.js, but with no holes.
const NO_LIST = { items: [], known: false, first: 0, next: 0, end: 0, tail: true, oldest: 0, above: 0 };

/** What a match must have, as fields of `search_log`. */
export const hits = ({ query, show }) => ({ ...SHOWN[show], q: query });

/** What a line must have to be listed; null: the whole log is. */
export function filter({ query, show, only }) {
  const q = only ? query : '';
  return q || show !== 'all' ? { ...SHOWN[show], q } : null;
}

/** The watch with another search. Matches that are known stay, if only the filter is another one. */
export function searching({ find, ...watch }, change) {
  const wanted = { ...find, ...change, key: find.key + 1 };
  const same = wanted.query === find.query && wanted.show === find.show;
  const { query, show, only, key } = wanted;
  return { ...watch, find: same ? wanted : { ...NO_FIND, query, show, only, key }, list: filter(wanted) && NO_LIST };
}

export function found(watch, { total, before, matches, next, cut }) {
  const find = { ...watch.find, total, before, matches, next, cut };
  return { ...watch, find: unseen(watch.log, next).reduce((known, { n, line }) => counted(known, n, [line]), find) };
}

/** The watch with a page of the lines that pass, in place of those that are there (`fresh`) or beside them. */
export function listed(watch, { lines, matches, before, total, next }, fresh) {
  const { items: known } = watch.list;
  const more = lines.map(({ n, line }) => ({ n, line }));
  if (fresh || !known.length) {
    const list = bounded(more, before, before + matches.length === total, next);
    return unseen(watch.log, next).reduce((now, { n, line }) => ({ ...now, list: grown(now, n, [line]) }), { ...watch, list });
  }
  const older = more.filter(({ n }) => n < known[0].n);
  const newer = more.filter(({ n }) => n > known.at(-1).n);
  let items = [...older, ...known, ...newer];
  let above = Math.max(older.length ? before : watch.list.above, 0);
  let tail = newer.length || matches.at(-1) === known.at(-1).n ? before + matches.length === total : watch.list.tail;
  if (items.length > LISTED && older.length) {
    items = items.slice(0, LISTED);
    tail = false;
  } else if (items.length > LISTED) {
    above += items.length - LISTED;
    items = items.slice(-LISTED);
  }
  return { ...watch, list: bounded(items, above, tail, Math.max(next, watch.list.end)) };
}

/** The lines of the log that came while the panel looked: it had not seen them. */
function unseen({ items }, next) {
  return items.filter(({ n, upto }) => n >= next && !upto);
}

/** The watch with new lines of its log. */
export function heard(watch, from, lines) {
  return { ...watch, find: counted(watch.find, from, lines), list: watch.list && grown(watch, from, lines) };
}

function counted(find, from, lines) {
  if (find.total === null) return find;
  const new_ = passing(lines, from, find.next, hits(find)).map(({ n }) => n);
  const next = Math.max(find.next, from + lines.length);
  if (!new_.length) return next === find.next ? find : { ...find, next };
  const atEnd = find.before + find.matches.length === find.total;
  return { ...find, next, total: find.total + new_.length, matches: atEnd ? [...find.matches, ...new_] : find.matches };
}

function grown({ list, find, follow }, from, lines) {
  if (!list.known) return list;
  const end = Math.max(list.end, from + lines.length);
  const new_ = list.tail ? passing(lines, from, list.end, filter(find)) : [];
  if (!list.tail || (!new_.length && end === list.end)) return { ...list, end };
  const items = [...list.items, ...new_];
  if (items.length <= LISTED) return bounded(items, list.above, true, end);
  if (!follow) return { ...list, tail: false, end };
  return bounded(items.slice(-LISTED), list.above + items.length - LISTED, true, end);
}

function passing(lines, from, since, wanted) {
  return lines.map((line, at) => ({ n: from + at, line })).filter(({ n, line }) => n >= since && passes(line, wanted));
}

function bounded(items, above, tail, end) {
  const first = above && items.length ? items[0].n : 0;
  return { items, known: true, first, oldest: 0, above, tail, end, next: tail || !items.length ? end : items.at(-1).n + 1 };
}

/**
 * The match after `from` (step 1) or before it (step -1). null: there is none on this side. undefined: the page does not
 * know it.
 */
export function nextHit({ matches, before, total }, step, from) {
  const whole = step > 0 ? before + matches.length === total : before === 0;
  const at = firstWhere(matches, (n) => (step > 0 ? n > from : n >= from)) - (step > 0 ? 0 : 1);
  const known = step > 0 ? before === 0 || from >= matches[0] : before + matches.length === total || from <= matches.at(-1);
  if (known && at >= 0 && at < matches.length) return matches[at];
  return known && whole ? null : undefined;
}

/** "3" of "3 of 41", or 0 if the reader is at none. */
export function placeOf({ matches, before, hit }) {
  const at = matches.indexOf(hit);
  return at < 0 ? 0 : before + at + 1;
}

/** Whether the log, or the list, has the line with this offset. */
export function has({ items }, n) {
  const at = firstWhere(items, (item) => (item.upto ?? item.n + 1) > n);
  return items[at]?.n === n && !items[at].upto;
}
