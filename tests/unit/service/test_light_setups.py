"""Lights that are set up anew while commands come: pins that are exchanged, and the light of old clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from asgi_app.core import lights as rules
from asgi_app.hw.driver import LightDriver
from asgi_app.hw.pins import MockPins, Pin
from asgi_app.models.light_setup import LightRemoved, NewLight
from asgi_app.models.lights import Hardware, LightChanged, LightSpec
from asgi_app.models.wire import Reply, parse_command
from asgi_app.service import Panel
from asgi_app.service.light_setup import LightSetups
from asgi_app.settings import Settings
from asgi_app.store import own_lights
from tests.support.service_bench import ANN, SOON, heard, with_lights

SLOW = 0.02  # seconds, of each call


class SlowPins(MockPins):
    """Simulated pins that take as long as those of a daemon."""

    quick = False

    def claim(self, spec: LightSpec) -> Pin:
        time.sleep(SLOW)
        return super().claim(spec)

    def release(self, pin: Pin) -> None:
        time.sleep(SLOW)
        super().release(pin)


class House:
    """A panel with the lights `led` and `desk`, which its settings do not name."""

    def __init__(self, data: Path, pins: MockPins) -> None:
        self.data = data
        self.specs = {"led": LightSpec(pin=21), "desk": LightSpec(pin=17)}
        self.panel = Panel(Hardware(pins="mock", why="a test"))
        first = {id: rules.first_light(id, spec, None, 0.0) for id, spec in self.specs.items()}
        self.driver = LightDriver(pins, self.specs, {id: rules.drive_of(light) for id, light in first.items()})
        self.lights = with_lights(self.panel, self.driver, self.specs)
        self.setups = LightSetups(self.panel, self.lights, self.driver, self.specs, Settings(data=data), time.time)

    async def do(self, do: str, **fields: Any) -> Reply:
        return await asyncio.wait_for(self.panel.ask(ANN, parse_command({"do": do, **fields})), SOON)

    async def have(self, **pins: int) -> list[Any]:
        """Import lights with these pins. Return the events of that."""
        with self.panel.session(ANN) as session:
            await self.setups.replace(ANN, [NewLight(id=id, pin=pin) for id, pin in pins.items()])
            self.panel.coalescer.flush()
            return [message.event for message in await heard(session)]


@pytest.fixture(params=[MockPins, SlowPins])
async def house(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    house = House(tmp_path, request.param())
    await house.driver.start(house.lights)
    yield house
    await house.driver.close()


@pytest.mark.parametrize("change", [{"pin": 18}, {"frequency": 500}, {"active_high": False}, {"gamma": 2.0}])
async def test_no_command_fails_while_a_light_is_set_up_anew(house: House, change: dict[str, Any]) -> None:
    changing = asyncio.create_task(house.do("change_light", light="led", **change))
    replies = []
    while not changing.done():
        replies.append(await house.do("set_light", light="led", level=len(replies) % 100 + 1))
        await asyncio.sleep(SLOW / 10)
    reply = await house.do("set_light", light="led", level=30)
    assert [one.problem for one in (await changing, *replies, reply)] == [None] * (len(replies) + 2)
    assert {name: getattr(house.specs["led"], name) for name in change} == change
    light = house.panel.light("led")
    assert (light.level, light.actual, light.online, light.pin) == (30, 30.0, True, house.specs["led"].pin)


async def test_what_is_asked_during_an_exchange_waits_for_the_new_pin(house: House) -> None:
    changing = asyncio.create_task(house.have(led=17, desk=21))
    while not changing.done():
        commands = [house.do("set_light", light=id, step=1) for id in ("led", "desk")]
        assert [reply.problem for reply in await asyncio.gather(*commands)] == [None, None]
        await asyncio.sleep(SLOW / 10)
    await changing
    assert {id: house.panel.light(id).pin for id in house.specs} == {"led": 17, "desk": 21}


@pytest.mark.parametrize("after", [0.0, 0.5, 1.5, 2.5])  # calls of the pins
async def test_a_change_whose_asker_goes_away_is_done_to_its_end(house: House, after: float) -> None:
    changing = asyncio.create_task(house.do("change_light", light="led", pin=18))
    await asyncio.sleep(after * SLOW)
    changing.cancel()
    await asyncio.gather(changing, return_exceptions=True)
    assert (await house.do("change_light", light="led", name="Lamp")).ok
    assert (await house.do("set_light", light="led", level=30)).ok
    light = house.panel.light("led")
    assert (light.pin, light.name, light.actual, light.online) == (house.specs["led"].pin, "Lamp", 30.0, True)


async def test_a_fade_ends_when_the_pin_is_taken_anew(house: House) -> None:
    await house.do("set_light", light="led", level=90, transition=3600)
    assert (await house.do("change_light", light="led", pin=18)).ok
    light = house.panel.light("led")
    assert (light.target, light.actual, light.transition) == (90, 90.0, None)


@pytest.mark.parametrize(
    "pins",
    [
        {"led": 17, "desk": 21},
        {"desk": 21, "led": 17},
        {"led": 17, "desk": 18},
        {"led": 4, "desk": 21, "new": 17},
    ],
)
async def test_lights_that_exchange_their_pins_are_the_same_lights(house: House, pins: dict[str, int]) -> None:
    for id, level in (("led", 80), ("desk", 40)):
        assert (await house.do("set_light", light=id, level=level)).ok
    events = await house.have(**pins)
    assert not [event for event in events if isinstance(event, LightRemoved)]
    assert {id: house.panel.light(id).pin for id in house.panel.state.lights} == pins
    lights = [house.panel.light(id) for id in ("led", "desk")]
    assert [(light.level, light.online) for light in lights] == [(80, True), (40, True)]
    assert list(house.panel.state.lights)[:2] == ["led", "desk"]
    assert (await house.do("undo_light", light="led")).result.light.level == 50
    assert own_lights.read(house.data) == house.specs


async def test_an_import_that_cannot_be_written_changes_nothing(house: House) -> None:
    (house.data / own_lights.NAME).mkdir()
    before = house.panel.state
    with pytest.raises(Exception, match="cannot be written"):
        await house.have(a=17, led=18)
    assert (house.panel.state, list(house.specs)) == (before, ["led", "desk"])


STEPS: list[tuple[dict[str, int], str]] = [  # one after the other, and the light of old clients then
    ({"led": 17, "desk": 21}, "led"),
    ({"desk": 21}, "desk"),
    ({"desk": 21, "led": 17}, "led"),
    ({"a": 21, "b": 17}, "a"),
    ({"b": 21, "a": 17}, "a"),
    ({"b": 21, "led": 17, "a": 18}, "led"),
    ({"led": 21}, "led"),
    ({"x": 21}, "x"),
]


async def test_old_clients_move_the_light_that_they_would_move_after_a_start(house: House) -> None:
    for pins, old_light in STEPS:
        before = house.panel.old_light
        events = await house.have(**pins)
        assert house.panel.old_light == old_light, pins
        assert rules.old_light(list(own_lights.read(house.data)), "") == old_light
        told = [event.light for event in events if isinstance(event, LightChanged)]
        assert before == old_light or old_light in told
