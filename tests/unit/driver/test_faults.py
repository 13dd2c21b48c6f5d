"""The light driver: changes behind our back, pins that are lost and come back, the end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable
from typing import Any

import pytest

from asgi_app.core import lights as rules
from asgi_app.core.lights import Drive
from asgi_app.errors import LightOffline
from asgi_app.hw.driver import POLL
from asgi_app.hw.pins import Address, PigpioPins, PinsError
from asgi_app.models.lights import LightChanged, LightSpec
from tests.support.driver_bench import SOON, Bench, Watcher, driving, duty, of
from tests.support.pigpio_board import HOST, Cmd
from tests.support.pigpiod_standin import StandIn
from tests.support.steady_clock import steady

AT_ONCE = 0.4  # seconds, on a loaded machine; a pin that is waited for takes longer


async def duty_becomes(daemon: StandIn, wanted: float, gpio: int = 21) -> None:
    async with asyncio.timeout(SOON):
        while (last := await duty(daemon, gpio)) != pytest.approx(wanted, abs=1e-9):
            await asyncio.sleep(0.01)
    assert last is not None


async def took(call: Awaitable[Any]) -> tuple[float, Any]:
    """How long the call took, and what came of it: its result or its refusal."""
    began = steady()
    try:
        result = await call
    except LightOffline as refusal:
        result = refusal
    return steady() - began, result


# --- changed behind our back --------------------------------------------------------------------------------


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


@pytest.mark.parametrize("read_back", [0.0, 0.001, 0.004, 0.3])
async def test_the_driver_and_the_panel_agree_on_what_was_set_outside(watcher: Watcher, read_back: float) -> None:
    pins = Bench(shared=True)
    async with driving(pins, watcher):
        pins.shows = read_back
        note = await watcher.next("outside")
        panel = rules.set_outside(rules.first_light("led", LightSpec(pin=21), None, 0.0), note.value, 0.0)
    assert isinstance(panel, LightChanged)
    assert pins.writes[-1] == pytest.approx(panel.state.target / 100)  # at the end, which keeps it


async def test_pins_that_nobody_else_can_move_are_not_looked_at(watcher: Watcher) -> None:
    pins = Bench(shared=False)
    async with driving(pins, watcher) as driver:
        await driver.drive("led", Drive(40))
        await asyncio.sleep(POLL * 2)
        assert pins.reads == 0
        assert pins.writes == [0.5, 0.4]


# --- losing the pins, and getting them back -----------------------------------------------------------------


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
@pytest.mark.parametrize("quick", [False, True])
async def test_whatever_a_write_raises_the_asker_is_answered_and_the_driver_lives(
    watcher: Watcher, fault: Exception, quick: bool
) -> None:
    pins = Bench(quick=quick)
    async with driving(pins, watcher) as driver:
        pins.fault = fault
        with pytest.raises(LightOffline, match=str(fault)):
            await asyncio.wait_for(driver.drive("led", Drive(70)), SOON)
        pins.fault = None
        await watcher.next("online", count=2)
        await asyncio.wait_for(driver.drive("led", Drive(70)), SOON)
        assert pins.shows == 0.7


# --- the end ------------------------------------------------------------------------------------------------


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
        done, hanging = await asyncio.wait([writing, waiting], timeout=10)
        for task in hanging:
            task.cancel()
        refusals = [task.exception() for task in done]
        assert hanging == set()
        assert all(refusal is None or isinstance(refusal, LightOffline) for refusal in refusals)


@pytest.mark.parametrize("quick", [False, True])
async def test_a_closed_driver_refuses(watcher: Watcher, quick: bool) -> None:
    async with driving(Bench(quick=quick), watcher) as driver:
        await driver.close()
        with pytest.raises(LightOffline, match="stopping"):
            await asyncio.wait_for(driver.drive("led", Drive(70)), SOON)
