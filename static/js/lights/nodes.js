// Which nodes the page shows, where many panels share an engine: a list to choose from.

import { naturally } from '../page-state.js';
import { make, write } from '../view/dom.js';
import { t } from '../words.js';

const MANY = 20; // nodes; fewer are all shown
const MOST = 64; // that the panel lets one page choose

export class Nodes {
  /** `followed()` returns the names of the nodes that are shown (none: all), `follow(names)` chooses others. */
  constructor(box, { followed, follow }) {
    this._box = box;
    this._followed = followed;
    this._follow = follow;
    this._known = '';
    this._all = box.querySelector('button');
    this._all.addEventListener('click', () => this._choose([]));
    box.addEventListener('change', () => this._choose(this._chosen()));
  }

  render(nodes) {
    const followed = this._followed();
    this._box.hidden = nodes.length < MANY && followed.length === 0;
    if (this._box.hidden) return;
    this._makeRows(nodes);
    const all = nodes.length;
    const text = followed.length ? t('nodes_some', { n: followed.length, all }) : t('nodes_all', { all });
    write(this._box.querySelector('summary span'), text);
    this._all.hidden = followed.length === 0;
    for (const input of this._box.querySelectorAll('input')) {
      input.checked = followed.includes(input.value);
      input.disabled = !input.checked && followed.length >= MOST;
    }
  }

  _makeRows(nodes) {
    const known = nodes.join();
    if (known === this._known) return;
    this._known = known;
    const rows = [...nodes].sort(naturally).map((node) => {
      const row = make('label', { className: 'node-choice' });
      row.append(make('input', { type: 'checkbox', value: node }), make('span', {}, node));
      return row;
    });
    this._box.querySelector('.node-choices').replaceChildren(...rows);
  }

  _chosen() {
    return [...this._box.querySelectorAll('input:checked')].map((input) => input.value);
  }

  _choose(names) {
    this._follow(names);
  }
}
