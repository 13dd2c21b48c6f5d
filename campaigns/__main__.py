"""`python -m campaigns fuzz`: run a campaign, and write its section of docs/reliability.md."""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys

from campaigns import report


def main() -> int:
    """The command; 0 where nothing was found."""
    options = parse()
    if options.campaign == "report":
        report.write(json.loads(report.RESULTS.read_text()))
        return 0
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    whole, clean = CAMPAIGNS[options.campaign](options)
    if whole:
        print(f"written: {report.PAGE.relative_to(report.ROOT)}")
    else:
        print("a part only: the page stays as it is")
    return 0 if clean else 1


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="campaigns", description="Long checks of the panel, bounded in time.")
    commands = parser.add_subparsers(dest="campaign", required=True)
    fuzz = commands.add_parser("fuzz", help="a million inputs that nobody would send")
    fuzz.add_argument("--share", type=float, default=1.0, help="of the inputs of a whole run")
    fuzz.add_argument("--seed", type=int, default=1)
    fuzz.add_argument("--only", metavar="NAME,NAME", help="these targets; 'sockets' for the real ones")
    chaos = commands.add_parser("chaos", help="faults under the load of 200 clients")
    chaos.add_argument("--rounds", type=int, default=None, help="of each fault (10)")
    chaos.add_argument("--seed", type=int, default=1)
    chaos.add_argument("--only", metavar="NAME,NAME", help="these faults; torn, endings")
    home = commands.add_parser("home", help="faults in a home of several panels on one Redis")
    home.add_argument("--rounds", type=int, default=None, help="of each fault (10)")
    home.add_argument("--seed", type=int, default=1)
    home.add_argument("--only", metavar="NAME,NAME", help="these faults")
    commands.add_parser("ha", help="a real Home Assistant, with all that people do and all that fails")
    commands.add_parser("pythons", help="the client and the panel on each Python that is here")
    soak = commands.add_parser("soak", help="clients that come and go, for SOAK_MINUTES (30)")
    soak.add_argument("--seed", type=int, default=1)
    schema = commands.add_parser("schema", help="the REST face, held against its OpenAPI document")
    schema.add_argument("--examples", type=int, default=None, help="requests of each operation")
    commands.add_parser("report", help="the page anew from campaigns/results.json")
    return parser.parse_args()


def _names(only: str | None) -> set[str] | None:
    return set(only.split(",")) if only else None


def _fuzz(options: argparse.Namespace) -> tuple[bool, bool]:
    from campaigns.fuzz.run import run

    found = run(options.share, options.seed, _names(options.only))
    clean = not any("finding" in target for target in found["targets"].values())
    whole = options.only is None and options.share >= 1
    if whole:
        report.keep("fuzz", found)
    for name, target in found["targets"].items():
        if "finding" in target:
            print(f"{name}: {target['finding']['input']}\n{target['finding']['what']}", file=sys.stderr)
    return whole, clean


def _schema(options: argparse.Namespace) -> tuple[bool, bool]:
    from campaigns.schema import EXAMPLES, run

    found = run(options.examples or EXAMPLES)
    whole = options.examples is None
    if whole:
        report.keep("schema", found)
    for of in found["servers"].values():
        print(of["said"], *of["complaints"], sep="\n", file=sys.stderr)
    return whole, not any(of["failures"] or of["complaints"] for of in found["servers"].values())


def _chaos(options: argparse.Namespace) -> tuple[bool, bool]:
    import uvloop

    from campaigns import chaos

    found = uvloop.run(chaos.run(options.seed, options.rounds or chaos.ROUNDS, _names(options.only)))
    whole = options.only is None and options.rounds is None
    if whole:
        report.keep("chaos", found)
    wrong = report.wrong_in_chaos(found)
    print(*wrong, *found["notes"], sep="\n", file=sys.stderr)
    return whole, not wrong


def _home(options: argparse.Namespace) -> tuple[bool, bool]:
    import asyncio

    from campaigns import home

    found = asyncio.run(home.run(options.seed, options.rounds or home.ROUNDS, _names(options.only)))
    whole = options.only is None and options.rounds is None
    if whole:
        report.keep("home", found)
    wrong = [f"{name}: {line}" for name, fault in found["faults"].items() for line in fault["wrong"]]
    print(*wrong, sep="\n", file=sys.stderr)
    return whole, not wrong


def _ha(options: argparse.Namespace) -> tuple[bool, bool]:
    import asyncio

    from campaigns.home_assistant import instance, run

    python = instance.interpreter()
    if python is None:
        print(
            f"There is no Home Assistant here, and none can be installed: it needs Python {instance.PYTHON} and PyPI. "
            "Name a Python that has it with HA_PYTHON. Nothing was tried.",
            file=sys.stderr,
        )
        sys.exit(0)
    found = asyncio.run(run.run(python))
    report.keep("ha" if found["version"].startswith(instance.VERSION) else "ha_newest", found)
    print(*found["wrong"], sep="\n", file=sys.stderr)
    return True, not found["wrong"]


def _soak(options: argparse.Namespace) -> tuple[bool, bool]:
    import uvloop

    from campaigns import soak

    minutes = float(os.environ.get("SOAK_MINUTES") or soak.MINUTES)
    found = uvloop.run(soak.run(minutes, options.seed))
    whole = minutes >= soak.MINUTES
    if whole:
        report.keep("soak", found)
    print(json.dumps({name: value for name, value in found.items() if name != "series"}))
    return whole, soak.is_good(found)


def _pythons(options: argparse.Namespace) -> tuple[bool, bool]:
    from campaigns import pythons

    found = pythons.run()
    report.keep("pythons", found)
    return True, pythons.is_good(found)


CAMPAIGNS = {
    "chaos": _chaos,
    "fuzz": _fuzz,
    "ha": _ha,
    "home": _home,
    "pythons": _pythons,
    "schema": _schema,
    "soak": _soak,
}

if __name__ == "__main__":
    os.chdir(report.ROOT)
    sys.exit(main())
