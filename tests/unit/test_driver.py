"""The light driver through gpiozero's own pigpio factory: targets, fades, losing the pins and getting them back."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from asgi_app.core import Drive
from asgi_app.errors import LightOffline
from asgi_app.hw.driver import POLL, PUSH, LightDriver
from asgi_app.hw.effects import FLASH_SECONDS
from asgi_app.hw.pins import Address, MockPins, PigpioPins, Pin, Pins, PinsError, PinsName
from asgi_app.models import Actor, Hardware, LightSpec, parse_command
from asgi_app.service import Panel
from tests.support.pigpiod_standin import HOST, Cmd, StandIn

LED = {"led": LightSpec(pin=21)}
SOON = 5.0  # seconds, for what needs less than one on a machine at rest
AT_ONCE = 0.4  # seconds, on a loaded machine; a pin that is waited for takes longer
ANN = Actor(name="Ann", via="live")


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


@pytest.fixture
async def watcher() -> Watcher:
    return Watcher()


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


async def duty_becomes(daemon: StandIn, wanted: float, gpio: int = 21) -> None:
    async with asyncio.timeout(SOON):
        while (last := await duty(daemon, gpio)) != pytest.approx(wanted, abs=1e-9):
            await asyncio.sleep(0.01)
    assert last is not None


async def took(call: Awaitable[Any]) -> tuple[float, Any]:
    """How long the call took, and what came of it: its result or its refusal."""
    began = time.monotonic()
    try:
        result = await call
    except LightOffline as refusal:
        result = refusal
    return time.monotonic() - began, result


class Bench:
    """Pins of no hardware: every write is kept, and can be made slow or made to fail."""

    name: PinsName = "mock"

    def __init__(self, *, shared: bool = False, seconds: float = 0.0) -> None:
        self.shared = shared
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


# --- commands ----------------------------------------------------------------------------------------------


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


async def test_two_lights_with_their_own_calibration(pigpiod: StandIn, watcher: Watcher) -> None:
    specs = {"desk": LightSpec(pin=12, gamma=2.0), "shelf": LightSpec(pin=13, min=20, max=80, frequency=200)}
    async with driving(of(pigpiod), watcher, specs) as driver:
        await asyncio.gather(driver.drive("desk", Drive(50)), driver.drive("shelf", Drive(50)))
        assert (await duty(pigpiod, 12), await duty(pigpiod, 13)) == (0.25, 0.5)
        await driver.drive("shelf", Drive(0))
        assert (await duty(pigpiod, 12), await duty(pigpiod, 13)) == (0.25, 0.0)
        assert (pigpiod.frequency(12), pigpiod.frequency(13)) == (100, 200)


# --- fades, flashes, effects -------------------------------------------------------------------------------


async def test_a_fade_rises_without_a_step_back_and_ends_exactly(pigpiod: StandIn, watcher: Watcher) -> None:
    async with driving(of(pigpiod), watcher, first=10) as driver:
        await driver.drive("led", Drive(93, seconds=0.5))
        seen = [await duty(pigpiod)]
        while not watcher.all("settled"):
            seen.append(await duty(pigpiod))
        assert seen == sorted(seen)
        assert len(set(seen)) > 8
        assert await duty(pigpiod) == 0.93
    moved = [note.value for note in watcher.all("moved")]
    assert moved == sorted(moved)
    assert 8 < len(moved) <= 0.5 / PUSH + 2
    assert [note.kind for note in watcher.notes] == ["online", *["moved"] * len(moved), "settled"]


async def test_a_fade_taken_over_midway_begins_where_the_light_is(watcher: Watcher) -> None:
    pins = Bench()
    async with driving(pins, watcher, first=0) as driver:
        await driver.drive("led", Drive(100, seconds=0.4))
        await watcher.next("moved", count=5)
        before = len(pins.writes)
        await driver.drive("led", Drive(0, seconds=0.2))
        await watcher.next("settled")
        way_up, way_down = pins.writes[: before + 1], pins.writes[before:]
        assert way_up == sorted(way_up)
        assert way_down == sorted(way_down, reverse=True)
        assert way_down[-1] == 0.0
        assert len(watcher.all("settled")) == 1


@pytest.mark.parametrize(("first", "shown"), [(20, 1.0), (80, 0.0)])
async def test_flashes_move_the_pin_and_leave_it_as_it_was(
    pigpiod: StandIn, watcher: Watcher, first: int, shown: float
) -> None:
    async with driving(of(pigpiod), watcher, first=first) as driver:
        await driver.drive("led", Drive(first, flash=2))
        seen, began = set(), time.monotonic()
        while time.monotonic() - began < 2 * FLASH_SECONDS + 0.2:
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
    panel = Panel(LED, Hardware(pins="mock", why="a test"))
    driver = LightDriver(MockPins(), LED, {"led": Drive(50)})
    panel.attach(driver)
    await driver.start(panel)
    try:
        with panel.session(ANN) as session:
            reply = await panel.ask(ANN, parse_command({"do": "set_light", "light": "led", **verbs}))
            assert reply.light is not None
            assert reply.light.transition is not None
            async with asyncio.timeout(1.5):
                while panel.light("led").transition is not None:
                    await session.outbox.take()
    finally:
        await driver.close()


async def test_every_event_of_a_fade_and_the_panel_agrees_at_its_end(pigpiod: StandIn) -> None:
    panel = Panel(LED, Hardware(pins="pigpio", why="a test"))
    driver = LightDriver(of(pigpiod), LED, {"led": Drive(50)})
    panel.attach(driver)
    await driver.start(panel)
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


# --- changed behind our back -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "level"),
    [((Cmd.PWM, 21, 2500), 25), ((Cmd.PWM, 21, 0), 0), ((Cmd.WRITE, 21, 1), 100), ((Cmd.WRITE, 21, 0), 0)],
)
async def test_a_change_from_outside_is_seen_and_can_be_overruled(
    pigpiod: StandIn, watcher: Watcher, command: tuple[int, int, int], level: int
) -> None:
    async with driving(of(pigpiod), watcher) as driver:
        await asyncio.to_thread(pigpiod.ask, *command)
        note = await watcher.next("outside")
        assert note.value == pytest.approx(level)
        await driver.drive("led", Drive(40))
        assert await duty(pigpiod) == pytest.approx(0.4, abs=1e-9)
        assert len(watcher.all("outside")) == 1


@pytest.mark.parametrize(
    ("read_back", "told"), [(0.5, []), (0.5 + 1 / 10_000, []), (0.498, []), (0.502, []), (0.49, [49]), (0.0, [0])]
)
async def test_a_read_back_that_differs_by_rounding_is_no_change(
    watcher: Watcher, read_back: float, told: list[float]
) -> None:
    pins = Bench(shared=True)
    async with driving(pins, watcher):
        pins.shows = read_back
        looked = pins.reads
        async with asyncio.timeout(SOON):
            while pins.reads < looked + 3:
                await asyncio.sleep(POLL)
        assert [note.value for note in watcher.all("outside")] == pytest.approx(told)


async def test_pins_that_nobody_else_can_move_are_not_looked_at(watcher: Watcher) -> None:
    pins = Bench(shared=False)
    async with driving(pins, watcher) as driver:
        await driver.drive("led", Drive(40))
        await asyncio.sleep(POLL * 2)
        assert pins.reads == 0
        assert pins.writes == [0.5, 0.4]


# --- losing the pins, and getting them back ----------------------------------------------------------------


async def test_a_daemon_that_comes_after_the_panel(watcher: Watcher) -> None:
    daemon = StandIn()
    daemon.start()
    daemon.kill()
    async with driving(of(daemon), watcher) as driver:
        assert "does not answer" in watcher.all("offline")[0].value
        seconds, refusal = await took(driver.drive("led", Drive(70)))
        assert isinstance(refusal, LightOffline)
        assert "does not answer" in refusal.detail
        assert seconds < AT_ONCE
        await asyncio.to_thread(daemon.start)
        await watcher.next("online")
        assert await duty(daemon) == 0.5
        await driver.drive("led", Drive(70))
        assert await duty(daemon) == 0.7
    daemon.close()


async def test_a_daemon_that_dies_is_noticed_and_the_last_target_is_shown_again(
    pigpiod: StandIn, watcher: Watcher
) -> None:
    async with driving(of(pigpiod), watcher) as driver:
        await driver.drive("led", Drive(70))
        pigpiod.kill()
        await watcher.next("offline")  # though nobody asked for anything
        for _ in range(3):
            seconds, refusal = await took(driver.drive("led", Drive(20)))
            assert isinstance(refusal, LightOffline)
            assert seconds < AT_ONCE
        watcher.forget()
        await asyncio.to_thread(pigpiod.start)
        await watcher.next("online")
        assert await duty(pigpiod) == 0.7
        await driver.drive("led", Drive(30))
        assert await duty(pigpiod) == 0.3


async def test_a_fade_that_was_cut_off_ends_at_its_target(pigpiod: StandIn, watcher: Watcher) -> None:
    async with driving(of(pigpiod), watcher) as driver:
        await driver.drive("led", Drive(90, seconds=60))
        await watcher.next("moved")
        await asyncio.to_thread(pigpiod.restart)
        await watcher.next("online", count=2)
        assert await duty(pigpiod) == 0.9


async def test_an_effect_goes_on_after_the_daemon_came_back(pigpiod: StandIn, watcher: Watcher) -> None:
    async with driving(of(pigpiod), watcher) as driver:
        await driver.drive("led", Drive(90, effect="pulse"))
        await asyncio.to_thread(pigpiod.restart)
        await watcher.next("online", count=2)
        watcher.forget()
        await watcher.next("moved", count=2)


async def test_a_daemon_that_hangs_is_refused_in_time_and_comes_back_by_itself(
    pigpiod: StandIn, watcher: Watcher
) -> None:
    async with driving(of(pigpiod), watcher) as driver:
        await driver.drive("led", Drive(70))
        pigpiod.hang()
        seconds, refusal = await took(driver.drive("led", Drive(20)))
        assert isinstance(refusal, LightOffline)
        assert seconds < 2
        seconds, refusal = await took(driver.drive("led", Drive(20)))
        assert isinstance(refusal, LightOffline)
        assert seconds < AT_ONCE
        watcher.forget()
        pigpiod.resume()
        await watcher.next("online")
        await duty_becomes(pigpiod, 0.7)


async def test_a_slow_daemon_is_no_fault(watcher: Watcher) -> None:
    with StandIn(delay=0.02) as daemon:
        async with driving(of(daemon), watcher) as driver:
            drags = [asyncio.create_task(driver.drive("led", Drive(level))) for level in range(51, 100)]
            await asyncio.gather(*drags)
            assert await duty(daemon) == 0.99
            assert watcher.all("offline") == []


async def test_one_bad_pin_does_not_take_the_others_down(pigpiod: StandIn, watcher: Watcher) -> None:
    specs = {"led": LightSpec(pin=21), "forbidden": LightSpec(pin=0)}
    async with driving(of(pigpiod), watcher, specs) as driver:
        assert [note.kind for note in watcher.notes if note.light == "led"] == ["online"]
        for attempt in (1, 2, 3):
            refused = await watcher.next("offline", "forbidden", attempt)
            assert "no permission" in refused.value
        with pytest.raises(LightOffline):
            await driver.drive("forbidden", Drive(10))
        await driver.drive("led", Drive(10))
        assert await duty(pigpiod) == 0.1


@pytest.mark.parametrize("fault", [PinsError("the pin is on fire"), RuntimeError("a library's own bug")])
async def test_whatever_a_write_raises_the_asker_is_answered_and_the_driver_lives(
    watcher: Watcher, fault: Exception
) -> None:
    pins = Bench()
    async with driving(pins, watcher) as driver:
        pins.fault = fault
        with pytest.raises(LightOffline, match=str(fault)):
            await asyncio.wait_for(driver.drive("led", Drive(70)), 2)
        pins.fault = None
        await watcher.next("online", count=2)
        await asyncio.wait_for(driver.drive("led", Drive(70)), 2)
        assert pins.shows == 0.7


# --- the end -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("exit", "left"), [("keep", 0.7), ("off", 0.0), (30, 0.09), (0, 0.0)])
async def test_the_exit_level(pigpiod: StandIn, watcher: Watcher, exit: Any, left: float) -> None:
    spec = LightSpec(pin=21, exit=exit, gamma=2.0 if exit == 30 else 1.0)
    async with driving(of(pigpiod), watcher, {"led": spec}) as driver:
        await driver.drive("led", Drive(70, seconds=60))
        await driver.close()
        assert await duty(pigpiod) == left
        await driver.close()


async def test_a_close_without_pins_is_quick(watcher: Watcher) -> None:
    async with driving(PigpioPins(Address(HOST, 1)), watcher) as driver:
        seconds, _ = await took(driver.close())
        assert seconds < 0.5


async def test_a_close_while_the_daemon_hangs_is_quick(pigpiod: StandIn, watcher: Watcher) -> None:
    before = set(threading.enumerate())
    async with driving(of(pigpiod), watcher) as driver:
        pigpiod.hang()
        seconds, _ = await took(driver.close())
        assert seconds < 1
        pigpiod.resume()
        for thread in set(threading.enumerate()) - before:
            if thread.name == "pins":  # it ends with the call it is in
                await asyncio.to_thread(thread.join, SOON)
                assert not thread.is_alive()


async def test_whoever_waits_for_a_write_is_answered_at_the_close(watcher: Watcher) -> None:
    pins = Bench(seconds=0.1)
    async with driving(pins, watcher) as driver:
        pins.writing.clear()
        writing = asyncio.create_task(driver.drive("led", Drive(70)))
        assert await asyncio.to_thread(pins.writing.wait, SOON)
        waiting = asyncio.create_task(driver.drive("led", Drive(80)))
        await asyncio.sleep(0)
        await driver.close()
        done, hanging = await asyncio.wait([writing, waiting], timeout=1)
        for task in hanging:
            task.cancel()
        refusals = [task.exception() for task in done]
        assert hanging == set()
        assert all(refusal is None or isinstance(refusal, LightOffline) for refusal in refusals)


async def test_a_closed_driver_refuses(watcher: Watcher) -> None:
    async with driving(Bench(), watcher) as driver:
        await driver.close()
        with pytest.raises(LightOffline, match="stopping"):
            await asyncio.wait_for(driver.drive("led", Drive(70)), 1)
