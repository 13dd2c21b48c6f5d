"""A panel whose pins a test holds in its hand."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from asgi_app.core.lights import Drive, first_light
from asgi_app.errors import LightOffline
from asgi_app.hub import Message
from asgi_app.models.base import Actor
from asgi_app.models.lights import Hardware, LightSettings, LightSpec
from asgi_app.models.wire import Reply, parse_command
from asgi_app.service import Panel
from asgi_app.service.lights import Driver, Lights

ANN = Actor(name="Ann", via="live")


BOB = Actor(name="Bob", via="rest")


SOON = 30.0  # seconds, for what needs none


class Pins:
    """A driver whose writes take until they are let through, and fail while `reason` says why."""

    is_quick = False

    def __init__(self) -> None:
        self.drives: list[tuple[str, Drive]] = []
        self.reason: str | None = None
        self.fault: Exception | None = None
        self.writing = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()

    def hold(self) -> None:
        """From now on a write takes until `let_go`."""
        self._open.clear()

    def let_go(self) -> None:
        self._open.set()

    async def drive(self, light: str, drive: Drive) -> None:
        self.drives.append((light, drive))
        self.writing.set()
        await self._open.wait()
        self.writing.clear()
        if self.fault is not None:
            raise self.fault
        if self.reason is not None:
            raise LightOffline(f"the light {light} is offline: {self.reason}", field="light")


class Kept(list[tuple[str, LightSettings]]):
    """What the panel wanted to be remembered."""

    def save(self, light: str, settings: LightSettings) -> None:
        self.append((light, settings))


def with_lights(panel: Panel, driver: Driver, specs: dict[str, LightSpec], **options: Any) -> Lights:
    """The lights of a panel, as they start."""
    first = {id: first_light(id, spec, None, 0.0) for id, spec in specs.items()}
    return Lights(panel, driver, specs, first, **options)


class Bench:
    """A panel of two lights and its pins."""

    specs: ClassVar = {"led": LightSpec(pin=21), "desk": LightSpec(pin=12)}

    def __init__(self, **options: Any) -> None:
        self.pins = Pins()
        self.kept = Kept()
        self.panel = Panel(Hardware(pins="mock", why="a test"), **options)
        self.lights = with_lights(self.panel, self.pins, self.specs, save=self.kept.save)
        for light in self.specs:
            self.lights.light_online(light)
        self.first = self.panel.rev

    async def ask(self, actor: Actor = ANN, **command: Any) -> Reply:
        parsed = parse_command({"do": "set_light", "light": "led", **command})
        return await asyncio.wait_for(self.panel.ask(actor, parsed), SOON)

    def asking(self, actor: Actor = ANN, **command: Any) -> asyncio.Task[Reply]:
        return asyncio.create_task(self.ask(actor, **command))

    @property
    def level(self) -> int:
        return self.panel.light("led").target


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(5):
        await asyncio.sleep(0)


def levels(messages: list[Message]) -> list[tuple[int, int]]:
    """The rev and level of each event."""
    return [(message.rev, message.data["state"]["target"]) for message in messages]


async def heard(subscriber: Any) -> list[Message]:
    async with asyncio.timeout(SOON):
        return await subscriber.outbox.take()
