"""A light driver on the pigpiod stand-in, and an observer of its lights."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from asgi_app.core.lights import Drive
from asgi_app.hw.driver import LightDriver
from asgi_app.hw.pins import Address, PigpioPins, Pin, Pins, PinsName
from asgi_app.models.lights import LightSpec
from tests.support.pigpio_board import HOST
from tests.support.pigpiod_standin import StandIn

LED = {"led": LightSpec(pin=21)}


SOON = 30.0  # seconds, for what needs less than one on a machine at rest


@dataclass(frozen=True)
class Note:
    """One thing the driver said."""

    kind: str
    light: str
    value: Any = None


class Watcher:
    """An observer that writes down what the driver says, and lets a test await it."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self._news = asyncio.Event()

    def light_moved(self, id: str, actual: float) -> None:
        self._note(Note("moved", id, actual))

    def light_settled(self, id: str) -> None:
        self._note(Note("settled", id))

    def light_set_outside(self, id: str, level: float) -> None:
        self._note(Note("outside", id, level))

    def light_offline(self, id: str, reason: str) -> None:
        self._note(Note("offline", id, reason))

    def light_online(self, id: str) -> None:
        self._note(Note("online", id))

    def _note(self, note: Note) -> None:
        self.notes.append(note)
        self._news.set()

    def forget(self) -> None:
        self.notes.clear()

    def all(self, kind: str) -> list[Note]:
        return [note for note in self.notes if note.kind == kind]

    async def next(self, kind: str, light: str = "led", count: int = 1) -> Note:
        """The `count`-th note of this kind about the light since the last `forget`."""
        async with asyncio.timeout(SOON):
            while len(found := [note for note in self.all(kind) if note.light == light]) < count:
                self._news.clear()
                await self._news.wait()
        return found[count - 1]


@asynccontextmanager
async def driving(
    pins: Pins, watcher: Watcher, specs: Mapping[str, LightSpec] = LED, first: int = 50
) -> AsyncIterator[LightDriver]:
    """A driver at work, whose lights start at `first` percent."""
    driver = LightDriver(pins, specs, {id: Drive(first) for id in specs})
    await driver.start(watcher)
    try:
        yield driver
    finally:
        await driver.close()


def of(daemon: StandIn) -> PigpioPins:
    return PigpioPins(Address(HOST, daemon.port))


async def duty(daemon: StandIn, gpio: int = 21) -> float | None:
    """The duty that the daemon gives the pin; asked without stopping the driver meanwhile."""
    return await asyncio.to_thread(daemon.duty, gpio)


class Bench:
    """Pins of no hardware: every write is kept, and can be made slow or made to fail."""

    name: PinsName = "mock"

    def __init__(self, *, shared: bool = False, quick: bool = False, seconds: float = 0.0) -> None:
        self.shared = shared
        self.quick = quick
        self.seconds = seconds  # that each call takes
        self.fault: Exception | None = None
        self.writes: list[float] = []
        self.shows = 0.0
        self.reads = 0
        self.writing = threading.Event()  # a write has begun

    def connect(self) -> None: ...

    def claim(self, spec: LightSpec) -> Pin:
        return self

    def drop(self) -> None: ...

    def write(self, duty: float) -> None:
        self.writing.set()
        time.sleep(self.seconds)
        if self.fault is not None:
            raise self.fault
        self.shows = duty
        self.writes.append(duty)

    def read(self) -> float:
        self.reads += 1
        return self.shows
