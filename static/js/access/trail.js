// The audit log in sentences, of one person or one light where that is asked for.

import { panelNow } from '../clock.js';
import { make } from '../view/dom.js';
import { ago, language, t } from '../words.js';
import { entry } from './entry.js';
import { knows, nameOf, sentence } from './trail-words.js';
import { howInWords } from './words.js';

const PAGE = 30; // rows
const NAMED = ['lights', 'groups', 'scenes', 'schedules', 'shows']; // what the panel has names for

export class Trail {
  /** `call(method, path)` asks the panel and returns its answer, `attempt(act)` runs an act and says why it failed. */
  constructor(element, { call, attempt }) {
    this._call = call;
    const find = (selector) => element.querySelector(selector);
    this._parts = { rows: find('#trail'), none: find('#no-trail'), more: find('#more-trail'), form: find('#trail-of') };
    this._names = {}; // of each kind a Map by id
    this._people = new Set();
    this._last = null;
    this._asking = null; // the question that waits for its answer; only the newest one counts
    this._parts.form.addEventListener('change', () => attempt(() => this._load()));
    this._parts.form.addEventListener('submit', (event) => event.preventDefault());
    this._parts.more.addEventListener('click', () => this._asking || attempt(() => this._load(this._last)));
  }

  async refresh() {
    const found = await Promise.all(NAMED.map((kind) => this._list(kind)));
    this._names = Object.fromEntries(NAMED.map((kind, at) => [kind, found[at]]));
    const { light } = this._parts.form.elements;
    const [any] = light.options;
    const chosen = light.value;
    light.replaceChildren(any, ...[...this._names.lights].map(([value, name]) => make('option', { value }, name)));
    light.value = chosen;
    await this._load();
  }

  /** The names of these by id. The lights come by their id; a show has its title by the name that it is started with. */
  async _list(kind) {
    const { [kind]: found } = await this._call('GET', `/${kind}`);
    return new Map(
      Object.entries(found).map(([key, { id, name, title, translations }]) =>
        kind === 'shows' ? [name, translations[language]?.title || title] : [id ?? key, name],
      ),
    );
  }

  async _load(before = null) {
    const wanted = new URLSearchParams({ limit: PAGE });
    for (const [name, { value }] of Object.entries({ who: this._parts.form.elements.who, subject: this._parts.form.elements.light })) {
      if (value.trim()) wanted.set(name, value.trim());
    }
    if (before) wanted.set('before', before);
    const answer = await this._ask(`/audit?${wanted}`);
    if (answer === null) return;
    const { audit, more } = answer;
    const rows = audit.map((deed) => this._row(deed));
    if (before) this._parts.rows.append(...rows);
    else this._parts.rows.replaceChildren(...rows);
    this._parts.none.hidden = before !== null || rows.length > 0;
    this._parts.more.hidden = !more;
    this._last = audit.at(-1)?.id;
    this._offer(audit);
  }

  /** The answer of the panel; null if another question was asked meanwhile. */
  async _ask(path) {
    const mine = (this._asking = {});
    try {
      const answer = await this._call('GET', path);
      return this._asking === mine ? answer : null;
    } catch (error) {
      if (this._asking === mine) throw error;
      return null;
    } finally {
      if (this._asking === mine) this._asking = null;
    }
  }

  _row(deed) {
    const times = deed.times > 1 ? t('access_times', deed) : '';
    const { needed, ...detail } = deed.detail;
    const needs = needed ? t('access_needed', { role: t(`access_role_${needed}`) }) : '';
    const more = [needs, deed.address, howInWords(deed.how), times, ago(deed.at, panelNow())];
    if (!knows(deed)) more.unshift(plainly(detail));
    const made = entry(sentence(deed, nameOf(deed, this._names)), more);
    made.dataset.outcome = deed.outcome;
    return made;
  }

  /** Offer the people who are in the rows. */
  _offer(audit) {
    for (const { who } of audit) if (who) this._people.add(who);
    const people = [...this._people].sort((one, other) => one.localeCompare(other));
    this._parts.form.querySelector('datalist').replaceChildren(...people.map((value) => make('option', { value })));
  }
}

/** What no sentence is made for. */
function plainly(detail) {
  return Object.entries(detail)
    .map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`)
    .join(', ');
}
