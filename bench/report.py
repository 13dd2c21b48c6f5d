"""The results: the targets, the tables, the page docs/performance.md and its plot."""

from __future__ import annotations

import datetime
import importlib.metadata
import math
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.run import Figures, median
from bench.servers import BENCH, KINDS, ROOT

RESULTS = BENCH / "results.json"
PAGE = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "images" / "performance.svg"

Results = dict[str, dict[str, list[Figures]]]


@dataclass(frozen=True)
class Target:
    """The most that the ratio to a peer in the same round may be; without a peer, the most that the figure may be."""

    what: str
    scenario: str
    figure: str
    ours: str
    peer: str | None
    at_most: float
    unit: str = ""

    def measured(self, results: Results) -> list[float]:
        """Return the ratio of each round, or its figure."""
        series = results.get(self.scenario, {})
        ours = [figures[self.figure] for figures in series.get(self.ours, [])]
        if self.peer is None:
            return ours
        peers = [figures[self.figure] for figures in series.get(self.peer, [])]
        return [mine / other for mine, other in zip(ours, peers, strict=False) if other]


def _fan_out_targets() -> Iterator[Target]:
    for event in ("led", "my_response"):
        ours, node, writer = (f"{kind} {event}" for kind in ("ours", "node", "writer"))
        one, cpu = f"CPU per delivery, one at a time, `{event}`", "cpu_us"
        yield Target(f"{one} / Node socket.io", "fanout-1000", cpu, ours, node, 0.65)
        yield Target(f"{one} / bare uvloop writer", "fanout-1000", cpu, ours, writer, 1.2)
        yield Target(f"5,000 clients, one at a time, `{event}` / Node socket.io", "fanout-5000", cpu, ours, node, 0.7)


TARGETS = (
    *_fan_out_targets(),
    Target(
        "CPU per delivery, 16 in flight / Node socket.io",
        "burst-1000",
        "cpu_us",
        "ours my_response",
        "node my_response",
        0.15,
    ),
    Target("native `/live`, one at a time / Node `ws`", "live-1000", "cpu_us", "ours /live", "ws /live", 1.0),
    Target(
        "`POST /led` that reaches 100 clients, CPU / Node express + socket.io",
        "post-100",
        "cpu_us",
        "ours",
        "express",
        0.6,
    ),
    Target("echo round trip with ack, CPU / Node socket.io", "echo", "cpu_us", "ours", "node", 1.0),
    Target("echo round trip with ack, median time / Node socket.io", "echo", "p50_ms", "ours", "node", 1.0),
    Target("`GET /led`, CPU / Node express", "get", "cpu_us", "ours", "express", 1.0),
    Target("`GET /led`, CPU / Flask-RESTful on gunicorn gevent", "get", "cpu_us", "ours", "restful", 0.6),
    Target("start to the first answer, CPU / the imports alone", "start", "cpu_ms", "installed", "imports", 1.1),
    Target("memory after the start", "start", "rss_mib", "installed", None, 55, " MiB"),
    *(
        Target(f"`{command}`, CPU to its first output", "start", "cpu_ms", command, None, 150, " ms")
        for command in ("pilotlight --version", "pilotlight pin", "pilotlight run")
    ),
    Target("memory per idle connection, Socket.IO", "connections", "kb", "ours socketio", None, 22, " KB"),
    Target("memory per idle connection, native", "connections", "kb", "ours native", None, 14, " KB"),
    Target("idle CPU, 1,000 connections / Node socket.io", "idle", "cpu_ms_per_s", "ours", "node", 1.0),
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
    Target("a command through a front, median time / a panel alone", "home-trip", "p50_ms", "front", "ours", 3.0),
    Target("CPU of a front that reads 1,000 events a second", "home-read", "cpu_percent", "front", None, 10, " %"),
    Target(
        "500 nodes with two lights: until a client has them all", "home-nodes", "p99_ms", "front", None, 2000, " ms"
    ),
    Target("p99 from a dragged slider to the last of 1,000 screens", "slider", "p99_ms", "ours", None, 50, " ms"),
)

FIGURES = {
    "cpu_us": "CPU, µs",
    "wall_us": "elapsed, µs",
    "p50_ms": "median, ms",
    "p99_ms": "p99, ms",
    "answer_p99_ms": "p99 of answers, ms",
    "moves_per_s": "moves a second",
    "cpu_percent": "CPU, %",
    "cpu_ms": "CPU, ms",
    "rss_mib": "memory, MiB",
    "kb": "memory, KB",
    "cpu_ms_per_s": "CPU, ms a second",
    "mb": "grown by, MB",
    "snapshot_kb": "snapshot, KB",
    "compressed_kb": "if it were compressed, KB",
    "cut": "cut (1) or not (0)",
    "kept": "share of the messages that was kept for it",
}
TITLES = {
    "fanout-1": "Per delivery: 1 Socket.IO client, one update at a time",
    "fanout-100": "Per delivery: 100 Socket.IO clients, one update at a time",
    "fanout-1000": "Per delivery: 1,000 Socket.IO clients, one update at a time",
    "burst-1000": "Per delivery: 1,000 Socket.IO clients, 16 updates in flight",
    "fanout-5000": "Per delivery: 5,000 Socket.IO clients, one update at a time",
    "live-1000": "Per delivery: 1,000 native WebSocket clients, one update at a time",
    "post-100": "Per request: `POST /led` that reaches 100 Socket.IO clients",
    "get": "Per request: `GET /led`",
    "echo": "Per round trip: `my_event` with ack, one client",
    "connections": "Per connection: memory while idle, and setting it up",
    "idle": "1,000 idle Socket.IO connections: pings, and one event to all every 10 s",
    "start": "Per start: until the first answer, and `import quart, socketio, uvicorn, pydantic` alone",
    "home-trip": "A command on `/live` through a front to a node on Redis, and to a panel alone",
    "home-live": "Per delivery: 1,000 native clients of a front on Redis, and of a panel alone",
    "home-read": "A front that reads 1,000 events a second of 100 lights",
    "home-nodes": "A client that joins a front with 500 nodes of two lights",
    "slow-reader": "22,000 × 1 KB at a client that never reads",
    "slider": "A slider dragged by 50, 1,000 watching: from the move to the last screen",
}


def table(found: dict[str, Any]) -> str:
    """Return the measured targets, as Markdown."""
    lines = ["| | target | median | min … max | |", "| --- | ---: | ---: | ---: | --- |"]
    for target in TARGETS:
        if values := target.measured(found["results"]):
            middle = median(values)
            met = "met" if middle <= target.at_most else "**not met**"
            spread = f"{_number(min(values))} … {_number(max(values))}"
            at_most = f"≤ {_number(target.at_most)}{target.unit}"
            lines.append(f"| {target.what} | {at_most} | {_number(middle)}{target.unit} | {spread} | {met} |")
    return "\n".join(lines)


def write(found: dict[str, Any]) -> None:
    """Write the page and its plot."""
    about, results = found["about"], found["results"]
    parts = [
        "# Performance",
        "`make bench` writes this page; do not edit it. It runs the panel and other servers on one machine. "
        "[bench/README.md](../bench/README.md) says how it measures. "
        "[bench/results.json](../bench/results.json) has the figures of each round.",
        "## Targets",
        "A ratio is the figure of the panel, divided by that of the other server in the same round. "
        "The median of all rounds counts.",
        table(found),
        "## CPU per delivered message",
        "![CPU per delivered message by number of clients](images/performance.svg)",
        "## All figures",
        "The median of all rounds, with the smallest and the largest.",
    ]
    for scenario, title in TITLES.items():
        if results.get(scenario):
            parts += [f"### {title}", _figures(results[scenario])]
    parts += ["## The run", "\n".join(f"- {name}: {value}" for name, value in about.items())]
    if found["notes"]:
        parts += ["Notes of the run:", "\n".join(f"- {note}" for note in found["notes"])]
    PAGE.write_text("\n\n".join(parts) + "\n")
    PLOT.parent.mkdir(exist_ok=True)
    PLOT.write_text(plot(results))


def _figures(series: dict[str, list[Figures]]) -> str:
    names = list(dict.fromkeys(name for rounds in series.values() for name in rounds[0] if name in FIGURES))
    lines = ["| | " + " | ".join(FIGURES[name] for name in names) + " |", "| --- |" + " ---: |" * len(names)]
    for label, rounds in series.items():
        cells = [_spread([figures[name] for figures in rounds if name in figures]) for name in names]
        lines.append(f"| {_label(label)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    if not values:
        return ""
    if len(values) == 1:
        return _number(values[0])
    return f"**{_number(median(values))}** ({_number(min(values))} … {_number(max(values))})"


def _label(series: str) -> str:
    kind, _, wire = series.partition(" ")
    if kind not in KINDS:  # no server
        return f"`{series}`"
    return KINDS[kind].label + (f", `{wire}`" if wire else "")


def _number(value: float) -> str:
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def about(load_core: int | None, server_core: int | None, seconds: float, rounds: int, quick: bool) -> dict[str, str]:
    """Return the machine and the versions of the run."""
    cpu = next(
        (line.split(": ")[1] for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown CPU"
    )
    packages = ("python-socketio", "quart", "uvicorn", "uvloop")
    found = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _output("git", "describe", "--always", "--dirty"),
        "machine": f"{cpu}; Linux {platform.release().split('-')[0]}",
        "cores": "one for everything" if server_core is None else f"servers on {server_core}, load on {load_core}",
        "Python": f"{platform.python_version()}; "
        + ", ".join(f"{n} {importlib.metadata.version(n)}" for n in packages),
        "peers": "versions in bench/requirements.txt and bench/node/package.json",
        "rounds": f"{rounds} after a warm-up" + (", shortened (--quick)" if quick else ""),
        "took": f"{seconds / 60:.1f} minutes",
    }
    if shutil.which("node"):
        found["Node"] = _output("node", "--version")
    return found


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text().splitlines() if file.is_file() else []


def _output(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


# --- the plot ----------------------------------------------------------------------------------------------

WIDTH, HEIGHT = 800, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 240, 24, 52
COLOURS = {"ours": "#d9480f", "node": "#2f9e44", "writer": "#868e96", "stock": "#1971c2", "flask": "#9c36b5"}
CLIENTS = {"fanout-1": 1, "fanout-100": 100, "fanout-1000": 1000, "fanout-5000": 5000}
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def plot(results: Results) -> str:
    """Return the plot of CPU per delivery by clients, both axes logarithmic, as SVG."""
    lines: dict[str, list[tuple[int, float]]] = {}
    for kind in COLOURS:
        for scenario, clients in CLIENTS.items():
            if rounds := results.get(scenario, {}).get(f"{kind} my_response"):
                lines.setdefault(kind, []).append((clients, median([figures["cpu_us"] for figures in rounds])))
    values = [value for points in lines.values() for _, value in points] or [1, 10]
    low = max((tick for tick in TICKS if tick <= min(values)), default=TICKS[0])
    high = min((tick for tick in TICKS if tick >= max(values)), default=TICKS[-1])

    def x(clients: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(clients) / math.log(5000)

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - math.log(value / low) / math.log(max(high / low, 2)))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="13">',
        "<title>Server CPU per delivered message, by number of clients</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for tick in TICKS:
        if low <= tick <= high:
            parts.append(
                f'<path d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}" stroke="#e9ecef"/>'
                f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end" fill="#495057">{tick}</text>'
            )
    for clients in CLIENTS.values():
        parts.append(
            f'<text x="{x(clients):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle" fill="#495057">'
            f"{clients:,}</text>"
        )
    middle = TOP + (HEIGHT - TOP - BOTTOM) / 2
    parts.append(
        f'<text x="{LEFT + (WIDTH - LEFT - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle" fill="#212529">'
        "Socket.IO clients, one update at a time</text>"
        f'<text transform="translate(18 {middle}) rotate(-90)" text-anchor="middle" fill="#212529">'
        "µs of CPU per delivered message</text>"
    )
    for place, kind in enumerate(sorted(lines, key=lambda kind: lines[kind][-1][1], reverse=True)):
        points = lines[kind]
        path = " ".join(f"{x(clients):.1f},{y(value):.1f}" for clients, value in points)
        colour, at = COLOURS[kind], TOP + 18 + 24 * place
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        parts += [f'<circle cx="{x(c):.1f}" cy="{y(v):.1f}" r="3.5" fill="{colour}"/>' for c, v in points]
        parts.append(
            f'<path d="M{WIDTH - RIGHT + 16} {at - 4}h18" stroke="{colour}" stroke-width="2.5"/>'
            f'<text x="{WIDTH - RIGHT + 40}" y="{at}" fill="#212529">{KINDS[kind].label}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"
