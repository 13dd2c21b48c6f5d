"""The results: the targets, the tables, the page docs/performance.md and its plot."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import math
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.run import Figures, median
from bench.servers import BENCH, KINDS, ROOT
from bench.targets import HOUSEHOLD, OTHERS, Results, Target

RESULTS = BENCH / "results.json"
INSTRUCTIONS = BENCH / "instructions.json"
ELSEWHERE = {  # other runs, with the titles, texts and columns of their sections
    BENCH / "results-3.13.json": (
        "On Python 3.13",
        "Medians of another run on the same machine, in which the panel and the Python of its peers were 3.13; Node "
        "was the same. [bench/README.md](../bench/README.md) has the command.",
        ("3.11", "3.13"),
    ),
    BENCH / "results-xeon.json": (
        "On another processor",
        "Medians of a run on an Intel Xeon, of a state a few changes before (bb18817). The work is the same, and the "
        "ratios are not: a lone message takes Node as long there as here, and the panel 2.5 times as long.",
        ("AMD EPYC", "Intel Xeon"),
    ),
}
PAGE = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "images" / "performance.svg"

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
    "let_in_percent": "let in within 8 s, %",
    "connect_s": "connected in, s",
    "worst_ms": "longest, ms",
    "cut": "cut (1) or not (0)",
    "kept": "share of the messages that was kept for it",
}
UNITS = {
    "cpu_us": "µs",
    "p50_ms": "ms",
    "p99_ms": "ms",
    "cpu_ms": "ms",
    "kb": "KB",
    "cpu_ms_per_s": "ms a second",
    "let_in_percent": "%",
}
TITLES = {
    "fanout-1": "Per delivery: 1 Socket.IO client, one update at a time",
    "fanout-10": "Per delivery: 10 Socket.IO clients, one update at a time",
    "fanout-100": "Per delivery: 100 Socket.IO clients, one update at a time",
    "fanout-1000": "Per delivery: 1,000 Socket.IO clients, one update at a time",
    "burst-1000": "Per delivery: 1,000 Socket.IO clients, 16 updates in flight",
    "fanout-5000": "Per delivery: 5,000 Socket.IO clients, one update at a time",
    "live-1000": "Per delivery: 1,000 native WebSocket clients, one update at a time",
    "post-100": "Per request: `POST /led` that reaches 100 Socket.IO clients",
    "get": "Per request: `GET /led`",
    "get-lights": "Per request: `GET /lights`",
    "patch-light": "Per request: `PATCH /lights/led`",
    "echo": "Per round trip: `my_event` with ack, one client",
    "connections": "Per connection: memory while idle, and setting it up",
    "crowd": "10,000 native connections in a second: how many are let in, and the pings of one who was there before",
    "idle": "1,000 idle Socket.IO connections: pings, and one event to all every 10 s",
    "start": "Per start: until the first answer, and `import quart, socketio, uvicorn, pydantic` alone",
    "home-trip": "A command on `/live` through a front to a node on Redis, and to a panel alone",
    "home-live": "Per delivery: 1,000 native clients of a front on Redis, and of a panel alone",
    "home-read": "A front that reads 1,000 events a second of 100 lights",
    "home-nodes": "A client that joins a front with 500 nodes of two lights",
    "slow-reader": "22,000 × 1 KB at a client that never reads",
    "slider": "A slider dragged by 50, 1,000 watching, on `/panel`: from the move to the last screen",
}


def table(found: dict[str, Any]) -> str:
    """Return the targets that were measured, as Markdown, for the terminal."""
    return _targets([target for target in (*HOUSEHOLD, *OTHERS) if target.measured(found["results"])], found["results"])


def _targets(targets: Sequence[Target], results: Results) -> str:
    head = "| | goal | median | min … max | figures | |"
    return "\n".join(
        [head, "| --- | ---: | ---: | ---: | ---: | --- |", *(_row(target, results) for target in targets)]
    )


def _row(target: Target, results: Results) -> str:
    sign, unit = ("≥" if target.least else "≤"), target.unit
    goal = f"{sign} {_number(target.goal)}{unit}"
    values = target.measured(results)
    if not values:
        return f"| {target.what} | {goal} | | | | not measured |"
    spread = "" if len(values) == 1 else f"{_number(min(values))} … {_number(max(values))}"
    verdict = "met" if target.met(results) else "**not met**"
    if target.otherwise and not target.met(results) and target.otherwise.met(results):
        verdict = "met by the next row"
    cells = (target.what, goal, f"{_number(median(values))}{unit}", spread, _beside(target, results), verdict)
    return f"| {' | '.join(cells)} |"


def _beside(target: Target, results: Results) -> str:
    """The panel's figure and that of the other server, and of a target that is no ratio, the ratio."""
    ours, other = target.figures(results, target.ours), target.figures(results, target.peer or target.beside or "")
    if not other:
        return ""
    mine, theirs = median(ours), median(other)
    text = f"{_number(mine)} / {_number(theirs)} {UNITS[target.figure]}"
    return text if target.peer or not theirs else f"{text} = {_number(mine / theirs)}"


def write(found: dict[str, Any]) -> None:
    """Write the page and its plot."""
    about, results = found["about"], found["results"]
    parts = [
        "# Performance",
        "`make bench` writes this page; do not edit it. It runs the panel and other servers on one machine. "
        "[bench/README.md](../bench/README.md) says how it measures. "
        "[bench/results.json](../bench/results.json) has the figures of each round.",
        "## In a living room, and in a hall",
        "A ratio is the figure of the panel, divided by that of the other server in the same round. "
        "The median of all rounds counts. `figures` has the medians of both: the panel / the other server. "
        "Node's servers drive no pin, keep no history and store nothing.",
        _targets(HOUSEHOLD, results),
        *_reasons(results),
        "## Other targets",
        _targets(OTHERS, results),
        *_elsewhere(results),
        *_on_paper(),
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


def _reasons(results: Results) -> list[str]:
    """Why targets are not met that were measured: one reason may be that of several."""
    reasons: dict[str, list[str]] = {}
    for target in (*HOUSEHOLD, *OTHERS):
        is_met = target.met(results) or (target.otherwise is not None and target.otherwise.met(results))
        if target.why and target.measured(results) and not is_met:
            reasons.setdefault(target.why, []).append(target.what)
    if not reasons:
        return []
    lines = [f"- {'; '.join(names)}. {why}" for why, names in reasons.items()]
    return ["### What is not met, and why", "\n".join(lines)]


def _elsewhere(results: Results) -> list[str]:
    """The same targets on another Python and another processor, where the bench has run there."""
    parts = []
    for file, (title, text, columns) in ELSEWHERE.items():
        if not file.is_file():
            continue
        other: Results = json.loads(file.read_text())["results"]
        rows = [
            f"| {target.what} | {_number(median(here))}{target.unit} | {_number(median(there))}{target.unit} |"
            for target in HOUSEHOLD
            if (here := target.measured(results)) and (there := target.measured(other))
        ]
        parts += [f"## {title}", text, "\n".join([f"| | {' | '.join(columns)} |", "| --- | ---: | ---: |", *rows])]
    return parts


def _on_paper() -> list[str]:
    """Instructions of a command, where `make instructions` has counted them."""
    if not INSTRUCTIONS.is_file():
        return []
    counted = json.loads(INSTRUCTIONS.read_text())
    lines = [
        f"- {KINDS[kind].label}: **{median(found['instructions']):,.0f}** instructions "
        f"({min(found['instructions']):,} … {max(found['instructions']):,} in {len(found['instructions'])} rounds of "
        f"{found['commands']:,} commands, after {found['warm']:,} to warm up; {found['date']})"
        for kind, found in counted.items()
    ]
    return [
        "## For a Pi Zero 2 on paper",
        "What one `led` with one Socket.IO client takes the server in user mode. `make instructions` counts it under "
        "valgrind's callgrind, less what the server does in that time anyway. "
        "It does not depend on how fast the machine is.",
        "\n".join(lines),
    ]


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
CLIENTS = {"fanout-1": 1, "fanout-10": 10, "fanout-100": 100, "fanout-1000": 1000, "fanout-5000": 5000}
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
