// The graph of a run: where it is now and what it has passed; fingers, mouse and keys move the drawing.

import { t } from '../words.js';
import { readGraph } from './graph.js';
import { stepName } from './step-words.js';

const SVG = 'http://www.w3.org/2000/svg';
const LARGEST = 3; // times
const FITTED = 1.15; // times; a small graph is not made larger
const STEP = 1.3; // of the + and − buttons
const PAN = 60; // px, of an arrow key
const LINE = 16; // px, height of a line of a label
const LINES = 3;
const CONTROLS = 64; // px at the bottom, where the buttons are
const FONT = '500 13px Geist, system-ui, sans-serif';

const pen = document.createElement('canvas').getContext('2d');
pen.font = FONT;

export class GraphView {
  /** `box` holds the `<svg>` and the buttons with `data-zoom`. */
  constructor(box) {
    this._box = box;
    this._svg = box.querySelector('svg');
    this._scene = draw('g', { class: 'scene' });
    this._svg.append(markers(), this._scene);
    this._graph = null;
    this._bounds = null;
    this._at = { x: 0, y: 0, scale: 1 };
    this._free = false; // whether somebody has moved it
    this._pointers = new Map();
    this._parts = { nodes: [], edges: [] };
    this._listen();
  }

  /** Draw this graph; `fresh` is true for another run, which starts with a fitting view. */
  render({ graph, passed, broke }, run, fresh) {
    if (fresh) this._free = false;
    if (graph !== this._graph) {
      this._graph = graph;
      this._drawAll(readGraph(graph));
      this._settle();
    }
    this._light(run, passed, broke);
  }

  /** Whether the graph is higher than wide. */
  get tall() {
    return Boolean(this._bounds) && this._bounds.height > this._bounds.width * 1.15;
  }

  /** Show the whole graph. */
  fit() {
    this._free = false;
    this._settle();
  }

  /** Until somebody moves the drawing: show the whole graph, and nothing of it below the buttons. */
  _settle() {
    const { width, height } = this._svg.getBoundingClientRect();
    if (!width || !height || !this._bounds || this._free) return;
    const room = Math.max(height - CONTROLS, height / 2);
    const { x, y, ...size } = this._bounds;
    const scale = Math.min(width / size.width, room / size.height, FITTED);
    this._smallest = Math.min(scale / 2, 0.2);
    this._look({ scale, x: width / 2 - (x + size.width / 2) * scale, y: room / 2 - (y + size.height / 2) * scale });
  }

  // --- the drawing -----------------------------------------------------------------------------------------

  _drawAll({ nodes, edges, bounds, before }) {
    for (const { label } of [...nodes, ...edges]) label.text = stepName(label.text);
    this._bounds = bounds;
    this._before = before;
    this._arrivals = new Map(); // by node, how many edges lead to it
    for (const { target } of edges) this._arrivals.set(target, (this._arrivals.get(target) ?? 0) + 1);
    this._parts = { nodes: nodes.map(drawNode), edges: edges.map(drawEdge) };
    const group = (className, parts) => {
      const all = draw('g', { class: className });
      all.append(...parts.map(({ element }) => element));
      return all;
    };
    this._scene.replaceChildren(group('edges', this._parts.edges), group('nodes', this._parts.nodes));
    this._names = new Map(nodes.map(({ id, label }) => [id, label.text || id]));
  }

  _light(run, passed, broke) {
    const running = new Set(run.state === 'ended' ? broke : run.running_edge);
    const behind = new Set(passed);
    const now = run.state !== 'ended' ? 'now' : run.outcome === 'stopped' ? 'halted' : 'broken';
    const taken = this._parts.edges.map(({ edge }) => edge).filter(({ id }) => running.has(id));
    // Several edges may be one way through nodes without work: the run is at the end of that way.
    const ends = taken.filter(({ target }) => !taken.some(({ source }) => source === target));
    const at = new Set((ends.length ? ends : taken).map(({ target }) => target));
    const looks = new Map(); // of nodes
    // A page that opens later has not seen the way of the run, but parts of it are certain.
    const been = this._been(running, run.outcome === 'done');
    for (const node of been) looks.set(node, 'done');
    for (const { edge } of this._parts.edges) {
      if (been.has(edge.target) && been.has(edge.source) && this._arrivals.get(edge.target) === 1) behind.add(edge.id);
    }
    for (const { edge, element, line } of this._parts.edges) {
      const is = running.has(edge.id) ? now : behind.has(edge.id) ? 'done' : 'idle';
      set(element, 'data-state', is);
      set(line, 'marker-end', `url(#arrow-${is})`);
      if (is === 'idle') continue;
      looks.set(edge.source, 'done');
      looks.set(edge.target, 'done');
    }
    for (const node of at) looks.set(node, now);
    for (const { node, element } of this._parts.nodes) set(element, 'data-state', looks.get(node.id) ?? 'idle');
    this._box.dataset.run = run.state;
    this._say(taken);
  }

  _been(running, done) {
    const edges = this._parts.edges.map(({ edge }) => edge);
    const at = edges.filter(({ id }) => running.has(id)).map(({ source }) => source);
    const ends = done ? [...this._names.keys()].filter((node) => !edges.some(({ source }) => source === node)) : [];
    if (ends.length === 1) at.push(ends[0]);
    return new Set(at.flatMap((node) => [...(this._before.get(node) ?? [])]));
  }

  /** Describe the drawing for screen readers. */
  _say(taken) {
    const name = (node) => this._names.get(node);
    const now = taken.map(({ source, target }) => t('watch_from_to', { from: name(source), to: name(target) }));
    const { nodes, edges } = this._parts;
    const values = { nodes: nodes.length, edges: edges.length, now: now.slice(0, 5).join(', ') };
    set(this._svg, 'aria-label', t('watch_graph_label', values));
  }

  // --- looking at it ---------------------------------------------------------------------------------------

  _look(at) {
    this._at = at;
    const round = (number) => Math.round(number * 1000) / 1000;
    this._scene.setAttribute('transform', `translate(${round(at.x)} ${round(at.y)}) scale(${round(at.scale)})`);
  }

  /** Zoom; the point at (x, y) of the drawing stays there. */
  _zoom(times, x, y) {
    const { width, height } = this._svg.getBoundingClientRect();
    const at = { x: x ?? width / 2, y: y ?? height / 2 };
    const scale = Math.min(Math.max(this._at.scale * times, this._smallest ?? 0.05), LARGEST);
    const share = scale / this._at.scale;
    this._free = true;
    this._look({ scale, x: at.x - (at.x - this._at.x) * share, y: at.y - (at.y - this._at.y) * share });
  }

  _pan(dx, dy) {
    this._free = true;
    this._look({ ...this._at, x: this._at.x + dx, y: this._at.y + dy });
  }

  _listen() {
    const svg = this._svg;
    const acts = { in: () => this._zoom(STEP), out: () => this._zoom(1 / STEP), fit: () => this.fit() };
    for (const button of this._box.querySelectorAll('[data-zoom]')) {
      button.addEventListener('click', acts[button.dataset.zoom]);
    }
    new ResizeObserver(() => this._settle()).observe(svg);

    svg.addEventListener(
      'wheel',
      (event) => {
        event.preventDefault();
        const { x, y } = this._place(event);
        const pixels = event.deltaY * (event.deltaMode === 1 ? LINE : 1);
        this._zoom(Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.0016)), x, y); // a pinch on a touchpad comes with Ctrl
      },
      { passive: false },
    );
    svg.addEventListener('dblclick', (event) => this._zoom(STEP * STEP, this._place(event).x, this._place(event).y));

    svg.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      svg.setPointerCapture(event.pointerId);
      this._pointers.set(event.pointerId, this._place(event));
      svg.classList.add('in-hand');
    });
    svg.addEventListener('pointermove', (event) => this._moved(event));
    for (const end of ['pointerup', 'pointercancel', 'lostpointercapture']) {
      svg.addEventListener(end, (event) => {
        this._pointers.delete(event.pointerId);
        svg.classList.toggle('in-hand', this._pointers.size > 0);
      });
    }

    const keys = {
      ArrowLeft: () => this._pan(PAN, 0),
      ArrowRight: () => this._pan(-PAN, 0),
      ArrowUp: () => this._pan(0, PAN),
      ArrowDown: () => this._pan(0, -PAN),
      '+': acts.in,
      '=': acts.in,
      '-': acts.out,
      0: acts.fit,
    };
    svg.addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
      event.preventDefault();
      keys[event.key]();
    });
  }

  _moved(event) {
    const was = this._pointers.get(event.pointerId);
    if (!was) return;
    const is = this._place(event);
    const other = [...this._pointers].find(([id]) => id !== event.pointerId)?.[1];
    this._pointers.set(event.pointerId, is);
    if (!other) return this._pan(is.x - was.x, is.y - was.y);
    // Two fingers: each keeps its point of the drawing.
    const before = Math.hypot(was.x - other.x, was.y - other.y);
    const after = Math.hypot(is.x - other.x, is.y - other.y);
    this._pan((is.x - was.x) / 2, (is.y - was.y) / 2);
    if (before > 0) this._zoom(after / before, (is.x + other.x) / 2, (is.y + other.y) / 2);
  }

  _place({ clientX, clientY }) {
    const { left, top } = this._svg.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }
}

// --- parts -------------------------------------------------------------------------------------------------

function drawNode(node) {
  const element = draw('g', { class: 'node', 'data-node': node.id, 'data-shape': node.shape });
  element.append(shapeOf(node));
  const room = node.shape === 'diamond' || node.shape === 'circle' ? 1.5 : 1.8;
  const { label } = node;
  if (label.text) element.append(drawLabel(label, Math.max(node.halfWidth * room, 84)));
  element.append(titled(label.text || node.id));
  return { node, element };
}

function shapeOf({ shape, x, y, halfWidth: w, halfHeight: h }) {
  if (shape === 'circle' || shape === 'ellipse') return draw('ellipse', { class: 'shape', cx: x, cy: y, rx: w, ry: h });
  if (shape === 'diamond' || shape === 'polygon') {
    return draw('polygon', { class: 'shape', points: `${x},${y - h} ${x + w},${y} ${x},${y + h} ${x - w},${y}` });
  }
  return draw('rect', { class: 'shape', x: x - w, y: y - h, width: 2 * w, height: 2 * h, rx: Math.min(14, w, h) });
}

function drawEdge(edge) {
  const element = draw('g', { class: 'edge', 'data-edge': edge.id });
  const line = draw('path', { class: 'edge-line', d: edge.path });
  element.append(line, draw('path', { class: 'edge-flow', d: edge.path }));
  if (edge.label.text) element.append(drawLabel(edge.label, 120));
  return { edge, element, line };
}

function drawLabel({ text, x, y }, width) {
  const lines = wrapped(text, width);
  const label = draw('text', { class: 'label', x, y: y - ((lines.length - 1) * LINE) / 2 });
  lines.forEach((line, i) => {
    const span = draw('tspan', { x, dy: i ? LINE : 0 });
    span.textContent = line;
    label.append(span);
  });
  return label;
}

/** The text in at most LINES lines of `width` px; an ellipsis stands for the rest. */
function wrapped(text, width) {
  const fits = (line) => pen.measureText(line).width <= width;
  const lines = [];
  // Break between words, and inside long names and Chinese text.
  const pieces = text.slice(0, 300).match(/[\u2e80-\uffef]|[^\s\u2e80-\uffef]+|\s+/g) ?? [];
  let line = '';
  for (let piece of pieces) {
    if (/^\s+$/.test(piece)) piece = ' ';
    if (fits((line + piece).trimEnd())) {
      line += piece;
      continue;
    }
    if (line.trim()) lines.push(line.trim());
    line = piece.trimStart();
    while (!fits(line)) {
      let cut = line.length;
      while (cut > 1 && !fits(line.slice(0, cut))) cut -= 1;
      lines.push(line.slice(0, cut));
      line = line.slice(cut);
    }
  }
  if (line.trim()) lines.push(line.trim());
  if (lines.length <= LINES) return lines;
  let last = lines[LINES - 1];
  while (last && !fits(`${last}…`)) last = last.slice(0, -1);
  return [...lines.slice(0, LINES - 1), `${last}…`];
}

function titled(text) {
  const title = draw('title', {});
  title.textContent = text;
  return title;
}

/** One arrowhead for each colour: in some browsers a marker does not take the colour of its line. */
function markers() {
  const all = draw('defs', {});
  for (const state of ['idle', 'now', 'done', 'halted', 'broken']) {
    const marker = draw('marker', {
      id: `arrow-${state}`,
      class: 'arrow-head',
      'data-state': state,
      viewBox: '0 0 10 10',
      refX: 8.5,
      refY: 5,
      markerWidth: 10,
      markerHeight: 10,
      markerUnits: 'userSpaceOnUse',
      orient: 'auto-start-reverse',
    });
    marker.append(draw('path', { d: 'M1 1.2 9 5 1 8.8Z' }));
    all.append(marker);
  }
  return all;
}

function draw(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
