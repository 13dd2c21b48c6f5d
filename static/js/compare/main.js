// The Transports page: one connection over each transport, and their round trips in one plot.

import './words.js';
import uPlot from '../../vendor/uplot/uPlot.esm.js';
import { Connection } from '../connection.js';
import { TRANSPORTS } from '../transports.js';
import { make } from '../view/dom.js';
import { deviceName } from '../view/settings.js';
import { inMilliseconds, t, translate } from '../words.js';

const PACE = 250; // ms between two pings of one transport
const WINDOW = 60; // seconds shown
const REDRAW = 250; // ms

translate(document);

const runs = Object.entries(TRANSPORTS).map(([transport, { label, open }]) => {
  const run = { transport, label, samples: [], status: 'connecting' };
  run.connection = new Connection({
    transport,
    open,
    name: deviceName,
    pace: PACE,
    listen: (event) => heard(run, event),
  });
  return run;
});

let paused = false;
let frozenAt = 0; // on the samples' clock

function heard(run, event) {
  if (event.event === 'link') run.status = event.link.status;
  if (event.event !== 'round_trip' || paused) return;
  run.samples.push({ at: performance.now() / 1000, ms: event.ms });
  const oldest = performance.now() / 1000 - WINDOW;
  while (run.samples.length && run.samples[0].at < oldest) run.samples.shift();
}

// --- table -------------------------------------------------------------------------------------------------

const rows = document.getElementById('rows');
const legend = document.getElementById('legend');
for (const run of runs) {
  const item = make('li', {}, make('span', { className: 'key' }), run.label);
  item.dataset.transport = run.transport;
  legend.append(item);

  run.row = rows.insertRow();
  run.row.dataset.transport = run.transport;
  run.row.append(make('th', { scope: 'row' }, make('span', { className: 'key' }), run.label));
  for (const name of ['median', 'p95', 'worst', 'last', 'samples']) {
    const cell = run.row.insertCell();
    cell.dataset.label = t(name);
  }
}

function renderTable() {
  for (const { row, samples, status } of runs) {
    const sorted = samples.map((sample) => sample.ms).sort((a, b) => a - b);
    const figures = [quantile(sorted, 0.5), quantile(sorted, 0.95), sorted.at(-1), samples.at(-1)?.ms];
    figures.forEach((ms, column) => {
      row.cells[column + 1].textContent = ms === undefined ? '–' : t('round_trip', { ms: inMilliseconds(ms) });
    });
    row.cells[5].textContent = status === 'live' ? samples.length : t(status);
    row.dataset.status = status;
  }
}

function quantile(sorted, share) {
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)];
}

// --- plot --------------------------------------------------------------------------------------------------

const box = document.getElementById('plot');
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
let plot = null;
let ceiling = 1; // ms, the top of the frame

function makePlot() {
  plot?.destroy();
  const axis = { stroke: color('--soft'), grid: { stroke: color('--line'), width: 1 }, ticks: { show: false } };
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  plot = new uPlot(
    {
      ...size(),
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false, range: [-WINDOW, 0] }, y: { range: () => [0, ceiling] } },
      axes: [
        { ...axis, font, size: 34, grid: { show: false }, values: (_, ticks) => ticks.map((tick) => (tick ? t('round_trip_ago', { n: -tick }) : t('ago_now'))), space: 70 },
        { ...axis, font, size: 46, values: (_, ticks) => ticks.map((tick) => `${+tick.toFixed(2)}`) },
      ],
      series: [
        {},
        ...runs.map(({ transport, label }) => ({
          label,
          stroke: color(`--${transport}`),
          width: 1.75,
          spanGaps: true,
          points: { show: false },
        })),
      ],
    },
    data(),
    box,
  );
}

function size() {
  return { width: box.clientWidth, height: Math.min(Math.max(box.clientWidth * 0.42, 240), 330) };
}

/** All samples on one axis of seconds before now: one row of times, and one row a transport with gaps. */
function data() {
  const now = paused ? frozenAt : performance.now() / 1000;
  const all = runs.flatMap(({ samples }, series) => samples.map((sample) => ({ ...sample, series })));
  all.sort((a, b) => a.at - b.at);
  return [
    all.map(({ at }) => at - now),
    ...runs.map((_, series) => all.map((sample) => (sample.series === series ? sample.ms : null))),
  ];
}

function renderPlot() {
  const sorted = runs.flatMap(({ samples }) => samples.map((sample) => sample.ms)).sort((a, b) => a - b);
  // One hiccup must not flatten everything else: the frame holds 98 of 100 samples.
  ceiling = Math.max((quantile(sorted, 0.98) ?? 1) * 1.25, 1);
  document.getElementById('clipped').hidden = (sorted.at(-1) ?? 0) <= ceiling;
  plot.setData(data());
}

// --- running -----------------------------------------------------------------------------------------------

const pause = document.getElementById('pause');
pause.addEventListener('click', () => {
  paused = !paused;
  frozenAt = performance.now() / 1000;
  if (!paused) for (const run of runs) run.samples.length = 0; // time went on without them
  for (const { connection } of runs) connection.pace = paused ? 2000 : PACE;
  pause.textContent = t(paused ? 'resume' : 'pause');
  pause.setAttribute('aria-pressed', paused);
});

new ResizeObserver(() => plot?.setSize(size())).observe(box);
matchMedia('(prefers-color-scheme: light)').addEventListener('change', makePlot);

makePlot();
for (const { connection } of runs) connection.start();
setInterval(() => {
  if (document.hidden) return;
  renderTable();
  if (!paused) renderPlot();
}, REDRAW);
