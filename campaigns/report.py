"""What the campaigns found: `campaigns/results.json`, the last result of each, and the page made of it."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "campaigns" / "results.json"
PAGE = ROOT / "docs" / "reliability.md"

Found = dict[str, Any]

HEAD = """# Reliability

What the panel was put through, and what came of it. Written by `make chaos`, `make fuzz`, `make schema` and
`make soak`, each its own section; do not edit. How they work, and how to run a part of one, is in
[campaigns/README.md](../campaigns/README.md)."""


def keep(campaign: str, found: Found) -> None:
    """Remember the result of a whole run, and write the page anew."""
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    results[campaign] = {**found, "about": about()}
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    write(results)


def write(results: dict[str, Found]) -> None:
    """The page."""
    parts = [HEAD]
    for campaign, section in SECTIONS.items():
        if campaign in results:
            parts += [*section(results[campaign]), _last_line(results[campaign])]
    PAGE.write_text("\n\n".join(parts) + "\n")


def about() -> dict[str, str]:
    """When, of what, and where."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    cpu = [line.split(": ")[1] for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit.stdout.strip() or "unknown",
        "machine": f"{cpu[0] if cpu else 'unknown CPU'}, {len(os.sched_getaffinity(0))} cores, "
        f"Python {platform.python_version()}, load {os.getloadavg()[1]:.1f} at the end",
    }


def table(head: Sequence[str], rows: Sequence[Sequence[object]], right: int = 1) -> str:
    """A Markdown table; the columns from `right` on are numbers."""
    marks = ["---" if number < right else "---:" for number in range(len(head))]
    lines = [head, marks, *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def seconds(value: float | None) -> str:
    """For people: 0.032 is "32 ms"."""
    if value is None:
        return ""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < 100 else f"{value / 60:.0f} min"


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text().splitlines() if file.is_file() else []


def _last_line(found: Found) -> str:
    said = found["about"]
    return f"{said['date']}, commit {said['commit']}, {said['machine']}; took {seconds(found['seconds'])}."


# --- sections ----------------------------------------------------------------------------------------------


def _fuzz(found: Found) -> list[str]:
    from campaigns.fuzz import KINDS

    rows = []
    for name, target in found["targets"].items():
        what = KINDS[name].what if name in KINDS else f"real {name}: raw bytes, WebSockets, polling, REST bodies"
        outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in target["outcomes"].items())
        rows.append([what, f"{target['inputs']:,}", "**1**" if "finding" in target else 0, outcomes])
    total = sum(target["inputs"] for target in found["targets"].values())
    parts = [
        "## Fuzzing",
        f"{total:,} inputs, led by what they reach in the code (atheris), seed {found['seed']}. A finding is an "
        "exception that escapes, an error in the panel's log, a connection that dies and should live (or the other way "
        "round), a state that changed without a valid command, or an answer that differs from the oracle's. A target "
        "ends at its first one.",
        table(["target", "inputs", "findings", "what became of them"], rows),
    ]
    for name, target in found["targets"].items():
        if "finding" in target:
            parts.append(
                f"{name}, input `{target['finding']['input'][:200]}`:\n\n```\n{target['finding']['what']}\n```"
            )
    return parts


def _chaos(found: Found) -> list[str]:
    from campaigns.endings import END_WITHIN, EXIT_WITHIN

    rows = []
    for fault in found["faults"].values():
        bad = [fault["lost"], fault["twice"], fault["wrong_levels"]]
        others = [seconds(fault[f"others_{what}"]) for what in ("median", "p99", "max")]
        newcomers = [seconds(fault[f"newcomers_{what}"]) for what in ("median", "max")]
        rows.append(
            [
                fault["what"] + _notes(fault["notes"]),
                fault["rounds"],
                *(f"**{count}**" if count else 0 for count in bad),
                f"{seconds(fault['recovered_median'])} / {seconds(fault['recovered_max'])}",
                " / ".join(others) if others[0] else "none is left",
                " / ".join(newcomers) if newcomers[0] else "",
            ]
        )
    torn = found["torn"]
    parts = [
        "## Faults under load",
        f"Each fault was injected into a panel that {found['clients']} clients use (native `/live` and `/panel`, old "
        "Socket.IO pages, polling, chat over `/<username>`, REST): they drag a light, talk, ping, and come back when "
        "they are cut off. After each one a level is set as soon as that can be done, and every client must show it; "
        "the history of the lobby must have each message that was ever acknowledged, once.",
        "**Recovered** is from a fault's moment, or the end of one that lasts, until every client is there and shows "
        "the new level (median / max). **Everybody else** is the round trip of one more client on `/live` and "
        "Socket.IO, from the fault's beginning to its end (median / p99 / max). **A new connection** is how long it "
        "takes until `GET /led` on one of its own is answered with 200, refusals included (median / max).",
        table(
            [
                "fault",
                "rounds",
                "lost",
                "twice",
                "wrong levels",
                "recovered",
                "everybody else meanwhile",
                "a new connection",
            ],
            rows,
        ),
        f"**A database that was cut off.** The write-ahead log of {torn['messages']} messages and levels was cut in "
        f"{torn['cuts']} places, at its frames' ends and in their middle. Each time the store must open, SQLite's "
        f"integrity check must pass, and there must be a beginning of the messages without a hole ({torn['fewest']} to "
        f"{torn['most']} of them), with the level that belongs to it: {len(torn['wrong'])} times that was not so.",
        "**SIGTERM with 300 clients and 50 open long-polls.** The pin must show its exit level within "
        f"{seconds(EXIT_WITHIN)} (seen at the pigpiod stand-in), and the process end within {seconds(END_WITHIN)}:",
        table(
            ["server", "exit level after", "end after", "exit status"],
            [
                [server, seconds(one["exit_level"]), seconds(one["end"]), int(one["status"])]
                for server, ends in found["endings"].items()
                for one in ends
            ],
        ),
    ]
    if wrong := [*wrong_in_chaos(found), *found["notes"]]:
        parts += ["What was not as it should be, or was left out:", *(f"```\n{line.strip()}\n```" for line in wrong)]
    return parts


def wrong_in_chaos(found: Found) -> list[str]:
    """What was not as it should be, in words."""
    from campaigns.endings import is_good

    wrong = [f"{name}: {line}" for name, fault in found["faults"].items() for line in fault["wrong"]]
    wrong += found.get("torn", {}).get("wrong", [])
    ends = found.get("endings", {}).items()
    return wrong + [f"SIGTERM, {server}: {one}" for server, all in ends for one in all if not is_good(one)]


def _notes(notes: Found) -> str:
    """What a fault measured beside, in brackets."""
    said = []
    for name, (middle, most) in notes.items():
        unit = UNITS.get(name)
        figures = [seconds(middle), seconds(most)] if unit == "s" else [f"{middle:,.0f}{unit}", f"{most:,.0f}{unit}"]
        said.append(f"{name} {figures[0]}" + (f", at most {figures[1]}" if figures[1] != figures[0] else ""))
    return f" ({'; '.join(said)})" if said else ""


# What a note of a fault is measured in.
UNITS = {
    "end": "s",
    "let go": "s",
    "connected in": "s",
    "memory": " MB",
    "refused": "",
    "connections": "",
    "let in": "",
    "still waiting after 8 s": "",
    "too fast": "",
    "cut": "",
    "commands a second": "",
}


def _schema(found: Found) -> list[str]:
    rows = [
        [server, of["operations"], f"{of['cases']:,}", of["failures"], len(of["complaints"])]
        for server, of in found["servers"].items()
    ]
    return [
        "## The OpenAPI document",
        "Requests made from `/openapi.json` by schemathesis, good ones and bad ones, and every answer held against it: "
        "no 5xx, no undocumented status or content type, no body that breaches its schema, nothing good refused and "
        "nothing bad taken. So is every refusal that comes before an operation sees the request: of foreign names and "
        "pages, wrong tokens, bodies without an end, what is over a limit, a full panel. What OpenAPI cannot say is "
        "left out in `campaigns/schemathesis.toml`, with the reason.",
        table(["server", "operations", "requests", "breaches", "errors in the log"], rows),
    ]


def _soak(found: Found) -> list[str]:
    low, high = found["rss"]
    rows = [
        [what, f"{found['halves'][what][0]:.0f}", f"{found['halves'][what][1]:.0f}", *found["left"][what]]
        for what in found["halves"]
    ]
    parts = [
        "## Soak",
        f"{found['clients']} clients of all kinds at any time, {found['came']:,} in all, for {found['minutes']:g} "
        f"minutes; {found['answers']:,} pings answered, {found['acknowledged']:,} messages acknowledged, "
        f"{found['lost']} lost, {found['twice']} twice.",
        f"**Memory: {found['slope']:+.2f} MB an hour** (linear fit after {seconds(found['warm_up'])} of warm-up; the "
        f"limit is 2), {low:.1f} to {high:.1f} MB.",
        table(["", "first half", "second half", "before the first client", "after the last"], rows),
    ]
    if found["wrong"]:
        parts += ["Notes of the run:", "\n".join(f"- {line}" for line in found["wrong"])]
    return parts


SECTIONS: dict[str, Callable[[Found], list[str]]] = {"chaos": _chaos, "fuzz": _fuzz, "schema": _schema, "soak": _soak}
