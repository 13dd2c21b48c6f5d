"""The soak campaign: clients of all kinds come and go for a long time, and nothing of them may stay."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from campaigns.clients import Way
from campaigns.load import Load
from campaigns.site import LIGHTS, Round, Site, pins_at
from tests.support.panel_process import RunningPanel
from tests.support.pigpiod_standin import StandIn

CLIENTS = 300
FIRST = 10
MINUTES = 30.0
STAY = 20.0  # seconds a client stays, on average, before another one of its kind comes
WARM_UP = 0.2  # share of the time, at most `WARM_UP_MINUTES`
WARM_UP_MINUTES = 5.0
EVERY = 2.0  # seconds between two looks
AT_MOST = 2.0  # MB an hour
SPARE = 20  # files and tasks more in the second half than in the first, on average: as many as come and go in a second
LEFT = 2  # files, tasks and threads more at the end than at the start

Found = dict[str, Any]


@dataclass
class Look:
    """The panel at one moment."""

    at: float  # seconds since the start
    rss: float  # MB
    files: int
    threads: int
    tasks: int


async def run(minutes: float, seed: int) -> Found:
    """Soak it; what was found."""
    began = time.monotonic()
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="pilotlight-soak-") as directory, StandIn() as pins:
        panel = RunningPanel(
            Path(directory, "data"),
            lights=LIGHTS,
            log_level="warning",
            chat_rate=1e6,
            keep_messages=10**6,
            **pins_at(pins),
        )
        await asyncio.to_thread(panel.start)

        async def look() -> Look:
            """The panel now."""
            tasks = int((await asyncio.to_thread(panel.metrics))["pilotlight_tasks", ""])
            process, at = panel.process, time.monotonic() - began
            return Look(at, process.memory_info().rss / 2**20, process.num_fds(), process.num_threads(), tasks)

        try:
            way = Way("127.0.0.1", panel.port)
            await _first_visit(way)
            before = await look()
            async with Load(way, CLIENTS) as load:
                site = Site(panel, pins, load, seed)
                coming_and_going = asyncio.create_task(_come_and_go(load, chance))
                looks = await _watch(look, minutes)
                coming_and_going.cancel()
                await asyncio.gather(coming_and_going, return_exceptions=True)
                round = Round()
                await site.settled(time.monotonic(), round)
                came, answers = CLIENTS + load.replaced, load.ledger.answers
                acknowledged, refusals = len(load.ledger.acknowledged), load.ledger.refusals
            after = await _emptied(look, before)
            complaints = panel.complaints()
        finally:
            panel.kill()
    return {
        **summary(looks, minutes),
        "clients": CLIENTS,
        "came": came,
        "answers": answers,
        "acknowledged": acknowledged,
        "refusals": refusals,
        "left": {what: [getattr(before, what), getattr(after, what)] for what in ("files", "tasks", "threads")},
        "wrong": [*round.wrong, *complaints],
        "lost": round.lost,
        "twice": round.twice,
        "seconds": time.monotonic() - began,
    }


async def _first_visit(way: Way) -> None:
    """Clients of each kind come and go: what is begun for the first of them stays, and is not theirs."""
    async with Load(way, FIRST) as load:
        while load.missing():
            await asyncio.sleep(0.05)
    await asyncio.sleep(2.0)


async def _watch(look: Callable[[], Awaitable[Look]], minutes: float) -> list[Look]:
    looks = [await look()]
    while looks[-1].at < minutes * 60:
        await asyncio.sleep(EVERY)
        looks.append(await look())
    return looks


async def _come_and_go(load: Load, chance: random.Random) -> None:
    """Again and again one client leaves, some without a word, and another one of its kind comes under the same name."""
    while True:
        await asyncio.sleep(chance.expovariate(CLIENTS / STAY))
        load.replace(chance.randrange(CLIENTS))


async def _emptied(look: Callable[[], Awaitable[Look]], before: Look) -> Look:
    """The panel when everybody has gone; a poller that says nothing is given up after 45 s (Engine.IO's timeout)."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        await asyncio.sleep(1.0)
        now = await look()
        if now.files <= before.files + LEFT and now.tasks <= before.tasks + LEFT:
            break
    return now


def summary(looks: list[Look], minutes: float) -> Found:
    """The slope of the memory (least squares) after the warm-up, and how flat the rest is."""
    warm = min(WARM_UP * minutes, WARM_UP_MINUTES) * 60
    counted = [one for one in looks if one.at >= warm]
    slope = slope_of([one.at / 3600 for one in counted], [one.rss for one in counted])
    half = len(counted) // 2
    return {
        "minutes": minutes,
        "warm_up": warm,
        "slope": slope,
        "rss": [min(one.rss for one in counted), max(one.rss for one in counted)],
        "halves": {
            what: [_mean([getattr(one, what) for one in part]) for part in (counted[:half], counted[half:])]
            for what in ("files", "tasks", "threads")
        },
        "series": [[round(one.at), round(one.rss, 2), one.files] for one in looks[:: max(1, len(looks) // 60)]],
    }


def is_good(found: Found) -> bool:
    """Whether nothing grew, and nothing was lost."""
    flat = all(second - first <= SPARE for first, second in found["halves"].values())
    gone = all(after <= before + LEFT for before, after in found["left"].values())
    return bool(found["slope"] < AT_MOST and flat and gone and not (found["wrong"] or found["lost"] or found["twice"]))


def slope_of(x: list[float], y: list[float]) -> float:
    """The linear fit's slope."""
    mean_x, mean_y = _mean(x), _mean(y)
    spread = sum((one - mean_x) ** 2 for one in x)
    return sum((one - mean_x) * (other - mean_y) for one, other in zip(x, y, strict=True)) / spread if spread else 0.0


def _mean(values: list[Any]) -> float:
    return sum(values) / len(values)
