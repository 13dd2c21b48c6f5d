// Why several lights are offline: a banner for each cause, not one for each light.

import { panelNow } from '../clock.js';
import { nodeOf } from '../page-state.js';
import { momentOf } from '../times.js';
import { arrange, icon, make, write } from '../view/dom.js';
import { reasonInWords } from '../view/problem.js';
import { ago, t } from '../words.js';
import { renderFix } from './fix.js';

const MOST = 3; // banners; of more causes the page says how many

/**
 * The causes for which lights are offline, those of most lights first: `{reason, nodes, since, lights}`. `nodes` are the
 * panels that are away for it, and `since` when; of pins there are none. One light with a fault of its own has no banner.
 */
export function faultsOf(lights) {
  const faults = new Map();
  for (const light of lights) {
    if (light.online) continue;
    const away = light.away_since !== null;
    const key = `${away} ${light.reason}`;
    if (!faults.has(key)) faults.set(key, { key, reason: light.reason ?? '', nodes: new Set(), since: light.away_since, lights: [] });
    const fault = faults.get(key);
    fault.lights.push(light.id);
    if (away) fault.nodes.add(nodeOf(light.id));
  }
  const shared = [...faults.values()].filter(({ nodes, lights: those }) => nodes.size > 0 || those.length > 1);
  return shared.sort((one, other) => other.lights.length - one.lights.length);
}

/** The banners, in a box of the page. */
export class Faults {
  constructor(box) {
    this._box = box;
    this._banners = new Map();
    this._more = make('p', { className: 'fault-more' });
  }

  /** `fix` is the command that brings the pins of this panel back, if there is one. */
  render(faults, fix) {
    const said = faults.slice(0, MOST);
    const keys = new Set(said.map(({ key }) => key));
    for (const key of this._banners.keys()) if (!keys.has(key)) this._banners.delete(key);
    this._box.hidden = said.length === 0;
    const more = faults.length - said.length;
    write(this._more, t('faults_more', { n: more }));
    const banners = said.map((fault) => this._banner(fault, fix));
    arrange(this._box, more > 0 ? [...banners, this._more] : banners);
  }

  _banner(fault, fix) {
    const { key, reason, nodes, lights } = fault;
    if (!this._banners.has(key)) this._banners.set(key, makeBanner());
    const { element, parts } = this._banners.get(key);
    write(parts.title, titleOf(fault));
    write(parts.ago, nodes.size === 1 ? t('fault_ago', { age: ago(fault.since, panelNow()) }) : '');
    const why = reasonInWords(reason);
    write(parts.why, nodes.size === 1 ? `${why} ${t('fault_node_do', { n: lights.length })}` : why);
    renderFix(parts.fix, nodes.size ? null : fix);
    return element;
  }
}

function makeBanner() {
  const parts = { title: make('strong'), ago: make('time'), why: make('span', { className: 'fault-why' }) };
  parts.fix = make('div', { className: 'fix' });
  const words = make('span', {}, parts.title, ' ', parts.ago, ' ', parts.why);
  return { element: make('div', { className: 'trouble fault' }, make('p', {}, icon('alert'), words), parts.fix), parts };
}

function titleOf({ nodes, since, lights }) {
  if (nodes.size > 1) return t('nodes_away', { n: nodes.size });
  const [node] = nodes;
  return node === undefined
    ? t('fault_lights', { n: lights.length })
    : t('node_away', { node, time: momentOf(since, panelNow()) });
}
