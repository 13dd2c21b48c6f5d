"""The light driver through gpiozero's pigpio factory: commands, fades, flashes, effects."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from asgi_app.core.lights import Drive
from asgi_app.hw.driver import LightDriver
from asgi_app.hw.motion import EFFECT_FRAME, FLASH_SECONDS
from asgi_app.hw.pins import MockPins
from asgi_app.hw.push import PUSH
from asgi_app.models.base import Actor
from asgi_app.models.lights import Hardware, LightSpec
from asgi_app.models.wire import parse_command
from asgi_app.service import Panel
from tests.support.driver_bench import LED, SOON, Bench, Note, Watcher, driving, duty, of
from tests.support.pigpiod_standin import StandIn
from tests.support.service_bench import with_lights

ANN = Actor(name="Ann", via="live")


# --- commands -----------------------------------------------------------------------------------------------


async def test_a_light_starts_at_its_first_level(pigpiod: StandIn, watcher: Watcher) -> None:
    async with driving(of(pigpiod), watcher):
        assert watcher.notes == [Note("online", "led")]
        assert (await duty(pigpiod), pigpiod.frequency(21)) == (0.5, 100)


async def test_a_drive_is_done_when_it_returns(pigpiod: StandIn, watcher: Watcher) -> None:
    async with driving(of(pigpiod), watcher) as driver:
        for level in (0, 29, 57, 58, 100):
            await driver.drive("led", Drive(level))
            assert await duty(pigpiod) == level / 100
        assert watcher.notes == [Note("online", "led")]  # who asked knows already


async def test_commands_that_arrive_during_a_write_share_the_next(watcher: Watcher) -> None:
    pins = Bench(seconds=0.05)
    async with driving(pins, watcher) as driver:
        pins.writes.clear()
        await asyncio.gather(*(driver.drive("led", Drive(level)) for level in range(1, 11)))
        drags = [asyncio.create_task(driver.drive("led", Drive(level))) for level in range(11, 90)]
        await asyncio.sleep(0)
        drags.append(asyncio.create_task(driver.drive("led", Drive(90))))
        await asyncio.gather(*drags)
        assert pins.writes[-1] == 0.9
        assert len(pins.writes) <= 4
        assert pins.writes == sorted(pins.writes)


async def test_quick_pins_are_written_in_the_turn_of_the_command(watcher: Watcher) -> None:
    pins = Bench(quick=True)
    async with driving(pins, watcher) as driver:
        for drive in (Drive(70), Drive(0, seconds=60), Drive(30), Drive(30, effect="candle"), Drive(10)):
            with pytest.raises(StopIteration):  # it never waits
                driver.drive("led", drive).send(None)
            if not (drive.seconds or drive.effect):
                assert pins.writes[-1] == drive.level / 100
        await asyncio.sleep(3 * EFFECT_FRAME)
        assert pins.writes[-1] == 0.1


FADES = [Drive(100, 60), Drive(5, 60), Drive(0, 60)]
RUNNING = [*FADES, Drive(80, effect="candle"), Drive(60, flash=9), Drive(70, 9, "pulse")]


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("running", RUNNING, ids=str)
async def test_off_is_one_write_whatever_runs(watcher: Watcher, running: Drive, quick: bool) -> None:
    pins = Bench(quick=quick)
    async with driving(pins, watcher) as driver:
        await driver.drive("led", running)
        await driver.drive("led", Drive(0))
        off = len(pins.writes)
        assert pins.writes[-1] == 0
        await asyncio.sleep(3 * EFFECT_FRAME)
        assert pins.writes[off:] == []


async def test_two_lights_with_their_own_calibration(pigpiod: StandIn, watcher: Watcher) -> None:
    specs = {"desk": LightSpec(pin=12, gamma=2.0), "shelf": LightSpec(pin=13, min=20, max=80, frequency=200)}
    async with driving(of(pigpiod), watcher, specs) as driver:
        await asyncio.gather(driver.drive("desk", Drive(50)), driver.drive("shelf", Drive(50)))
        assert (await duty(pigpiod, 12), await duty(pigpiod, 13)) == (0.25, 0.5)
        await driver.drive("shelf", Drive(0))
        assert (await duty(pigpiod, 12), await duty(pigpiod, 13)) == (0.25, 0.0)
        assert (pigpiod.frequency(12), pigpiod.frequency(13)) == (100, 200)


# --- fades, flashes, effects --------------------------------------------------------------------------------


FADE_SECONDS = 1.5  # longer than most machines stand still
FLASHES = 5


async def faded(pigpiod: StandIn, watcher: Watcher) -> tuple[list[float | None], list[float]]:
    """What the pin and the watcher saw of a fade from 10 to 93 percent; it never stepped back."""
    async with driving(of(pigpiod), watcher, first=10) as driver:
        await driver.drive("led", Drive(93, seconds=FADE_SECONDS))
        seen = [await duty(pigpiod)]
        while not watcher.all("settled"):
            seen.append(await duty(pigpiod))
        assert seen == sorted(seen)
        assert await duty(pigpiod) == 0.93
    moved = [note.value for note in watcher.all("moved")]
    assert moved == sorted(moved)
    assert [note.kind for note in watcher.notes] == ["online", *["moved"] * len(moved), "settled"]
    return seen, moved


async def test_a_fade_rises_without_a_step_back_and_ends_exactly(pigpiod: StandIn, watcher: Watcher) -> None:
    _, moved = await faded(pigpiod, watcher)
    assert 1 < len(moved) <= FADE_SECONDS / PUSH + 2


@pytest.mark.slow
@pytest.mark.alone
async def test_a_fade_has_many_steps(pigpiod: StandIn, watcher: Watcher) -> None:
    seen, moved = await faded(pigpiod, watcher)
    assert len(set(seen)) > 8
    assert len(moved) > 8


@pytest.mark.parametrize("quick", [False, True])
async def test_a_fade_taken_over_midway_begins_where_the_light_is(watcher: Watcher, quick: bool) -> None:
    pins = Bench(quick=quick)
    async with driving(pins, watcher, first=0) as driver:
        await driver.drive("led", Drive(100, seconds=10))
        await watcher.next("moved", count=5)
        await driver.drive("led", Drive(0, seconds=0.2))
        await watcher.next("settled")
        top = pins.writes.index(max(pins.writes))
        way_up, way_down = pins.writes[: top + 1], pins.writes[top:]
        assert len(way_up) > 5
        assert way_up == sorted(way_up)
        assert way_down == sorted(way_down, reverse=True)
        assert way_down[-1] == 0.0
        assert len(watcher.all("settled")) == 1


@pytest.mark.parametrize(("first", "shown"), [(20, 1.0), (80, 0.0)])
async def test_flashes_move_the_pin_and_leave_it_as_it_was(
    pigpiod: StandIn, watcher: Watcher, first: int, shown: float
) -> None:
    async with driving(of(pigpiod), watcher, first=first) as driver:
        began = time.monotonic()
        await driver.drive("led", Drive(first, flash=FLASHES))
        seen = {await duty(pigpiod)}
        while time.monotonic() - began < FLASHES * FLASH_SECONDS + 0.2 or await duty(pigpiod) != first / 100:
            seen.add(await duty(pigpiod))
        assert seen == {shown, first / 100}
        assert await duty(pigpiod) == first / 100
        assert watcher.notes[-1] in (Note("moved", "led", float(first)), Note("settled", "led"))


@pytest.mark.parametrize("effect", ["pulse", "candle", "blink"])
async def test_an_effect_moves_the_pin_until_a_level_is_set(pigpiod: StandIn, watcher: Watcher, effect: Any) -> None:
    async with driving(of(pigpiod), watcher) as driver:
        await driver.drive("led", Drive(80, effect=effect))
        seen = set()
        async with asyncio.timeout(SOON):
            while len(seen) < (2 if effect == "blink" else 5):
                seen.add(await duty(pigpiod))
        assert all(value is not None and 0 <= value <= 0.8 for value in seen)
        await watcher.next("moved", count=2)
        await driver.drive("led", Drive(30))
        watcher.forget()
        assert [await duty(pigpiod) for _ in range(50)] == [0.3] * 50
        assert watcher.notes == []


@pytest.mark.parametrize(
    "verbs",
    [
        {"level": 70, "transition": 0.1},
        {"level": 50, "transition": 0.1},
        {"level": 60, "transition": 0.1, "flash": 1},
        {"on": False, "transition": 0.1},
        {"effect": "pulse", "transition": 0.1},
    ],
)
async def test_a_transition_is_over_when_its_seconds_are(verbs: dict[str, Any]) -> None:
    panel = Panel(Hardware(pins="mock", why="a test"))
    driver = LightDriver(MockPins(), LED, {"led": Drive(50)})
    await driver.start(with_lights(panel, driver, LED))
    try:
        with panel.session(ANN) as session:
            reply = await panel.ask(ANN, parse_command({"do": "set_light", "light": "led", **verbs}))
            assert reply.result.light.transition is not None
            async with asyncio.timeout(SOON):
                while panel.light("led").transition is not None:
                    await session.outbox.take()
    finally:
        await driver.close()


async def test_every_event_of_a_fade_and_the_panel_agrees_at_its_end(pigpiod: StandIn) -> None:
    panel = Panel(Hardware(pins="pigpio", why="a test"))
    driver = LightDriver(of(pigpiod), LED, {"led": Drive(50)})
    await driver.start(with_lights(panel, driver, LED))
    try:
        with panel.session(ANN) as session:
            await panel.ask(
                ANN, parse_command({"do": "set_light", "light": "led", "level": 99, "transition": 0.3, "on": True})
            )
            events: list[dict[str, Any]] = []
            async with asyncio.timeout(SOON):
                while not events or events[-1]["event"] != "light_changed" or events[-1]["state"]["transition"]:
                    events += [message.data for message in await session.outbox.take()]
        assert [event["rev"] for event in events] == sorted({event["rev"] for event in events})
        assert events[0]["state"]["transition"]["seconds"] == 0.3
        assert events[0]["state"]["actual"] == 50
        assert events[-1]["state"]["actual"] == panel.light("led").actual == 99
        assert await duty(pigpiod) == 0.99
    finally:
        await driver.close()
