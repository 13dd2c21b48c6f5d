"""The chaos campaign: each fault ten times under load, and after each one the books are checked."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from campaigns import faults
from campaigns.clients import Way
from campaigns.endings import endings
from campaigns.faults import FAKETIME, FAULTS, Fault
from campaigns.load import Load
from campaigns.networks import Networks, can_be_had
from campaigns.report import ROOT
from campaigns.site import LIGHTS, Round, Site, pins_at
from campaigns.torn import torn_files
from tests.support.panel_process import RunningPanel
from tests.support.pigpiod_standin import StandIn

ROUNDS = 10
CLIENTS = 200
DEADLINE = 20 * 60.0  # seconds for the whole campaign
QUIET = 0.5  # seconds between two faults

Found = dict[str, Any]


async def run(seed: int, rounds: int, only: set[str] | None) -> Found:
    """The whole campaign, or some faults of it; what was found."""
    began = time.monotonic()
    found: Found = {"seed": seed, "clients": CLIENTS, "faults": {}, "notes": []}
    for number, fault in enumerate(FAULTS):
        if only is not None and fault.name not in only:
            continue
        if why := _cannot(fault):
            found["notes"].append(f"{fault.what}: left out, {why}")
            continue
        print(f"{fault.name}: {fault.what}", flush=True)
        done = await _rounds(fault, seed + number, rounds, began + DEADLINE)
        found["faults"][fault.name] = summary(fault, done)
        if len(done) < rounds:
            found["notes"].append(f"{fault.what}: {len(done)} rounds, the time of the campaign was over")
        print(f"  {found['faults'][fault.name]}", flush=True)
    if only is None or "torn" in only:
        found["torn"] = await asyncio.to_thread(torn_files, seed)
        print(f"torn: {found['torn']}", flush=True)
    if only is None or "endings" in only:
        found["endings"] = await endings(3)
        print(f"endings: {found['endings']}", flush=True)
    return {**found, "seconds": time.monotonic() - began}


def _cannot(fault: Fault) -> str:
    """Why it cannot be injected here."""
    if fault.where == "networks" and not can_be_had():
        return "it takes root and `ip` to make a network"
    if fault.where == "faketime" and not FAKETIME:
        return "there is no libfaketime (Debian package libfaketime)"
    return ""


async def _rounds(fault: Fault, seed: int, rounds: int, deadline: float) -> list[Round]:
    done: list[Round] = []
    async with _site(fault, seed) as site:
        if not await site.everybody():
            raise RuntimeError(f"the load did not connect: {site.load.missing()[:5]}\n{site.panel.log()[-2000:]}")
        for _ in range(rounds):
            if time.monotonic() > deadline:
                break
            done.append(await _round(fault, site))
    return done


async def _round(fault: Fault, site: Site) -> Round:
    round = Round()
    await site.promise()
    await asyncio.sleep(QUIET)
    logged = len(site.panel.output)
    start = time.monotonic()
    began = await fault.inject(site, round)
    await site.settled(began, round, restarted=fault.restarts)
    if not fault.restarts:
        await site.probe.caught_up(began + faults.TAIL)
        round.others, round.newcomers = site.probe.between(start, began + faults.TAIL)
    log = site.panel.output[logged:]  # a full disk is an error in it, and rightly
    if traces := [number for number, line in enumerate(log) if "Traceback" in line]:
        trace = "".join(log[traces[0] : traces[0] + 40]).replace(f"{ROOT}/", "")
        round.wrong.append(f"a traceback in the panel's log:\n{trace}")
    return round


@contextlib.asynccontextmanager
async def _site(fault: Fault, seed: int) -> AsyncIterator[Site]:
    """A panel, its pins and its load, as the fault needs them."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pilotlight-chaos-")))
        pins = stack.enter_context(StandIn())
        within: list[str] = []
        more: dict[str, Any] = {}
        networks: Networks | None = None
        if fault.where == "networks":
            networks = stack.enter_context(faults.networks())
            within = networks.front
            more = {"host": "0.0.0.0", "address": Networks.address(0), "role_network": "operator"}
        if fault.where == "faketime":
            within = _with_a_clock(directory / "data")
        of_pins = pins_at(pins) if networks is None else {"pins": "mock"}  # the stand-in is in another network
        panel = RunningPanel(
            directory / "data", within=within, lights=LIGHTS, chat_rate=1e6, keep_messages=10**6,
            log_level="warning", **of_pins, **fault.settings, **more,
        )  # fmt: skip
        stack.callback(panel.kill)
        await asyncio.to_thread(panel.start)
        way = Way(panel.address, panel.port, networks.sockets if networks else None)
        async with Load(way, CLIENTS) as load:
            site = Site(panel, pins, load, seed)
            if networks is not None:
                site.victims_way = Way(Networks.address(1), panel.port, networks.sockets)
            await site.probe.start(networks.clients_front if networks else [], way)
            try:
                yield site
            finally:
                await site.probe.close()


def _with_a_clock(data: Path) -> list[str]:
    """What puts a panel behind a clock that a file sets."""
    clock = faults.clock_file(data)
    clock.write_text("+0")
    words = [f"LD_PRELOAD={FAKETIME[0]}", f"FAKETIME_TIMESTAMP_FILE={clock}", "FAKETIME_CACHE_DURATION=1"]
    # The second one: else libfaketime spoils the waits of Python's threads, and the panel is slow without any fault.
    words += ["FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_FORCE_MONOTONIC_FIX=0"]
    return [str(shutil.which("env")), *words]


def summary(fault: Fault, done: list[Round]) -> Found:
    """The rounds of a fault, in figures."""
    recovered = [round.recovered for round in done if round.recovered is not None]
    others = sorted(took for round in done for took in round.others)
    newcomers = sorted(took for round in done for took in round.newcomers)
    names = dict.fromkeys(name for round in done for name in round.notes)
    notes = {name: [round.notes[name] for round in done if name in round.notes] for name in names}
    return {
        "what": fault.what,
        "rounds": len(done),
        "lost": sum(round.lost for round in done),
        "twice": sum(round.twice for round in done),
        "wrong_levels": sum(round.wrong_levels for round in done),
        "recovered_median": statistics.median(recovered) if recovered else None,
        "recovered_max": max(recovered, default=None),
        "others_median": others[len(others) // 2] if others else None,
        "others_p99": others[int(len(others) * 0.99)] if others else None,
        "others_max": others[-1] if others else None,
        "newcomers_median": newcomers[len(newcomers) // 2] if newcomers else None,
        "newcomers_max": newcomers[-1] if newcomers else None,
        "notes": {name: [statistics.median(values), max(values)] for name, values in notes.items()},
        "wrong": [line for round in done for line in round.wrong][:10],
    }
