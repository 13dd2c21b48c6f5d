"""The drawing of a show: its graph in the format of LogicFlow, from top to bottom, and the ids of nodes and edges.

Pure. Coordinates are pixels; the x and y of a node are its centre. The id of a node is the path of its step in the
file. A parallel step has two nodes, `….fork` and `….join`. The graph begins at `start` and ends at `end`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from asgi_app.shows.show import Parallel, Repeat, Show, Step, endless, inner

START, END = "start", "end"
Size = tuple[float, float]  # width and height
STEP: Size = (180, 56)  # a label of two lines; two branches fit on a phone at half size
DIAMOND: Size = (180, 72)
FORK, JOIN = 28, 12  # heights of the bars, which are as wide as the branches between them
RADIUS = 20  # of start and end
GAP = 40  # between a node and the next one below, with room for the arrow
BETWEEN = 32  # between branches side by side
LANE = 36  # to the left of the steps of a repeat, for the edge back


def edge_id(source: str, target: str) -> str:
    """Return the id of the edge between two nodes; there is at most one."""
    return f"{source}->{target}"


def fork_of(path: str) -> str:
    return f"{path}.fork"


def join_of(path: str) -> str:
    return f"{path}.join"


def graph_of(show: Show) -> dict[str, Any]:
    """Return the show as a graph of LogicFlow 2: `nodes` and `edges`, one edge for every way of the player.

    `properties` of a node has its `kind`, `path`, `width` and `height`.
    """
    drawing = _Drawing()
    left, _ = _extents(show.steps)
    x = left + GAP
    drawing.node(START, "circle", x, GAP, (2 * RADIUS, 2 * RADIUS), "Start")
    last, y = drawing.steps("steps", show.steps, START, x, GAP + 2 * RADIUS + GAP)
    drawing.node(END, "circle", x, y, (2 * RADIUS, 2 * RADIUS), "End")
    drawing.edge(last, END, x, "stop" if endless(show.steps[-1]) else "")
    return {"nodes": list(drawing.nodes.values()), "edges": drawing.edges}


def _extents(steps: tuple[Step, ...]) -> tuple[float, float]:
    """Return how far the steps reach to the left and to the right of their axis."""
    reach = [_extent(step) for step in steps]
    return max(left for left, _ in reach), max(right for _, right in reach)


def _extent(step: Step) -> tuple[float, float]:
    match step.verb:
        case Repeat(steps=steps):
            left, right = _extents(steps)
            return max(left, DIAMOND[0] / 2) + LANE, max(right, DIAMOND[0] / 2)
        case Parallel(branches=branches):
            half = (sum(sum(_extents(branch)) for branch in branches) + BETWEEN * (len(branches) - 1)) / 2
            return half, half
        case _:
            return STEP[0] / 2, STEP[0] / 2


@dataclass(slots=True)
class _Drawing:
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    edges: list[dict[str, Any]] = field(default_factory=list)

    def steps(self, path: str, steps: tuple[Step, ...], came: str, x: float, y: float) -> tuple[str, float]:
        """Draw the steps on the axis x, from y down, after the node `came`. Return the last one, and the y below it."""
        for n, step in enumerate(steps):
            came, y = self.step(f"{path}[{n}]", step, came, x, y)
        return came, y

    def step(self, path: str, step: Step, came: str, x: float, y: float) -> tuple[str, float]:
        match step.verb:
            case Repeat() as repeat:
                return self.repeat(path, step, repeat, came, x, y)
            case Parallel():
                return self.parallel(path, step, came, x, y)
            case _:
                self.node(path, "rect", x, y, STEP, step.in_words, step.kind, path)
                self.edge(came, path, x)
                return path, y + STEP[1] + GAP

    def repeat(self, path: str, step: Step, repeat: Repeat, came: str, x: float, y: float) -> tuple[str, float]:
        """Draw the steps, below them the diamond that decides, and to the left the edge back to the first step."""
        entered = len(self.edges)
        last, below = self.steps(f"{path}.repeat.steps", repeat.steps, came, x, y)
        first = self.edges[entered]["targetNodeId"]
        width, height = DIAMOND
        self.node(path, "diamond", x, below, DIAMOND, step.in_words, "repeat", path)
        self.edge(last, path, x)
        lane = x - max(_extents(repeat.steps)[0], width / 2) - LANE / 2
        top, bottom = self.nodes[first]["y"], self.nodes[path]["y"]
        beside = x - self.nodes[first]["properties"]["width"] / 2
        back = [(x - width / 2, bottom), (lane, bottom), (lane, top), (beside, top)]
        self.way(path, first, back, {"value": repeat.in_words, "x": lane, "y": (top + bottom) / 2})
        return path, below + height + GAP

    def parallel(self, path: str, step: Step, came: str, x: float, y: float) -> tuple[str, float]:
        """Draw the branches side by side, between two bars of the same width."""
        width = sum(_extent(step))
        fork, join = fork_of(path), join_of(path)
        self.node(fork, "rect", x, y, (width, FORK), step.in_words, "fork", path)
        self.edge(came, fork, x)
        top = y + FORK + GAP
        side = x - width / 2
        ends = []
        for where, steps in inner(path, step):
            left, right = _extents(steps)
            ends.append((*self.steps(where, steps, fork, side + left, top), side + left))
            side += left + right + BETWEEN
        below = max(end for _, end, _ in ends)
        self.node(join, "rect", x, below, (width, JOIN), "", "join", path)
        for last, _, axis in ends:
            self.edge(last, join, axis)
        return join, below + JOIN + GAP

    def node(
        self, id: str, type: str, x: float, top: float, size: Size, text: str, kind: str = "", path: str = ""
    ) -> None:
        width, height = size
        shapes: dict[str, dict[str, float]] = {"circle": {"r": RADIUS}, "diamond": {"rx": width / 2, "ry": height / 2}}
        properties = {"kind": kind or id, "path": path, "width": width, "height": height, **shapes.get(type, {})}
        place = {"x": x, "y": top + height / 2}
        self.nodes[id] = {"id": id, "type": type, **place, "text": text, "properties": properties}

    def edge(self, source: str, target: str, x: float, text: str = "") -> None:
        """Draw an edge straight down the axis x, from the bottom of one node to the top of the other."""
        one, other = self.nodes[source], self.nodes[target]
        top = one["y"] + one["properties"]["height"] / 2
        bottom = other["y"] - other["properties"]["height"] / 2
        self.way(source, target, [(x, top), (x, bottom)], text)

    def way(self, source: str, target: str, points: list[tuple[float, float]], text: str | dict[str, Any]) -> None:
        ends = {"id": edge_id(source, target), "type": "polyline", "sourceNodeId": source, "targetNodeId": target}
        path = [{"x": x, "y": y} for x, y in points]
        self.edges.append({**ends, "text": text, "properties": {}, "pointsList": path})
