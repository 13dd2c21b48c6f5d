// The small plot of the last round trips.

import uPlot from '../../vendor/uplot/uPlot.esm.js';
import { KEPT } from './state.js';

const HEIGHT = 112; // px

export class Plot {
  constructor(box) {
    this._box = box;
    this._trips = [];
    this._make();
    new ResizeObserver(() => this._plot.setSize(this._size())).observe(box);
    matchMedia('(prefers-color-scheme: light)').addEventListener('change', () => this._make());
  }

  render(trips) {
    if (trips === this._trips) return;
    this._trips = trips;
    this._plot.setData(this._data());
  }

  _make() {
    this._plot?.destroy();
    const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const stroke = color('--socketio');
    this._plot = new uPlot(
      {
        ...this._size(),
        padding: [8, 8, 6, 0],
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: false, range: [1 - KEPT, 0] }, y: { range: (_, __, max) => [0, Math.max(max * 1.2, 1)] } },
        axes: [
          { show: false },
          {
            stroke: color('--soft'),
            font: `12px ${getComputedStyle(document.body).fontFamily}`,
            grid: { stroke: color('--line'), width: 1 },
            ticks: { show: false },
            size: 34,
            space: 30,
            values: (_, ticks) => ticks.map((tick) => `${+tick.toFixed(2)}`),
          },
        ],
        series: [{}, { stroke, fill: `${stroke}22`, width: 1.75, points: { show: true, size: 5, fill: stroke, width: 0 } }],
      },
      this._data(),
      this._box,
    );
  }

  _size() {
    return { width: this._box.clientWidth, height: HEIGHT };
  }

  _data() {
    return [this._trips.map((_, index) => index - this._trips.length + 1), this._trips];
  }
}
