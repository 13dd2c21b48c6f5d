"""The results of the campaigns: `campaigns/results.json` has the last of each, and the page shows them."""

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

Which faults the panel was tested with, and the results. `make chaos`, `make home`, `make ha`, `make fuzz`,
`make schema`, `make soak` and `make pythons` write this page, each its own section; do not edit it.
[campaigns/README.md](../campaigns/README.md) says how they work, and how to run a part of one."""


def keep(campaign: str, found: Found) -> None:
    """Store the result of a whole run, and write the page again."""
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    results[campaign] = {**found, "about": about()}
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    write(results)


def write(results: dict[str, Found]) -> None:
    """Write the page."""
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
        f"{total:,} inputs (atheris, which follows the code that an input reaches), seed {found['seed']}. "
        "Each of these is a finding, and ends its target:",
        "- an exception that nobody caught, or an error in the log of the panel;\n"
        "- a connection that closes and should stay open, or the other way round;\n"
        "- a state that changed without a valid command;\n"
        "- an answer that differs from that of the oracle.",
        table(["target", "inputs", "findings", "outcomes"], rows),
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
        f"Each fault was injected into a panel with {found['clients']} clients (native `/live` and `/panel`, old "
        "Socket.IO pages, polling, chat over `/<username>`, REST). They drag a light, talk, ping, and connect again "
        "when they lose the connection. After each fault a level is set as soon as that is possible, and every client "
        "must show it. The history of the lobby must have each acknowledged message exactly once.",
        "- **Recovered**: the time from the fault (or its end, if it lasts) until every client is connected and shows "
        "the new level (median / max).\n"
        "- **Everybody else**: the round trip of one more client on `/live` and Socket.IO while the fault lasts "
        "(median / p99 / max).\n"
        "- **A new connection**: the time until `GET /led` on a new connection gets 200, with all refusals before it "
        "(median / max).",
        table(
            [
                "fault",
                "rounds",
                "lost",
                "twice",
                "wrong levels",
                "recovered",
                "everybody else",
                "a new connection",
            ],
            rows,
        ),
        f"**A write-ahead log that was cut short.** The log had {torn['messages']} messages and levels, and was cut at "
        f"{torn['cuts']} places: at the ends of its frames and inside them. Each time the store must open, and the "
        "integrity check of SQLite must pass. The messages must be complete from the first to some message "
        f"({torn['fewest']} to {torn['most']} of them), with the level of that moment. "
        f"{len(torn['wrong'])} cuts broke this.",
        "**SIGTERM with 300 clients and 50 open long-polls.** The pin must have its exit level within "
        f"{seconds(EXIT_WITHIN)}, as the stand-in for pigpiod sees it. The process must end within "
        f"{seconds(END_WITHIN)}:",
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
        parts += ["Faults, and what was left out:", *(f"```\n{line.strip()}\n```" for line in wrong)]
    return parts


def wrong_in_chaos(found: Found) -> list[str]:
    """Return what went wrong, as sentences."""
    from campaigns.endings import is_good

    wrong = [f"{name}: {line}" for name, fault in found["faults"].items() for line in fault["wrong"]]
    wrong += found.get("torn", {}).get("wrong", [])
    ends = found.get("endings", {}).items()
    return wrong + [f"SIGTERM, {server}: {one}" for server, all in ends for one in all if not is_good(one)]


def _notes(notes: Found) -> str:
    """Return the other measurements of a fault, in brackets."""
    said = []
    for name, (middle, most) in notes.items():
        unit = UNITS.get(name)
        figures = [seconds(middle), seconds(most)] if unit == "s" else [f"{middle:,.0f}{unit}", f"{most:,.0f}{unit}"]
        said.append(f"{name} {figures[0]}" + (f", at most {figures[1]}" if figures[1] != figures[0] else ""))
    return f" ({'; '.join(said)})" if said else ""


# The unit of each note of a fault.
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
        "schemathesis makes valid and invalid requests from `/openapi.json`, and checks every answer against it. An "
        "answer must not be a 5xx, or have an undocumented status or content type, or a body that breaks its schema. A "
        "valid request must not be refused, and an invalid one not accepted. Refusals that come before the operation "
        "are checked, too: foreign names and pages, wrong tokens, bodies that do not end, limits, a full panel. "
        "`campaigns/schemathesis.toml` lists what OpenAPI cannot express, with the reason.",
        table(["server", "operations", "requests", "violations", "errors in the log"], rows),
    ]


def _soak(found: Found) -> list[str]:
    low, high = found["rss"]
    rows = [
        [what, f"{found['halves'][what][0]:.0f}", f"{found['halves'][what][1]:.0f}", *found["left"][what]]
        for what in found["halves"]
    ]
    parts = [
        "## Soak",
        f"{found['clients']} clients of all kinds at a time, {found['came']:,} in all, for {found['minutes']:g} "
        f"minutes. {found['answers']:,} pings were answered and {found['acknowledged']:,} messages acknowledged; "
        f"{found['lost']} were lost, and {found['twice']} came twice.",
        f"**Memory: {found['slope']:+.2f} MB per hour** (linear fit after {seconds(found['warm_up'])} of warm-up; the "
        f"limit is 2), between {low:.1f} and {high:.1f} MB.",
        table(["", "first half", "second half", "before the first client", "after the last"], rows),
    ]
    if found["wrong"]:
        parts += ["Notes of the run:", "\n".join(f"- {line}" for line in found["wrong"])]
    return parts


def _home(found: Found) -> list[str]:
    rows = [
        [
            fault["what"],
            fault["rounds"],
            f"{fault['acknowledged']:,}",
            f"{fault['refused']:,}",
            f"{fault['said']:,}" if "said" in fault else "",
            f"**{len(fault['wrong'])}**" if fault["wrong"] else 0,
            " / ".join(map(seconds, fault["noticed"])),
            " / ".join(map(seconds, fault["healed"])),
        ]
        for fault in found["faults"].values()
    ]
    parts = [
        "## Several panels on one Redis",
        "Two nodes with two lights each, two panels without lights, and a keeper. One hand moves each light, with each "
        "command through another panel. After each fault every panel must show every light online, at the level that "
        "was acknowledged last (or one that was refused as unanswered), and the pin must have it. No light may move "
        "later than 3 s after its command. Meanwhile four people write in a room, each message again until some panel "
        "has acknowledged it, and two listen. Each acknowledged message must be there once, with its number, and both "
        "must have heard all, in order.",
        "- **Noticed**: the time until another panel shows the lights offline, or says that the keeper is away "
        "(median / max).\n"
        "- **Healed**: the time from the end of the fault, and of the last command, until all panels agree.",
        table(["fault", "rounds", "done", "refused", "messages", "wrong, late, lost", "noticed", "healed"], rows),
    ]
    if wrong := [line for fault in found["faults"].values() for line in fault["wrong"]]:
        parts += ["What was wrong:", "\n".join(f"- {line}" for line in wrong)]
    return parts


def _ha(found: Found) -> list[str]:
    return [
        "## Home Assistant",
        f"A real Home Assistant {found['version']}, Debian's mosquitto and a panel. Each line is what somebody did or "
        "what failed, and how long it took until the other side had it: at most a second, or three after a start of "
        "Home Assistant, which connects meanwhile. After a broker was away, this counts from the moment at which Home "
        "Assistant, which tries each 10 s, has the light again. The log of its MQTT must have no warning and no error, "
        "except that the broker is gone.",
        *_ha_steps(found),
    ]


def _ha_newest(found: Found) -> list[str]:
    return [f"### Home Assistant {found['version']}", "The same, with the newest at that time.", *_ha_steps(found)]


def _ha_steps(found: Found) -> list[str]:
    rows = [[what, seconds(took)] for what, took in found["took"].items()]
    wrong = found["wrong"]
    return [
        table(["what", "right after"], rows),
        f"Wrong: {len(wrong)}." + "".join(f"\n\n```\n{line}\n```" for line in wrong),
    ]


def _pythons(found: Found) -> list[str]:
    rows = [
        [version, "not here"] if python is None else [python["version"], python["tests"] - python["skipped"]]
        for version, python in found["pythons"].items()
    ]
    wrong = [f"{version}: {one}" for version, python in found["pythons"].items() if python for one in python["wrong"]]
    return [
        "## Pythons",
        "Each Python that the package says it runs on: the package is installed with it from its sources, with the "
        "newest versions of its dependencies. Then the tests of the rules, of the Python client, of its users with "
        "`mypy --strict`, of `/live`, of rooms and runs, and of the commands run on it, panel and client alike.",
        table(["Python", "tests"], rows),
        f"Wrong: {len(wrong)}." + "".join(f"\n\n```\n{line}\n```" for line in wrong),
    ]


SECTIONS: dict[str, Callable[[Found], list[str]]] = {
    "chaos": _chaos,
    "home": _home,
    "ha": _ha,
    "ha_newest": _ha_newest,
    "fuzz": _fuzz,
    "schema": _schema,
    "soak": _soak,
    "pythons": _pythons,
}
