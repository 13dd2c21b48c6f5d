// The log on the page: a window of rows over the lines that the page has; search, filter, follow.
//
// A log may have a hundred thousand lines. The state holds some thousands of them, and the page shows at most WINDOW.

import { onceAFrame } from '../once-a-frame.js';
import { onSubmit, write } from '../view/dom.js';
import { t } from '../words.js';
import { placeOf } from './find.js';
import { keyOf, makeGap, makeRow, number } from './log-rows.js';
import { endOf, tookOf } from './run-words.js';
import { firstWhere } from './search.js';

const WINDOW = 400; // rows in the page
const BEFORE = 150; // rows above the one at which the reader is
const NEAR = 700; // px from the end of the rows at which more are added
const AT_END = 6; // px
const SEARCH_PAUSE = 150; // ms

export class LogView {
  /**
   * `more(direction)` loads "older" or "newer" lines, `fill(gap)` those of a gap, `latest()` the newest.
   * `follow(is)` gets whether the page follows the log. `find(change, place)` searches for something else,
   * `hop(step, place)` goes to the next match or the one before, `line(n)` to a line, `firstError()` to that.
   */
  constructor(box, acts) {
    const part = (selector) => box.querySelector(selector);
    this._acts = acts;
    this._parts = {
      scroller: part('.log-lines'),
      rows: part('.rows'),
      begun: part('.begun'),
      older: part('.older'),
      newer: part('.newer'),
      ended: part('.ended'),
      nothing: part('.nothing'),
      latest: part('.to-latest'),
      gone: part('.gone'),
      search: part('.search input'),
      count: part('.hits'),
      previous: part('[data-hit="previous"]'),
      next: part('[data-hit="next"]'),
      only: part('.only-hits'),
      firstError: part('.first-error'),
      jump: part('.jump'),
    };
    this._rows = new Map(); // of the items on the page, by key
    this._watch = null;
    this._from = 0; // offset at which the window begins, while it does not follow
    this._still = false; // at a line: do not follow the log until somebody scrolls
    this._goal = null; // the last one that was shown
    this._listen();
  }

  render(watch, run) {
    if (watch.run !== this._watch?.run) this._reset();
    this._watch = watch;
    this._run = run;
    if (watch.goal !== this._goal) this._goToGoal(watch.goal);
    else this._draw();
  }

  /** Show only the lines of a filter, a key of SHOWN. */
  show(name) {
    this._acts.find({ show: name }, this._place);
  }

  _reset() {
    this._rows.clear();
    this._parts.rows.replaceChildren();
    this._begun = null;
    this._goal = null;
    this._from = 0;
    this._parts.search.value = '';
    this._parts.jump.reset();
  }

  // --- what is shown ---------------------------------------------------------------------------------------

  /** What the rows are made of: the lines that pass the filter, or the log. */
  get _shown() {
    return this._watch.list ?? this._watch.log;
  }

  _slice({ items }) {
    if (this._watch.follow) return { begin: Math.max(items.length - WINDOW, 0), end: items.length };
    const begin = Math.max(Math.min(place(items, this._from), items.length - WINDOW), 0);
    return { begin, end: Math.min(begin + WINDOW, items.length) };
  }

  _draw(goal = null) {
    const { follow, find } = this._watch;
    const shown = this._shown;
    const { items } = shown;
    const { begin, end } = this._slice(shown);
    this._span = { begin, end, all: items.length };
    const anchor = follow ? null : this._anchor();
    this._arrange(items.slice(begin, end), find);
    if (!follow && items[begin]) this._from = items[begin].n;
    this._renderBegun(shown, end === items.length);
    this._renderEnds(shown);
    this._renderSearch(find);
    if (follow) this._toEnd();
    else if (goal) this._bringToMiddle(goal.n);
    else this._restore(anchor);
    // After the layout there may be room for more rows above.
    if (!follow && shown.known) this._check(false);
  }

  /** Put the rows of these items on the page, with as few changes as possible. */
  _arrange(items, { query: text, hit }) {
    const { rows } = this._parts;
    const { run, marked } = this._watch;
    const query = text.toLowerCase();
    const wanted = new Map(items.map((item) => [keyOf(item), item]));
    for (const [key, { element }] of this._rows) {
      if (wanted.has(key)) continue;
      element.remove();
      this._rows.delete(key);
    }
    let before = rows.firstChild;
    for (const [key, item] of wanted) {
      let row = this._rows.get(key);
      if (!row || row.item !== item || row.query !== query) {
        const element = item.upto ? makeGap(item, this._acts.fill) : makeRow(item, query, run);
        if (row) {
          if (row.element === before) before = before.nextSibling;
          row.element.remove();
        }
        row = { element, item, query };
        this._rows.set(key, row);
      }
      if (row.element === before) before = before.nextSibling;
      else rows.insertBefore(row.element, before);
      row.element.classList.toggle('at-hit', item.n === hit);
      row.element.classList.toggle('marked', item.n === marked && !item.upto);
    }
  }

  /** Draw what follows the last line and may still change: a prompt, a progress bar. */
  _renderBegun({ tail }, atLast) {
    const { begun } = this._parts;
    const lines = tail && atLast && !this._watch.list && this._run?.state !== 'ended' ? this._watch.begun : [];
    begun.hidden = !lines.length;
    if (lines === this._begun) return;
    this._begun = lines;
    begun.replaceChildren(...lines.map((line) => makeRow({ line }, '')));
  }

  _renderEnds(shown) {
    const { older, newer, ended, nothing, latest, gone } = this._parts;
    const { begin, end, all } = this._span;
    const { list, goal } = this._watch;
    older.hidden = begin > 0 || shown.first <= shown.oldest || !shown.known;
    if (!older.hidden) write(older, t('watch_older', { n: number.format(shown.above ?? shown.first) }));
    newer.hidden = shown.tail || end < all;
    const over = this._run?.state === 'ended' && shown.tail && shown.next >= this._run.lines && end === all;
    ended.hidden = !over || (Boolean(list) && !all);
    if (over) {
      write(ended.lastElementChild, endInWords(this._run));
      ended.dataset.outcome = this._run.outcome ?? 'done';
    }
    nothing.hidden = shown.items.some((item) => !item.upto) || !this._parts.begun.hidden;
    const running = this._run && this._run.state !== 'ended';
    const empty = running ? 'watch_no_lines' : 'watch_no_lines_ever';
    write(nothing, t(!shown.known ? 'watch_reading' : list ? 'watch_no_match' : empty));
    latest.hidden = this._watch.follow;
    const behind = list ? 0 : shown.end - shown.next;
    const more = behind > 0 ? t('watch_latest_more', { n: number.format(behind) }) : t('watch_latest');
    write(latest.lastElementChild, more);
    gone.hidden = !goal?.gone && !goal?.lost;
    if (!gone.hidden) write(gone, goal.lost ? t('watch_line_lost', { n: number.format(goal.n) }) : goneInWords(goal));
  }

  _renderSearch(find) {
    const { count, previous, next, only, firstError } = this._parts;
    const { query, total, cut } = find;
    count.hidden = !query;
    const all = total === null ? '…' : `${number.format(total)}${cut ? '+' : ''}`;
    const at = placeOf(find);
    write(count, at ? t('watch_hit_of', { at: number.format(at), all }) : total === 0 ? t('watch_no_hits') : all);
    count.title = cut ? t('watch_cut_search') : '';
    previous.disabled = next.disabled = !query || total === 0;
    only.disabled = !query;
    only.setAttribute('aria-pressed', find.only);
    firstError.disabled = !this._run?.errors;
  }

  // --- where the reader is ---------------------------------------------------------------------------------

  /** The first row on the screen, and how far below the top it is. */
  _anchor() {
    const { scroller, rows } = this._parts;
    const top = scroller.scrollTop;
    const at = firstWhere(rows.children, (row) => row.offsetTop + row.offsetHeight > top);
    const element = rows.children[at];
    return element ? { element, below: element.offsetTop - top } : null;
  }

  _restore(anchor) {
    if (!anchor?.element.isConnected) return;
    const top = anchor.element.offsetTop - anchor.below;
    if (Math.abs(top - this._parts.scroller.scrollTop) >= 1) this._parts.scroller.scrollTop = top;
  }

  _toEnd() {
    const { scroller } = this._parts;
    if (atEnd(scroller)) return;
    scroller.scrollTop = scroller.scrollHeight;
  }

  /** The offset of the line at the top; Infinity while the page follows the log. */
  get _place() {
    if (this._watch.follow) return Infinity;
    return Number(this._anchor()?.element.dataset.n ?? this._from);
  }

  _goTo(n) {
    const { items } = this._shown;
    this._from = items[Math.max(place(items, n) - BEFORE, 0)]?.n ?? 0;
  }

  /** Draw the lines around the goal. */
  _goToGoal(goal) {
    this._goal = goal;
    if (!goal) return this._draw();
    this._still = true;
    this._goTo(goal.n);
    this._draw(goal);
  }

  _bringToMiddle(n) {
    const row = this._rows.get(String(n))?.element;
    const { scroller } = this._parts;
    if (row) scroller.scrollTop = row.offsetTop - (scroller.clientHeight - row.offsetHeight) / 2;
  }

  _scrolled() {
    if (!this._watch || !this._shown.known) return;
    const { scroller } = this._parts;
    const { end, all } = this._span;
    const follow = !this._still && atEnd(scroller) && end === all && this._shown.tail;
    if (follow !== this._watch.follow) {
      if (!follow) this._from = this._firstOnPage();
      this._acts.follow(follow);
    }
    this._check(true);
  }

  _firstOnPage() {
    return Number(this._parts.rows.firstElementChild?.dataset.n ?? 0);
  }

  /** Near an end of the window, move it. At an end of the lines on the page, load more when somebody scrolls there. */
  _check(scrolls) {
    const { scroller } = this._parts;
    const { begin, end, all } = this._span;
    const { follow } = this._watch;
    const { first, oldest, tail } = this._shown;
    if (follow || !scroller.clientHeight) return;
    const top = scroller.scrollTop;
    const below = scroller.scrollHeight - top - scroller.clientHeight;
    if (top < NEAR && begin > 0) this._shift();
    else if (below < NEAR && end < all) this._shift();
    else if (!scrolls) return;
    else if (top < NEAR && begin === 0 && first > oldest) this._acts.more('older');
    else if (below < NEAR && end === all && !tail) this._acts.more('newer');
  }

  _shift() {
    const row = this._anchor()?.element;
    if (!row) return;
    const before = this._from;
    this._goTo(Number(row.dataset.n));
    if (this._from !== before) requestAnimationFrame(() => this._draw());
  }

  // --- what people do --------------------------------------------------------------------------------------

  _listen() {
    const { scroller, search, previous, next, only, latest, older, newer, firstError, jump } = this._parts;
    scroller.addEventListener('scroll', onceAFrame(() => this._scrolled()), { passive: true });
    for (const touch of ['wheel', 'touchstart', 'pointerdown', 'keydown']) {
      scroller.addEventListener(touch, () => (this._still = false), { passive: true });
    }
    // The first small step upward must stop following, even while new lines come.
    scroller.addEventListener('wheel', ({ deltaY }) => deltaY < 0 && this._letGo(), { passive: true });
    scroller.addEventListener('touchmove', () => !atEnd(scroller) && this._letGo(), { passive: true });
    new ResizeObserver(() => this._watch?.follow && this._toEnd()).observe(scroller);

    let pause = null;
    search.addEventListener('input', () => {
      clearTimeout(pause);
      pause = setTimeout(() => this._search(search.value), SEARCH_PAUSE);
    });
    search.addEventListener('keydown', async (event) => {
      if (event.isComposing) return;
      if (event.key === 'Enter') {
        event.preventDefault();
        clearTimeout(pause);
        const step = event.shiftKey ? -1 : 1;
        await this._search(search.value);
        this._hop(step);
      }
      if (event.key === 'Escape' && search.value) {
        event.preventDefault();
        clearTimeout(pause);
        search.value = '';
        this._search('');
      }
    });
    previous.addEventListener('click', () => this._hop(-1));
    next.addEventListener('click', () => this._hop(1));
    only.addEventListener('click', () => this._acts.find({ only: !this._watch.find.only }, this._place));
    firstError.addEventListener('click', () => this._acts.firstError());
    onSubmit(jump, ({ elements: { line } }) => {
      const digits = line.value.replace(/\D/g, '');
      if (digits) this._acts.line(Number(digits));
    });
    latest.addEventListener('click', () => {
      this._still = false;
      this._acts.latest();
    });
    older.addEventListener('click', () => this._acts.more('older'));
    newer.addEventListener('click', () => this._acts.more('newer'));
  }

  _letGo() {
    const { scroller } = this._parts;
    if (!this._watch?.follow || scroller.scrollHeight <= scroller.clientHeight) return;
    this._from = this._firstOnPage();
    this._acts.follow(false);
  }

  async _search(text) {
    if (this._watch && text !== this._watch.find.query) await this._acts.find({ query: text }, this._place);
  }

  _hop(step) {
    if (this._watch?.find.query) this._acts.hop(step, this._place);
  }
}

// --- questions ---------------------------------------------------------------------------------------------

/** Index of the first item that is at or after this offset. */
function place(items, n) {
  return firstWhere(items, (item) => (item.upto ?? item.n + 1) > n);
}

function goneInWords({ n, gone: { from, upto } }) {
  const words = { n: number.format(n), from: number.format(from), last: number.format(upto - 1) };
  if (!upto) return t('watch_no_lines');
  return t(n < from ? 'watch_line_gone' : 'watch_line_not_yet', words);
}

function endInWords(run) {
  return [...endOf(run), ...(run.ended_at ? [tookOf(run)] : [])].join(' · ');
}

function atEnd({ scrollHeight, scrollTop, clientHeight }) {
  return scrollHeight - scrollTop - clientHeight < AT_END;
}
