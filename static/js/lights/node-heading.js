// The heading of a node's lights; while its panel is away also since when, and why, once for all of them.

import { panelNow } from '../clock.js';
import { momentOf } from '../times.js';
import { icon, make, write } from '../view/dom.js';
import { ago, t } from '../words.js';

export class NodeHeading {
  constructor(node) {
    this._title = make('h2', { className: 'node' }, node);
    this._since = make('strong');
    this._ago = make('time');
    this._why = make('span', { className: 'node-why' });
    const words = make('span', {}, this._since, ' ', this._ago, ' ', this._why);
    this._away = make('p', { className: 'node-away' }, icon('alert'), words);
  }

  /** Draw it over these lights of the node. `said` is a reason that the page has said already. Return its elements. */
  render(lights, said) {
    const away = awayOf(lights);
    if (!away) return [this._title];
    const now = panelNow();
    write(this._since, t('node_away', { time: momentOf(away.away_since, now) }));
    write(this._ago, t('node_away_ago', { age: ago(away.away_since, now) }));
    write(this._why, away.reason === said ? '' : (away.reason ?? ''));
    return [this._title, this._away];
  }
}

/** Return a light that says since when and why the panel of these lights is away, or undefined. */
export function awayOf(lights) {
  return lights.find((light) => light.away_since !== null);
}
