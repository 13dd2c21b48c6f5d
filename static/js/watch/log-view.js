// The log on the page: a window of rows over the lines that the page has; filter, search, follow.
//
// A log may have a hundred thousand lines. The state holds some thousands of them, and the page shows at most WINDOW.

import { onceAFrame } from '../once-a-frame.js';
import { write } from '../view/dom.js';
import { t } from '../words.js';
import { RANKS, rank, reading } from './lines.js';
import { keyOf, makeGap, makeRow, number } from './log-rows.js';
import { endOf, tookOf } from './run-words.js';
import { firstWhere } from './search.js';

const WINDOW = 400; // rows in the page
const BEFORE = 150; // rows above the one at which the reader is
const NEAR = 700; // px from the end of the rows at which more are added
const AT_END = 6; // px
const SEARCH_PAUSE = 120; // ms

export class LogView {
  /**
   * `more(direction)` loads "older" or "newer" lines, `fill(gap)` those of a gap, `latest()` the newest.
   * `follow(is)` gets whether the page follows the log.
   */
  constructor(box, { more, fill, follow, latest }) {
    const find = (selector) => box.querySelector(selector);
    this._acts = { more, fill, follow, latest };
    this._parts = {
      scroller: find('.log-lines'),
      rows: find('.rows'),
      begun: find('.begun'),
      older: find('.older'),
      newer: find('.newer'),
      ended: find('.ended'),
      nothing: find('.nothing'),
      latest: find('.to-latest'),
      search: find('.search input'),
      count: find('.hits'),
      previous: find('[data-hit="previous"]'),
      next: find('[data-hit="next"]'),
      only: find('.only-hits'),
    };
    this._rows = new Map(); // of the items on the page, by key
    this._watch = null;
    this._from = 0; // offset at which the window begins, while it does not follow
    this._least = RANKS.all;
    this._query = '';
    this._only = false;
    this._hit = null; // offset of the hit at which the reader is
    this._still = false; // at a hit: do not follow the log until somebody scrolls
    this._cache = {};
    this._listen();
  }

  render(watch, run) {
    if (watch.run !== this._watch?.run) this._reset();
    this._watch = watch;
    this._run = run;
    this._draw();
  }

  /** Show the lines of this level, a key of RANKS, and above. */
  show(level) {
    this._keepPlace();
    this._least = RANKS[level];
    this._draw();
  }

  _reset() {
    this._rows.clear();
    this._parts.rows.replaceChildren();
    this._begun = null;
    this._hit = null;
    this._from = 0;
    this._parts.search.value = '';
    this._query = '';
  }

  // --- what is shown ---------------------------------------------------------------------------------------

  /** The items that pass the filters, and the offsets of the hits; the same object as long as nothing changes. */
  _passing() {
    const { items } = this._watch.log;
    const { _least: least, _query: query, _only: only, _cache: known } = this;
    if (known.items === items && known.least === least && known.query === query && known.only === only) return known;
    const hits = [];
    const wanted = only && query;
    const all = least === 0 && !query;
    const shown = all
      ? items
      : items.filter((item) => {
          if (item.upto) return true;
          if (rank(item.line) < least) return false;
          const hit = query && reading(item.line).text.toLowerCase().includes(query);
          if (hit) hits.push(item.n);
          return !wanted || hit;
        });
    this._cache = { items, least, query, only, shown, hits };
    return this._cache;
  }

  _slice(shown) {
    if (this._watch.follow) return { begin: Math.max(shown.length - WINDOW, 0), end: shown.length };
    const begin = Math.max(Math.min(place(shown, this._from), shown.length - WINDOW), 0);
    return { begin, end: Math.min(begin + WINDOW, shown.length) };
  }

  _draw() {
    const { log, follow } = this._watch;
    const { shown, hits } = this._passing();
    const { begin, end } = this._slice(shown);
    this._span = { begin, end, all: shown.length };
    const anchor = follow ? null : this._anchor();
    this._arrange(shown.slice(begin, end));
    if (!follow && shown[begin]) this._from = shown[begin].n;
    this._renderBegun(log, end === shown.length);
    this._renderEnds(log, shown);
    this._renderHits(hits);
    if (follow) this._toEnd();
    else this._restore(anchor);
    // After the layout there may be room for more rows above.
    if (!follow && log.known) this._check(false);
  }

  /** Put the rows of these items on the page, with as few changes as possible. */
  _arrange(items) {
    const { rows } = this._parts;
    const wanted = new Map(items.map((item) => [keyOf(item), item]));
    for (const [key, { element }] of this._rows) {
      if (wanted.has(key)) continue;
      element.remove();
      this._rows.delete(key);
    }
    let before = rows.firstChild;
    for (const [key, item] of wanted) {
      let row = this._rows.get(key);
      if (!row || row.item !== item || row.query !== this._query) {
        const element = item.upto ? makeGap(item, this._watch.run, this._acts.fill) : makeRow(item, this._query);
        if (row) {
          if (row.element === before) before = before.nextSibling;
          row.element.remove();
        }
        row = { element, item, query: this._query };
        this._rows.set(key, row);
      }
      if (row.element === before) before = before.nextSibling;
      else rows.insertBefore(row.element, before);
      row.element.classList.toggle('at-hit', item.n === this._hit);
    }
  }

  /** Draw what follows the last line and may still change: a prompt, a progress bar. */
  _renderBegun(log, atLast) {
    const { begun } = this._parts;
    const lines = log.tail && atLast && this._run?.state !== 'ended' ? this._watch.begun : [];
    begun.hidden = !lines.length;
    if (lines === this._begun) return;
    this._begun = lines;
    begun.replaceChildren(...lines.map((line) => makeRow({ line }, '')));
  }

  _renderEnds(log, shown) {
    const { older, newer, ended, nothing, latest } = this._parts;
    const { begin, end } = this._span;
    older.hidden = begin > 0 || log.first <= log.oldest || !log.known;
    if (!older.hidden) write(older, t('watch_older', { n: number.format(log.first) }));
    newer.hidden = log.tail || end < shown.length;
    const over = this._run?.state === 'ended' && log.tail && log.next >= this._run.lines && end === shown.length;
    ended.hidden = !over;
    if (over) {
      write(ended.lastElementChild, endInWords(this._run));
      ended.dataset.outcome = this._run.outcome ?? 'done';
    }
    nothing.hidden = shown.some((item) => !item.upto) || !this._parts.begun.hidden;
    const running = this._run && this._run.state !== 'ended';
    const empty = running ? 'watch_no_lines' : 'watch_no_lines_ever';
    write(nothing, t(!log.known ? 'watch_reading' : log.items.length ? 'watch_no_match' : empty));
    latest.hidden = this._watch.follow;
    const behind = log.end - log.next;
    const more = behind > 0 ? t('watch_latest_more', { n: number.format(behind) }) : t('watch_latest');
    write(latest.lastElementChild, more);
  }

  _renderHits(hits) {
    const { count, previous, next, only } = this._parts;
    const at = hits.indexOf(this._hit);
    count.hidden = !this._query;
    const all = hits.length ? number.format(hits.length) : t('watch_no_hits');
    write(count, at < 0 ? all : `${number.format(at + 1)} / ${all}`);
    previous.disabled = next.disabled = !hits.length;
    only.disabled = !this._query;
    only.setAttribute('aria-pressed', this._only);
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

  /** Before the filter changes: keep the window at the line that is at the top now. */
  _keepPlace() {
    const row = this._anchor()?.element;
    if (row && this._watch && !this._watch.follow) this._goTo(Number(row.dataset.n ?? this._from));
  }

  _goTo(n) {
    const { shown } = this._passing();
    this._from = shown[Math.max(place(shown, n) - BEFORE, 0)]?.n ?? 0;
  }

  _scrolled() {
    if (!this._watch?.log.known) return;
    const { scroller } = this._parts;
    const { end, all } = this._span;
    const follow = !this._still && atEnd(scroller) && end === all && this._watch.log.tail;
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
    const { log, follow } = this._watch;
    if (follow || !scroller.clientHeight) return;
    const top = scroller.scrollTop;
    const below = scroller.scrollHeight - top - scroller.clientHeight;
    if (top < NEAR && begin > 0) this._shift();
    else if (below < NEAR && end < all) this._shift();
    else if (!scrolls) return;
    else if (top < NEAR && begin === 0 && log.first > log.oldest) this._acts.more('older');
    else if (below < NEAR && end === all && !log.tail) this._acts.more('newer');
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
    const { scroller, search, previous, next, only, latest, older, newer } = this._parts;
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
    search.addEventListener('keydown', (event) => {
      if (event.isComposing) return;
      if (event.key === 'Enter') {
        event.preventDefault();
        clearTimeout(pause);
        this._search(search.value);
        this._hop(event.shiftKey ? 1 : -1);
      }
      if (event.key === 'Escape' && search.value) {
        event.preventDefault();
        search.value = '';
        this._search('');
      }
    });
    // People read a log from its end, so they start at the last hit.
    previous.addEventListener('click', () => this._hop(-1));
    next.addEventListener('click', () => this._hop(1));
    only.addEventListener('click', () => {
      this._keepPlace();
      this._only = !this._only;
      this._draw();
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

  _search(text) {
    const query = text.toLowerCase();
    if (query === this._query || !this._watch) return;
    this._keepPlace();
    this._query = query;
    if (!query) this._hit = null;
    this._draw();
  }

  /** Go to the hit before (-1) or after (1) this one; the first time, to the newest. */
  _hop(step) {
    const { hits } = this._passing();
    if (!hits.length) return;
    const at = hits.indexOf(this._hit);
    const to = at < 0 ? hits.length - 1 : (at + step + hits.length) % hits.length;
    this._hit = hits[to];
    this._goTo(this._hit);
    this._still = true;
    this._acts.follow(false);
    this._watch = { ...this._watch, follow: false };
    this._draw();
    const row = this._rows.get(String(this._hit))?.element;
    const { scroller } = this._parts;
    if (row) scroller.scrollTop = row.offsetTop - (scroller.clientHeight - row.offsetHeight) / 2;
  }
}

// --- questions ---------------------------------------------------------------------------------------------

/** Index of the first item that is at or after this offset. */
function place(items, n) {
  return firstWhere(items, (item) => (item.upto ?? item.n + 1) > n);
}

function endInWords(run) {
  return [...endOf(run), ...(run.ended_at ? [tookOf(run)] : [])].join(' · ');
}

function atEnd({ scrollHeight, scrollTop, clientHeight }) {
  return scrollHeight - scrollTop - clientHeight < AT_END;
}
