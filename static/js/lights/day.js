// The last 24 hours of a light: a small graph, and the same as a list for screen readers.

import { panelNow } from '../clock.js';
import { isLive } from '../page-state.js';
import { hourOf, timeOf } from '../times.js';
import { make, setAttributes, write } from '../view/dom.js';
import { addWords, t } from '../words.js';
import { lookInWords } from './looks.js';
import { DAY, cornersOf, followed, indexAt } from './moments.js';

const HOURS = 6; // between two marks
const SNAP = 6; // px to the left of a change from which it is found

addWords({
  en: {
    day_of: ({ name, n }) => `${name} in the last 24 hours: ${n === 1 ? '1 change' : `${n} changes`}. Arrow keys read them`,
    day_changes: ({ n }) => (n === 1 ? '1 change' : `${n} changes`),
    day_moment: ({ time, look, fade, who }) => `${time}, ${look}${fade}, ${who}`,
    day_fade: ({ fade }) => ` over ${fade}`,
    day_none: 'No change in the last 24 hours.',
  },
  zh: {
    day_of: ({ name, n }) => `${name}过去 24 小时有 ${n} 次变化，可用方向键逐一查看`,
    day_changes: ({ n }) => `${n} 次变化`,
    day_moment: ({ time, look, fade, who }) => `${time}，${look}${fade}，${who}`,
    day_fade: ({ fade }) => `（渐变 ${fade}）`,
    day_none: '过去 24 小时没有变化。',
  },
});

export class Day {
  /** `load()` returns a promise of the reply with the history of the light. */
  constructor(element, load) {
    this._element = element;
    this._load = load;
    const find = (selector) => element.querySelector(selector);
    this._parts = {
      said: find('.day-said'),
      plot: find('.day-plot'),
      line: find('.day-line'),
      area: find('.day-area'),
      cross: find('.day-cross'),
      dot: find('.day-dot'),
      hours: find('.day-hours'),
      none: find('.day-none'),
      list: find('.day-list'),
    };
    this._moments = null; // null: not known yet
    this._problem = false;
    this._chosen = null; // the time at which somebody looks
    this._wasReachable = false;
    this._drawn = null;
    this._listen();
  }

  /** Ask for the history again: what happened while nobody looked is not known. */
  open() {
    this._wasReachable = false;
    this._chosen = null;
  }

  render(state, light) {
    this._light = light;
    const away = light.away_since !== null; // its panel has the history
    const reachable = isLive(state) && !away;
    if (reachable && !this._wasReachable) this._ask();
    this._wasReachable = reachable;
    if (away && !this._moments) this._problem = true;
    if (this._moments) this._moments = followed(this._moments, light);
    this._draw();
  }

  async _ask() {
    const reply = await this._load();
    this._problem = !reply.ok && Boolean(reply.problem); // no answer: the page connects again, and asks again
    if (reply.ok) this._moments = followed(reply.history, this._light);
    this._draw();
  }

  _draw() {
    const now = panelNow();
    const drawn = [this._moments, this._problem, this._chosen, Math.floor(now / 60), this._light.name, this._light.away_since];
    if (this._drawn?.every((one, n) => one === drawn[n])) return;
    this._drawn = drawn;
    const { plot, none, hours } = this._parts;
    const moments = this._moments;
    const [since, until] = [now - DAY, now];
    this._element.setAttribute('aria-busy', !moments && !this._problem);
    plot.hidden = hours.hidden = this._problem;
    const within = moments?.filter(({ at }) => at >= since) ?? [];
    none.hidden = !(this._problem || (moments && !within.length));
    write(none, t(this._problem ? 'day_lost' : 'day_none'));
    setAttributes(plot, { role: 'img', 'aria-label': t('day_of', { name: this._light.name, n: within.length }) });
    const corners = cornersOf(moments ?? [], { since, until, now: moments ? this._light.target ?? 0 : 0 });
    this._drawLine(corners, since);
    this._drawHours(since, until);
    this._drawChosen(since, corners.at(-1));
    this._parts.list.replaceChildren(...within.map((moment) => make('li', {}, inWords(moment))));
  }

  _drawLine(corners, since) {
    const points = corners.map(([at, level]) => `${x(at, since)} ${100 - level}`);
    const line = this._moments && points.length ? `M${points.join('L')}` : '';
    const [from, to] = [corners[0], corners.at(-1)];
    this._parts.line.setAttribute('d', line);
    this._parts.area.setAttribute('d', line && `${line}L${x(to[0], since)} 100L${x(from[0], since)} 100Z`);
  }

  _drawHours(since, until) {
    const marks = [];
    const mark = new Date(since * 1000);
    mark.setMinutes(0, 0, 0);
    for (; mark / 1000 < until; mark.setHours(mark.getHours() + 1)) {
      const share = (mark / 1000 - since) / DAY;
      if (mark.getHours() % HOURS || share < 0) continue;
      const element = make('span', {}, hourOf(mark / 1000));
      element.style.left = `clamp(18px, ${share * 100}%, 100% - 18px)`; // whole, also at an end
      marks.push(element);
    }
    this._parts.hours.replaceChildren(...marks);
  }

  /** Say which change holds at the time that somebody has chosen, and mark it; else mark the end of the line: now. */
  _drawChosen(since, end) {
    const { said, cross, dot } = this._parts;
    const moments = this._moments ?? [];
    const index = this._chosen === null ? -1 : indexAt(moments, this._chosen);
    const moment = moments[index];
    cross.hidden = !moment;
    dot.hidden = !(moment || (this._moments && end));
    const changes = moments.filter(({ at }) => at >= since).length;
    write(said, moment ? inWords(moment) : changes ? t('day_changes', { n: changes }) : '');
    if (dot.hidden) return;
    const [at, level] = moment ? [moment.at, moment.level] : end;
    cross.style.left = dot.style.left = `${(Math.max(0, at - since) / DAY) * 100}%`;
    dot.style.top = `${100 - level}%`;
  }

  _listen() {
    const { plot } = this._parts;
    const look = (event) => {
      const { left, width } = plot.getBoundingClientRect();
      this._choose(panelNow() - DAY + (DAY * (event.clientX + SNAP - left)) / width);
    };
    plot.addEventListener('pointermove', (event) => (event.pointerType === 'mouse' || event.buttons) && look(event));
    plot.addEventListener('pointerdown', look);
    plot.addEventListener('pointerleave', (event) => event.pointerType === 'mouse' && this._choose(null));
    plot.addEventListener('blur', () => this._choose(null));
    plot.addEventListener('keydown', (event) => this._pressed(event));
  }

  _pressed(event) {
    const moments = this._moments ?? [];
    const since = panelNow() - DAY;
    const first = Math.max(0, indexAt(moments, since));
    const last = moments.length - 1;
    const at = this._chosen === null ? last + 1 : indexAt(moments, this._chosen);
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: first, End: last }[event.key];
    if (next === undefined) {
      if (event.key !== 'Escape' || this._chosen === null) return;
      this._choose(null);
    } else if (moments.length) {
      this._choose(moments[Math.min(Math.max(next, first), last)].at);
    }
    event.preventDefault(); // neither does the page scroll, nor is the sheet closed
  }

  _choose(at) {
    this._chosen = at;
    this._draw();
  }
}

/** "14:05, 40 %, Ada". */
function inWords({ at, level, effect, seconds, by }) {
  const look = lookInWords({ level, on: level > 0, effect });
  const who = by.via === 'pin' ? t('outside') : by.name;
  const rounded = seconds < 60 ? Math.round(seconds) : Math.round(seconds / 60) * 60;
  const fade = rounded ? t('day_fade', { fade: t('fade_seconds', { seconds: rounded }) }) : '';
  return t('day_moment', { time: timeOf(at), look, fade, who });
}

/** Where a time is in the graph, which is DAY / 60 wide. */
function x(at, since) {
  return ((at - since) / 60).toFixed(1);
}
