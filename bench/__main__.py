"""`python -m bench`: run us and the peers side by side, print the table, and write docs/performance.md."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import signal
import sys
import time

import uvloop

from bench import report
from bench.load import Trouble
from bench.run import Run, plain
from bench.scenarios import SCENARIOS, Scenario
from bench.servers import BENCH, KINDS, OURS, install

SPARE_FILES = 200
FULL_SECONDS, QUICK_SECONDS = 28 * 60, 250


def main() -> int:
    """The command."""
    arguments = parse()
    if arguments.report:
        report.write(json.loads(report.RESULTS.read_text()))
        return 0
    names = set(arguments.only.split(",")) if arguments.only else None
    if names and (unknown := names - {scenario.name for scenario in SCENARIOS}):
        print(f"no scenario {', '.join(unknown)}; there is {', '.join(s.name for s in SCENARIOS)}", file=sys.stderr)
        return 2
    peers = set(arguments.peers.split(",")) if arguments.peers is not None else None
    if peers and (unknown := peers - KINDS.keys()):
        print(f"no peer {', '.join(unknown)}; there is {', '.join(KINDS)}", file=sys.stderr)
        return 2
    chosen = [s for s in SCENARIOS if (s.name in names if names else s.quick or not arguments.quick)]
    complete = not (arguments.quick or names or peers is not None)
    try:
        return uvloop.run(bench(chosen, arguments, peers, complete))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("stopped; every server has ended", file=sys.stderr)
        return 130


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="bench",
        description="CPU per delivered message, latency and memory: the panel and its peers, side by side.",
        epilog="scenarios: " + ", ".join(scenario.name for scenario in SCENARIOS) + "; peers: " + ", ".join(KINDS),
    )
    parser.add_argument("--quick", action="store_true", help="shorter rounds, fewer clients, under 5 minutes: a look")
    parser.add_argument("--only", metavar="NAME,NAME", help="these scenarios")
    parser.add_argument("--peers", metavar="NAME,NAME", help="these peers beside us; '' for none")
    parser.add_argument("--rounds", type=int, default=None, help="counted rounds (5; 2 with --quick)")
    parser.add_argument("--json", metavar="FILE", help="write the raw figures of a partial run there")
    parser.add_argument("--report", action="store_true", help="write docs/performance.md anew from bench/results.json")
    arguments = parser.parse_args()
    if arguments.peers == "":
        arguments.peers = "ours"
    return arguments


async def bench(chosen: list[Scenario], arguments: argparse.Namespace, peers: set[str] | None, complete: bool) -> int:
    """Run the scenarios, and report."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    load_core, server_core = cores()
    limit = raise_files()
    kinds = {name for scenario in chosen for name in scenario.kinds if peers is None or name in peers or name in OURS}
    missing = install([KINDS[name] for name in sorted(kinds)], print)
    began = time.monotonic()
    run = Run(
        quick=arguments.quick,
        rounds=arguments.rounds or (2 if arguments.quick else 5),
        peers=peers,
        server_core=server_core,
        missing=missing,
        say=lambda text: print(text, flush=True),
        deadline=began + (QUICK_SECONDS if arguments.quick else FULL_SECONDS),
    )
    if server_core is None:
        run.note("one core only: servers and load share it")
    loaded = os.getloadavg()[0]
    if loaded > 0.7:
        run.note(f"the machine was busy when this run began (load {loaded:.1f}): the figures are noise")
    for scenario in chosen:
        servers = len(run.wanted(scenario.kinds)) if scenario.together else 1
        needed = scenario.connections * servers + SPARE_FILES
        if needed > limit:
            run.note(f"{scenario.name} is left out: it needs {needed} open files, and the limit is {limit}")
            continue
        if run.late():
            run.note(f"{scenario.name} is left out: the time of the run was over")
            continue
        started = time.monotonic()
        run.say(f"{scenario.name}: {scenario.title}")
        try:
            await scenario.measure(run)
        except (OSError, RuntimeError, Trouble) as error:  # TimeoutError is an OSError
            run.note(f"{scenario.name} failed: {error}")
        run.say(f"  ({time.monotonic() - started:.0f} s)")
    found = {
        "about": report.about(load_core, server_core, time.monotonic() - began, run.rounds, arguments.quick),
        "notes": run.notes,
        "results": plain(run.results),
    }
    print("\n" + report.table(found))
    if complete:
        report.RESULTS.write_text(json.dumps(found, indent=1) + "\n")
        report.write(found)
        print(f"\nwritten: {report.PAGE}, {report.PLOT} and {report.RESULTS}")
    elif arguments.json:
        with open(arguments.json, "w") as file:  # noqa: ASYNC230  # everything else is over
            json.dump(found, file, indent=1)
    else:
        print("\na part only: docs/performance.md stays as it is")
    return 0


def cores() -> tuple[int | None, int | None]:
    """The load's core, where this process now is, and the servers'; None for both where there is one only."""
    mine = sorted(os.sched_getaffinity(0))
    if len(mine) < 2:
        return None, None
    os.sched_setaffinity(0, {mine[0]})
    return mine[0], mine[1]


def raise_files() -> int:
    """Allow this process and its servers as many open files as can be had; how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


if __name__ == "__main__":
    os.chdir(BENCH.parent)
    sys.exit(main())
