// Asks the panel for matches and lines: counts, goes from match to match, lists the lines that pass, shows one line.

import { LOST } from '../connection.js';
import { filter, has, hits, nextHit } from './find.js';

const OFFSETS = 1000; // matches in one answer
const LINES = 400; // lines of a filtered log in one answer

export class Finder {
  /**
   * `ask` and `refuse` are those of the page; `watch()` returns what the page knows of the run on show;
   * `jump(n)` loads the part of the log around the line n, and returns whether that worked.
   */
  constructor({ ask, refuse, dispatch, watch, jump }) {
    this._acts = { ask, refuse, dispatch, watch, jump };
    this._listing = null;
    this._going = null; // where somebody wants to go, while that is looked for: only the newest wish counts
  }

  /** Somebody wants to be elsewhere than at the line that is looked for. */
  stay() {
    this._going = null;
  }

  /** Search for something else; the reader is at the line `place`, Infinity if the page follows the log. */
  async find(change, place) {
    const { dispatch, watch } = this._acts;
    const before = watch();
    if (!before) return;
    const mine = (this._going = {});
    dispatch({ event: 'find', change });
    const { find, list } = watch();
    const counting = find.total === null && find.query ? this._count() : null;
    if (list) {
      await this._list(place, true);
      if (Number.isFinite(place) && this._going === mine) this._near(place);
    } else if (before.list && Number.isFinite(place)) {
      await this.show(place);
    }
    await counting;
  }

  /** Ask again: the page may have missed lines. */
  again() {
    const { find, list, goal } = this._acts.watch();
    if (find.query) this._count();
    if (list?.tail) this._list(Infinity, true);
    if (goal?.lost) this.show(goal.n);
  }

  /** Go to the match after (1) or before (-1) this one, from the line `place` the first time; then from the other end. */
  async hop(step, place) {
    const { watch, dispatch } = this._acts;
    const mine = (this._going = {});
    const from = watch().find.hit ?? (step > 0 ? place - 1 : place);
    const otherEnd = step > 0 ? -1 : Infinity;
    for (const start of [from, otherEnd]) {
      let to = nextHit(watch().find, step, start);
      if (to === undefined) {
        await this._count(step > 0 ? start + 1 : start);
        if (this._going !== mine) return;
        to = nextHit(watch().find, step, start);
      }
      if (to === undefined || to === null) continue;
      dispatch({ event: 'hit', n: to });
      return this.show(to);
    }
  }

  /** The offset of the first line of level error that is kept; undefined if there is none. */
  async firstError() {
    const reply = await this._search({ level: 'error', at: 0, limit: 1 });
    return reply?.matches[0];
  }

  /** Load more of the lines that pass: "older" or "newer" ones. */
  async more(direction) {
    const { list } = this._acts.watch();
    if (this._listing) return;
    if (direction === 'newer') await this._list(list.next, false);
    else await this._list(list.items[0].n, false);
  }

  /** List the newest lines that pass. */
  newest() {
    return this._list(Infinity, true);
  }

  /** Show the line with this offset, wherever in the log it is. */
  async show(n) {
    const { dispatch, watch, jump } = this._acts;
    const mine = (this._going = {});
    dispatch({ event: 'follow', follow: false });
    const { list, log } = watch();
    const found = has(list ?? log, n) || (await (list ? this._list(n, true) : jump(n)));
    if (this._going === mine) dispatch({ event: 'goal', n, lost: !found });
  }

  /** Show the listed line that is nearest to this one. */
  _near(place) {
    const { dispatch, watch } = this._acts;
    const items = watch()?.list?.items ?? [];
    const near = items.find(({ n }) => n >= place) ?? items.at(-1);
    if (near) dispatch({ event: 'goal', n: near.n });
  }

  async _count(at) {
    const { dispatch, watch } = this._acts;
    const { run, find } = watch();
    const found = await this._search({ ...hits(find), limit: OFFSETS, ...place(at) });
    if (found) dispatch({ event: 'found', run, key: find.key, found });
  }

  /** List the lines that pass around this one; returns whether there was an answer. */
  async _list(at, fresh) {
    const { dispatch, watch } = this._acts;
    const { run, find } = watch();
    const mine = (this._listing = {});
    const found = await this._search({ ...filter(find), lines: true, limit: LINES, ...place(at) });
    if (this._listing === mine) this._listing = null;
    if (found) dispatch({ event: 'filtered', run, key: find.key, found, fresh });
    return found !== null;
  }

  /** The matches; null if there is no answer, or another run is on show now. */
  async _search(asked) {
    const { ask, refuse, watch } = this._acts;
    const { run } = watch();
    const reply = await ask({ do: 'search_log', run, ...asked });
    if (reply === LOST || watch()?.run !== run) return null;
    if (reply.ok) return reply.found;
    refuse(reply.problem);
    return null;
  }
}

const place = (at) => (Number.isFinite(at) ? { at: Math.max(at, 0) } : {});
