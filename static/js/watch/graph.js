// The geometry of a graph: LogicFlow's nodes and edges as shapes, points and labels. It has no DOM.

// Half sizes in px for nodes without a size: the defaults of LogicFlow.
const HALVES = {
  rect: [50, 40],
  circle: [50, 50],
  ellipse: [30, 45],
  diamond: [30, 50],
  polygon: [50, 50],
  text: [40, 14],
};
const EVENT = 18; // px, radius of a BPMN event
const GATEWAY = 25;
const APART = 160; // px between nodes without a place
const BESIDE = 9; // px between two edges that join the same nodes in opposite directions
const CORNER = 9; // px, radius of the bends
const MARGIN = 14; // px around everything, for arrows and labels

/** `{nodes, edges, bounds, before}` of a graph; accepts missing and wrong values. */
export function readGraph(graph) {
  const nodes = listOf(graph?.nodes).map(readNode);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const pairs = new Set(listOf(graph?.edges).map((edge) => `${edge.sourceNodeId} ${edge.targetNodeId}`));
  const edges = listOf(graph?.edges)
    .filter((edge) => byId.has(String(edge.sourceNodeId)) && byId.has(String(edge.targetNodeId)))
    .map((edge, at) => readEdge(edge, at, byId, pairs));
  return { nodes, edges, bounds: boundsOf(nodes, edges), before: dominators(nodes, edges) };
}

/**
 * By node, the nodes on every way to it: a run at the node has passed them. These are the dominators of a flow graph,
 * by Allen's iterative data-flow algorithm, which is fast enough for some hundreds of nodes.
 */
function dominators(nodes, edges) {
  const sources = new Map(nodes.map(({ id }) => [id, []]));
  for (const { source, target } of edges) if (source !== target) sources.get(target).push(source);
  const before = new Map();
  for (const [id, from] of sources) if (!from.length) before.set(id, new Set([id]));
  let changing = before.size > 0;
  while (changing) {
    changing = false;
    for (const [id, from] of sources) {
      const known = from.filter((source) => before.has(source)).map((source) => before.get(source));
      if (!known.length) continue;
      const common = new Set([...known[0]].filter((node) => known.every((set) => set.has(node)))).add(id);
      if (common.size === before.get(id)?.size) continue;
      before.set(id, common);
      changing = true;
    }
  }
  return before;
}

function listOf(value) {
  return Array.isArray(value) ? value.filter((item) => item && typeof item === 'object') : [];
}

// --- nodes -------------------------------------------------------------------------------------------------

function readNode(node, at) {
  const shape = shapeOf(node.type);
  const [halfWidth, halfHeight] = halves(node, shape);
  const x = finite(node.x) ?? at * APART;
  const y = finite(node.y) ?? 0;
  return { id: String(node.id ?? at), shape, x, y, halfWidth, halfHeight, label: labelOf(node.text, x, y) };
}

/** The shape of a type: one of LogicFlow, of BPMN, or a name that contains one ("my-circle"). */
function shapeOf(type) {
  const name = String(type ?? '').toLowerCase();
  if (/circle|event$/.test(name)) return 'circle';
  if (/diamond|gateway$/.test(name)) return 'diamond';
  if (/ellipse/.test(name)) return 'ellipse';
  if (/polygon/.test(name)) return 'polygon';
  return name === 'text' ? 'text' : 'rect';
}

function halves(node, shape) {
  const given = { ...node, ...(node.properties ?? {}) };
  const radius = positive(given.r);
  const [width, height] = defaults(String(node.type ?? ''), shape);
  return [
    half(given.width) ?? positive(given.rx && shape !== 'rect' ? given.rx : null) ?? radius ?? width,
    half(given.height) ?? positive(given.ry && shape !== 'rect' ? given.ry : null) ?? radius ?? height,
  ];
}

function defaults(type, shape) {
  if (/event$/i.test(type)) return [EVENT, EVENT];
  if (/gateway$/i.test(type)) return [GATEWAY, GATEWAY];
  return HALVES[shape];
}

function half(value) {
  const size = positive(value);
  return size === undefined ? undefined : size / 2;
}

/** `{text, x, y}` of a label: a text, or a text with its own place. */
function labelOf(text, x, y) {
  const value = text && typeof text === 'object' ? text.value : text;
  const known = value === undefined || value === null ? '' : String(value).trim();
  return { text: known, x: finite(text?.x) ?? x, y: finite(text?.y) ?? y };
}

// --- edges -------------------------------------------------------------------------------------------------

function readEdge(edge, at, byId, pairs) {
  const source = byId.get(String(edge.sourceNodeId));
  const target = byId.get(String(edge.targetNodeId));
  const given = listOf(edge.pointsList).filter(({ x, y }) => finite(x) !== undefined && finite(y) !== undefined);
  const back = source !== target && pairs.has(`${edge.targetNodeId} ${edge.sourceNodeId}`);
  const points = given.length > 1 ? given.map(({ x, y }) => ({ x: +x, y: +y })) : between(source, target, back);
  const curved = points.length === 4 && (source === target ? given.length < 2 : /bezier/i.test(edge.type ?? ''));
  const middle = halfway(points);
  return {
    id: String(edge.id ?? `edge ${at}`),
    source: source.id,
    target: target.id,
    points,
    path: curved ? curve(points) : bent(points),
    label: labelOf(edge.text, middle.x, middle.y),
  };
}

/** A straight line from border to border; an edge to its own node goes around a corner. */
function between(source, target, back) {
  if (source === target) {
    const { x, y, halfWidth, halfHeight } = source;
    return [
      { x: x + halfWidth, y },
      { x: x + halfWidth + 46, y },
      { x, y: y - halfHeight - 46 },
      { x, y: y - halfHeight },
    ];
  }
  const dx = target.x - source.x;
  const dy = target.y - source.y;
  const long = Math.hypot(dx, dy) || 1;
  const aside = back ? { x: (-dy / long) * BESIDE, y: (dx / long) * BESIDE } : { x: 0, y: 0 };
  const begin = border(source, dx, dy);
  const end = border(target, -dx, -dy);
  return [
    { x: begin.x + aside.x, y: begin.y + aside.y },
    { x: end.x + aside.x, y: end.y + aside.y },
  ];
}

/** Where a ray from the middle of the node leaves it. */
function border({ shape, x, y, halfWidth, halfHeight }, dx, dy) {
  const across = Math.abs(dx) / halfWidth;
  const down = Math.abs(dy) / halfHeight;
  const oval = Math.hypot(across, down);
  const reach = { circle: oval, ellipse: oval, diamond: across + down, polygon: across + down };
  const scale = 1 / (reach[shape] ?? Math.max(across, down));
  return Number.isFinite(scale) ? { x: x + dx * Math.min(scale, 1), y: y + dy * Math.min(scale, 1) } : { x, y };
}

function curve([begin, leave, arrive, end]) {
  return `M${at(begin)} C${at(leave)} ${at(arrive)} ${at(end)}`;
}

/** A path of straight lines with round corners. */
function bent(points) {
  const path = [`M${at(points[0])}`];
  for (let i = 1; i < points.length - 1; i += 1) {
    const [before, corner, next] = points.slice(i - 1, i + 2);
    const radius = Math.min(CORNER, apart(before, corner) / 2, apart(corner, next) / 2);
    path.push(`L${at(toward(corner, before, radius))} Q${at(corner)} ${at(toward(corner, next, radius))}`);
  }
  return `${path.join(' ')} L${at(points.at(-1))}`;
}

function halfway(points) {
  const lengths = points.slice(1).map((point, i) => apart(points[i], point));
  let left = lengths.reduce((sum, length) => sum + length, 0) / 2;
  for (const [i, length] of lengths.entries()) {
    if (left <= length) return toward(points[i], points[i + 1], left);
    left -= length;
  }
  return points.at(-1);
}

// --- numbers -----------------------------------------------------------------------------------------------

function boundsOf(nodes, edges) {
  const xs = [];
  const ys = [];
  for (const { x, y, halfWidth, halfHeight, label } of nodes) {
    xs.push(x - halfWidth, x + halfWidth, label.x);
    ys.push(y - halfHeight, y + halfHeight, label.y);
  }
  for (const { points } of edges) {
    for (const { x, y } of points) {
      xs.push(x);
      ys.push(y);
    }
  }
  if (!xs.length) return { x: 0, y: 0, width: 1, height: 1 };
  const least = (numbers) => numbers.reduce((a, b) => Math.min(a, b)) - MARGIN;
  const most = (numbers) => numbers.reduce((a, b) => Math.max(a, b)) + MARGIN;
  const x = least(xs);
  const y = least(ys);
  return { x, y, width: most(xs) - x, height: most(ys) - y };
}

function finite(value) {
  const number = typeof value === 'string' && value.trim() ? Number(value) : value;
  return Number.isFinite(number) ? number : undefined;
}

function positive(value) {
  const number = finite(value);
  return number > 0 ? number : undefined;
}

function apart(a, b) {
  return Math.hypot(b.x - a.x, b.y - a.y);
}

function toward(from, to, distance) {
  const share = distance / (apart(from, to) || 1);
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
}

function at({ x, y }) {
  return `${round(x)} ${round(y)}`;
}

function round(number) {
  return Math.round(number * 10) / 10;
}
