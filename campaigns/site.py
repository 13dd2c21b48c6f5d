"""The panel under test: its process, its pins, its load, and the questions that are asked after each fault."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from campaigns.clients import LOBBY, Way
from campaigns.crowds import NEW
from campaigns.load import Load
from tests.support.panel_process import ROOT, RunningPanel
from tests.support.pigpio_board import HOST
from tests.support.pigpiod_standin import StandIn

EXIT_LEVEL = 7  # percent
LIGHTS = f'[lights.led]\npin = 21\nexit = {EXIT_LEVEL}\n[lights.shelf]\npin = 13\nexit = "keep"\n'
RECOVERY = 30.0  # seconds after which a client that is not back, or not right, counts as wrong
LOOK = 0.01  # seconds between two looks


@dataclass
class Round:
    """One fault and what came of it; times in seconds."""

    recovered: float | None = None
    lost: int = 0
    twice: int = 0
    wrong_levels: int = 0
    others: list[float] = field(default_factory=list)  # round trips of who was connected, while it lasted
    newcomers: list[float] = field(default_factory=list)  # requests on connections of their own, while it lasted
    notes: dict[str, float] = field(default_factory=dict)  # what this fault measures beside
    wrong: list[str] = field(default_factory=list)  # what should not have been


class Site:
    """Everything a fault needs."""

    def __init__(self, panel: RunningPanel, pins: StandIn, load: Load, seed: int) -> None:
        self.panel = panel
        self.pins = pins
        self.load = load
        self.chance = random.Random(seed)
        self._hand = Hand(load.way)
        self._history: Counter[str] = Counter()
        self._upto = 0
        self.probe = Probe()
        self.victims_way = load.way  # how those get there whose network is taken away

    @property
    def way(self) -> Way:
        return self.load.way

    async def start(self) -> None:
        """Start the panel, again or for the first time."""
        await asyncio.to_thread(self.panel.start)

    async def everybody(self, level: int | None = None, timeout: float = RECOVERY) -> bool:
        """Wait until all clients are there, and show this level (percent); False where that does not come."""
        end = time.monotonic() + timeout
        while self.load.missing(level):
            if time.monotonic() > end:
                return False
            await asyncio.sleep(LOOK)
        return True

    async def settled(self, began: float, round: Round, *, restarted: bool = False) -> None:
        """After a fault: a level is set as soon as that can be done, and all must show it; then the books are checked.

        `began` is from when the time to recover counts.
        """
        if restarted:
            level = await self._hand.look()
            if level not in self._hand.allowed:
                round.wrong_levels += 1
                round.wrong.append(f"{level} % after the start, and {sorted(self._hand.allowed)} was promised")
        level = await self._hand.move(self.chance)
        if await self.everybody(level):
            round.recovered = time.monotonic() - began
        missing = self.load.missing(level)
        round.wrong_levels += len(missing)
        round.wrong += [f"{client.name}: up {client.up}, shows {client.level}, not {level}" for client in missing[:5]]
        await self._check_books(round)

    async def _check_books(self, round: Round) -> None:
        """Every acknowledged message is in the history, once, as it was acknowledged."""
        acknowledged = set(self.load.ledger.acknowledged)
        async with self.way.session() as session:
            while True:
                url = self.way.url(f"/chat/rooms/{LOBBY}/messages?after={self._upto}&limit=200")
                async with session.get(url) as response:
                    page = await response.json(content_type=None)
                messages = page.get("messages", [])
                self._history.update(message["client_id"] for message in messages if message["client_id"])
                for message in messages:
                    promised = self.load.ledger.acknowledged.get(message["client_id"])
                    if promised is not None and promised != message:
                        round.wrong.append(f"{message} was acknowledged as {promised}")
                if messages:
                    if messages[0]["n"] != self._upto + 1:
                        round.wrong.append(f"a hole in the history before {messages[0]['n']}")
                    self._upto = messages[-1]["n"]
                if not page.get("more"):
                    break
        round.lost = len(acknowledged - self._history.keys())
        round.twice = sum(count - 1 for count in self._history.values()) + self.load.ledger.seen_twice
        self.load.ledger.seen_twice = 0

    async def promise(self) -> None:
        """Set a level, so that the one after the fault can be held against it."""
        await self._hand.move(self.chance)


class Probe:
    """One more client, in a process of its own, that measures round trips all the time (`crowds.probe`)."""

    def __init__(self) -> None:
        self.samples: list[tuple[float, float, str]] = []  # when it was answered, how long that took, on which wire
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self, front: list[str], way: Way) -> None:
        """Begin to measure."""
        command = [*front, sys.executable, "-m", "campaigns.crowds", "probe", way.host, str(way.port)]
        self._process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            at, took, wire = line.decode().split(maxsplit=2)
            self.samples.append((float(at), float(took), wire.strip()))

    def between(self, start: float, end: float) -> tuple[list[float], list[float]]:
        """The round trips of that time, as far as they are done: on a connection, and on new ones."""
        samples = [(took, wire) for at, took, wire in self.samples if at >= start and at - took <= end]
        return [took for took, wire in samples if wire != NEW], [took for took, wire in samples if wire == NEW]

    async def caught_up(self, since: float) -> None:
        """Wait until it has measured something that began after that moment."""
        end = time.monotonic() + RECOVERY
        while not any(at - took >= since for at, took, _ in self.samples[-9:]) and time.monotonic() < end:
            await asyncio.sleep(LOOK)

    async def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
        if self._reading is not None:
            await self._reading


class Hand:
    """Sets the light `led` over REST, and keeps which levels may hold now."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self.allowed: set[int] = set()

    async def look(self) -> int:
        """The level, as soon as it can be had."""
        return int((await self._asked("GET", None))["level"])

    async def move(self, chance: random.Random) -> int:
        """Set another level, as soon as that can be done."""
        level = chance.choice([level for level in range(10, 100) if level not in self.allowed])
        self.allowed.add(level)  # from now on it may hold, whether that is answered or not
        await self._asked("POST", {"level": level})
        self.allowed = {level}
        return level

    async def _asked(self, method: str, body: Any) -> Any:
        end = time.monotonic() + RECOVERY
        async with self._way.session() as session:
            while True:
                try:
                    async with session.request(method, self._way.url("/led"), json=body) as response:
                        answer = await response.json(content_type=None)
                        if response.status == 200:
                            return answer
                except (aiohttp.ClientError, OSError, ValueError):
                    pass
                if time.monotonic() > end:
                    raise RuntimeError(f"the panel does not take a level:\n{method} {body}")
                await asyncio.sleep(LOOK)


def pins_at(pins: StandIn) -> dict[str, Any]:
    """The settings of a panel on these pins."""
    return {"pins": "pigpio", "pigpio_host": HOST, "pigpio_port": pins.port}
