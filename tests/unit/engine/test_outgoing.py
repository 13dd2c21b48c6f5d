"""What a process has still to tell its engine when one of its lights goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from asgi_app.core.lights import START, Drive, first_light
from asgi_app.engine.link import Link, Lost
from asgi_app.engine.mirror import Mirror
from asgi_app.engine.outgoing import Outgoing
from asgi_app.engine.picture import Change, Picture
from asgi_app.models.base import Actor
from asgi_app.models.light_setup import LightRemoved
from asgi_app.models.lights import Hardware, LightActual, LightChanged, LightFlashed, LightResult, LightSpec, SetLight
from asgi_app.models.wire import StateEvent
from asgi_app.service import Panel
from asgi_app.service.lights import Lights
from asgi_app.service.panel import Asker

LED = first_light("hall.led", LightSpec(pin=5), None, 0.0).model_copy(update={"online": True, "reason": None})
ANN = Actor(name="Ann", via="live")
WHO = {"light": LED.id, "by": START, "at": 0.0}
ACTUAL, FLASHED, REMOVED = LightActual(actual=1, **WHO), LightFlashed(times=1, **WHO), LightRemoved(**WHO)
CHANGED = LightChanged(state=LED, **WHO)


@pytest.mark.parametrize("before", [ACTUAL, FLASHED, CHANGED])
async def test_nothing_of_a_light_is_told_after_its_removal(before: StateEvent) -> None:
    outgoing, done = Outgoing(), list[str]()
    outgoing.add(ACTUAL, None)
    await outgoing.take()  # the next one waits
    outgoing.add(before, lambda: done.append("before"), Asker("ada", "1"))
    outgoing.add(REMOVED, lambda: done.append("removed"))
    [unsent] = await outgoing.take()
    assert (unsent.event, unsent.askers) == (REMOVED, [])  # nobody is answered with a light that has gone
    for call in [*unsent.done, *outgoing.drop()]:
        call()
    assert sorted(done) == ["before", "removed"]


class Pins:
    is_quick = True

    async def drive(self, light: str, drive: Drive) -> None:
        """They take everything."""


class SlowLink(Link):
    """A link that numbers events when it is let."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.rev = 0
        self.sent: list[Change] = []

    async def commit(self, changes: Sequence[Change], *, resync: bool = False) -> int:
        await self.go.wait()
        self.sent += changes
        self.rev += len(changes)
        return self.rev


@asynccontextmanager
async def sending(mirror: Mirror, link: SlowLink) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(mirror.send(link))
    yield task
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def nothing() -> None:
    """The pin is let go."""


@pytest.mark.parametrize("is_sent", [True, False])
@pytest.mark.parametrize("command", [{"level": 70}, {"flash": 1}])
async def test_a_command_is_answered_though_its_light_goes_before_it_has_a_number(
    is_sent: bool, command: dict[str, int]
) -> None:
    panel, link = Panel(Hardware(pins="mock", why="a test"), node="hall"), SlowLink()
    lights = Lights(panel, Pins(), {}, {LED.id: LED})
    mirror = Mirror(panel, lights, is_keeper=False)
    mirror.adopt(Picture("e", 0, {LED.id: LED}, {}, []))
    async with sending(mirror, link) as task:
        asked = SetLight(light=LED.id, **command)
        asking: asyncio.Task[LightResult] = asyncio.create_task(lights.carry_out(ANN, asked, asker=Asker("ada", "1")))
        while lights.own[LED.id].by != ANN and "flash" not in command:
            await asyncio.sleep(0)
        for _ in range(5 if is_sent else 1):
            await asyncio.sleep(0)
        await lights.remove(ANN, LED.id, nothing)
        link.go.set()
        result = await asyncio.wait_for(asking, 5)
        assert (result.light.id, result.light.level) == (LED.id, command.get("level", LED.level))
        while panel.rev < link.rev or LED.id in panel.state.lights:
            await asyncio.sleep(0)
        assert not task.done()
    assert all(change.state or not change.askers for change in link.sent)
    assert link.sent[-1].state == ""


async def test_whoever_waits_for_a_number_is_told_though_an_event_cannot_be_applied() -> None:
    panel, link = Panel(Hardware(pins="mock", why="a test")), SlowLink()
    mirror = Mirror(panel, Lights(panel, Pins(), {}, {}), is_keeper=False)
    mirror.adopt(Picture("e", 0, {}, {}, []))
    told = asyncio.Event()
    panel.commit(ACTUAL, told.set, Asker("ada", "1"))  # of a light that is not there
    link.go.set()
    with pytest.raises(KeyError):
        await mirror.send(link)
    mirror.isolate(str(Lost("there was an error")))
    assert told.is_set()
