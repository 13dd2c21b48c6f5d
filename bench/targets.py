"""The targets: the most (or the least) that a figure of the panel may be, or its ratio to another server's."""

from __future__ import annotations

from dataclasses import dataclass

from bench.reasons import CROWD, FANOUT, FRONT, LONE, PATCH, REST, SETUP, SLIDER, START
from bench.run import Figures, median

Results = dict[str, dict[str, list[Figures]]]


@dataclass(frozen=True)
class Target:
    """The goal of a ratio to `peer` in the same round, or without a peer of the figure itself.

    `beside` is a server that is shown, and not part of the goal. With `of_medians` the servers ran one after the other,
    not in pairs. With `least` the goal is a lower bound. `otherwise` is a target that is as good. `why` is the reason
    if it is not met, from a profile.
    """

    what: str
    scenario: str
    figure: str
    ours: str
    peer: str | None
    goal: float
    unit: str = ""
    beside: str | None = None
    of_medians: bool = False
    least: bool = False
    otherwise: Target | None = None
    why: str = ""  # it is not met, where it is not

    def figures(self, results: Results, series: str) -> list[float]:
        """Return the figure of each round of a series."""
        rounds = results.get(self.scenario, {}).get(series, [])
        return [figures[self.figure] for figures in rounds if self.figure in figures]

    def measured(self, results: Results) -> list[float]:
        """Return the ratio of each round, or its figure."""
        ours = self.figures(results, self.ours)
        if self.peer is None:
            return ours
        peers = self.figures(results, self.peer)
        if self.of_medians:
            return [median(ours) / median(peers)] if ours and peers else []
        return [mine / other for mine, other in zip(ours, peers, strict=False) if other]

    def met(self, results: Results) -> bool:
        """Whether the median meets the goal."""
        values = self.measured(results)
        if not values:
            return False
        return median(values) >= self.goal if self.least else median(values) <= self.goal


def _cpu(what: str, scenario: str, event: str, peer: str, goal: float, why: str = "") -> Target:
    """CPU per delivered message of one event."""
    return Target(what, scenario, "cpu_us", f"ours {event}", f"{peer} {event}", goal, why=why)


_SLIDER = "slider dragged by 50, 1,000 watching: p99 to the last screen"
_BESIDE_NODE = Target(
    "… or the same / Node socket.io, which is driven the same way", "slider", "p99_ms", "ours", "node", 0.6, why=SLIDER
)

HOUSEHOLD = (
    _cpu("`led`, 1 client, CPU / Node socket.io", "fanout-1", "led", "node", 3, LONE),
    Target(
        "`led`, 1 client: median time to the screen",
        "fanout-1",
        "p50_ms",
        "ours led",
        None,
        0.20,
        " ms",
        beside="node led",
        why=LONE,
    ),
    _cpu("`led`, 10 clients, CPU / Node socket.io", "fanout-10", "led", "node", 1.5, LONE),
    _cpu("`led`, 100 clients, CPU / Node socket.io", "fanout-100", "led", "node", 0.85, FANOUT),
    _cpu("`led`, 100 clients, CPU / bare uvloop writer", "fanout-100", "led", "writer", 1.35, FANOUT),
    _cpu("`led`, 1,000 clients, CPU / Node socket.io", "fanout-1000", "led", "node", 0.62, FANOUT),
    _cpu("`led`, 1,000 clients, CPU / bare uvloop writer", "fanout-1000", "led", "writer", 1.12, FANOUT),
    _cpu("`my_response`, 1 client, CPU / Node socket.io", "fanout-1", "my_response", "node", 1.1, LONE),
    _cpu("`my_response`, 100 clients, CPU / Node socket.io", "fanout-100", "my_response", "node", 0.65, FANOUT),
    _cpu("`my_response`, 1,000 clients, CPU / Node socket.io", "fanout-1000", "my_response", "node", 0.60, FANOUT),
    _cpu("`my_response`, 5,000 clients, CPU / Node socket.io", "fanout-5000", "my_response", "node", 0.55, FANOUT),
    _cpu("16 in flight, 1,000 clients, CPU / Node socket.io", "burst-1000", "my_response", "node", 0.09, FANOUT),
    _cpu("`/live`, 1,000 native clients, CPU / Node `ws`", "live-1000", "/live", "ws", 0.8, FANOUT),
    Target("echo with ack, CPU / Node socket.io", "echo", "cpu_us", "ours", "node", 1.0, why=LONE),
    Target("echo with ack, median time / Node socket.io", "echo", "p50_ms", "ours", "node", 1.0, why=LONE),
    Target(
        "`POST /led` that reaches 100, CPU / Node express", "post-100", "cpu_us", "ours", "express", 0.6, why=FANOUT
    ),
    Target("`GET /led`, CPU / Node express", "get", "cpu_us", "ours", "express", 0.55, why=REST),
    Target("`GET /lights`, CPU / Node express", "get-lights", "cpu_us", "ours", "express", 1.0),
    Target("`PATCH /lights/led`, CPU / Node express", "patch-light", "cpu_us", "ours", "express", 1.0, why=PATCH),
    Target(
        "a connection, CPU to set it up, Socket.IO / Node socket.io",
        "connections",
        "cpu_us",
        "ours socketio",
        "node socketio",
        1.0,
        of_medians=True,
        why=SETUP,
    ),
    Target(
        "a connection, CPU to set it up, native / Node `ws`",
        "connections",
        "cpu_us",
        "ours native",
        "ws native",
        1.2,
        of_medians=True,
        why=SETUP,
    ),
    Target(
        "10,000 connections in a second: let in within 8 s (beside Node `ws`)",
        "crowd",
        "let_in_percent",
        "ours",
        None,
        95,
        " %",
        beside="ws",
        least=True,
    ),
    Target(
        "… and p99 of the pings of one who was there before (beside Node `ws`)",
        "crowd",
        "p99_ms",
        "ours",
        None,
        60,
        " ms",
        beside="ws",
        why=CROWD,
    ),
    Target(_SLIDER, "slider", "p99_ms", "ours", None, 50, " ms", beside="node", otherwise=_BESIDE_NODE, why=SLIDER),
    _BESIDE_NODE,
    Target(
        "memory of a connection, Socket.IO (beside Node socket.io)",
        "connections",
        "kb",
        "ours socketio",
        None,
        12,
        " KB",
        beside="node socketio",
    ),
    Target(
        "memory of a connection, native (beside Node `ws`)",
        "connections",
        "kb",
        "ours native",
        None,
        7.8,
        " KB",
        beside="ws native",
    ),
    Target("idle, 1,000 connections, CPU / Node socket.io", "idle", "cpu_ms_per_s", "ours", "node", 0.75),
    Target(
        "start to the first answer, CPU / the imports alone", "start", "cpu_ms", "installed", "imports", 1.1, why=START
    ),
    Target("memory after the start", "start", "rss_mib", "installed", None, 55, " MiB", why=START),
)

OTHERS = (
    _cpu("`my_response`, 1,000 clients, CPU / bare uvloop writer", "fanout-1000", "my_response", "writer", 1.2),
    _cpu("`led`, 5,000 clients, CPU / Node socket.io", "fanout-5000", "led", "node", 0.7),
    Target("`GET /led`, CPU / Flask-RESTful on gunicorn gevent", "get", "cpu_us", "ours", "restful", 0.6),
    *(
        Target(f"`{command}`, CPU to its first output", "start", "cpu_ms", command, None, 150, " ms")
        for command in ("pilotlight --version", "pilotlight pin", "pilotlight run")
    ),
    Target("memory growth, a reader that never reads", "slow-reader", "mb", "ours", None, 4, " MB"),
    Target(
        "… that is neither disconnected nor sent a snapshot (0: it is, 1: it is not)",
        "slow-reader",
        "lost",
        "ours",
        None,
        0,
    ),
    Target("CPU per delivery, native, at a front / a panel alone", "home-live", "cpu_us", "front", "ours", 1.1),
    Target(
        "a command through a front, median time / a panel alone", "home-trip", "p50_ms", "front", "ours", 3.0, why=FRONT
    ),
    Target("CPU of a front that reads 1,000 events a second", "home-read", "cpu_percent", "front", None, 10, " %"),
    Target(
        "500 nodes with two lights: until a client has them all", "home-nodes", "p99_ms", "front", None, 2000, " ms"
    ),
)
