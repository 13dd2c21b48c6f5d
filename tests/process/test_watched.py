"""A thread or a task that the panel needs ends by a fault: the panel says so, and ends by the lights' exit levels."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from asgi_app.app import PanelApp
from asgi_app.errors import NotStored
from asgi_app.hw.worker import Worker
from asgi_app.models.history import RememberedLight
from asgi_app.settings import Settings
from asgi_app.store import Store
from asgi_app.telemetry.tasks import ended
from tests.support.panel_process import RunningPanel, eventually
from tests.support.pigpiod_standin import StandIn
from tests.support.slow_cases import slow

POISONED = 66


class PoisonedPanel(RunningPanel):
    """A panel with a poison in it (tests/support/poisoned.py)."""

    poison = ""

    def program(self) -> Sequence[str]:
        return (sys.executable, "-m", "tests.support.poisoned", self.poison)


def poisoned(poison: str, data: Path, **settings: object) -> PoisonedPanel:
    panel = PoisonedPanel(data, **settings)
    panel.poison = poison
    return panel


def set_level(panel: RunningPanel) -> None:
    panel.post("/led", json={"level": POISONED})


def say(panel: RunningPanel) -> None:
    answer = panel.post("/chat/rooms/lobby/messages?name=Ada", json={"msg": POISONED})
    assert answer.json()["type"] == "urn:pilotlight:problem:not-stored"


def nothing(panel: RunningPanel) -> None:
    """It happens by itself."""


POISONS = {
    "message": (say, "the thread that writes the file"),
    "pin": (set_level, "the task 'light driver'"),
    "pins": (set_level, "the thread that drives the pins"),
    "push": (nothing, "the task 'push task'"),
}
RARE = slow("pins", "push")


@pytest.mark.parametrize("poison", ["message", "pin", *RARE])
def test_the_panel_ends_with_a_reason_by_the_lights_exit_levels(tmp_path: Path, pigpiod: StandIn, poison: str) -> None:
    trigger, reason = POISONS[poison]
    lights = "[lights.led]\npin = 21\nexit = 7\n"
    with poisoned(poison, tmp_path / "data", lights=lights, pins="pigpio", pigpio_port=pigpiod.port) as panel:
        trigger(panel)
        eventually(lambda: panel.returncode is not None)
        assert panel.returncode == 1  # 2 is for settings, and no service manager would start it again
        assert reason in panel.log()
        assert "the panel ends" in panel.log()
        if poison in ("message", "push"):  # where the pins can still be written
            assert pigpiod.duty(21) == pytest.approx(0.07, abs=0.01)


# --- a store whose thread ends -------------------------------------------------------------------------------


def panic(database: object) -> None:
    raise type("Panic", (BaseException,), {})("memory allocation failed")


@pytest.mark.parametrize("best_effort", [False, True])
async def test_everybody_who_waits_for_the_store_is_told(tmp_path: Path, best_effort: bool) -> None:
    store = Store(tmp_path)
    store.open()
    stuck, go_on = threading.Event(), threading.Event()
    first = store.do(lambda db: (stuck.set(), go_on.wait()))
    await asyncio.to_thread(stuck.wait)
    last = store.try_to(panic) if best_effort else store.do(panic)
    behind = [store.do(lambda db: 1) for _ in range(300)]
    store.save("led", RememberedLight(level=3, on=True))
    go_on.set()
    await first
    done = await asyncio.gather(last, *behind, return_exceptions=True)
    assert all(isinstance(one, NotStored) for one in done[1:])
    assert done[0] is None if best_effort else isinstance(done[0], NotStored)
    assert "Panic" in (store.ended() or "")
    with pytest.raises(NotStored):
        await store.do(lambda db: 1)
    assert await store.trouble() is not None
    store.close()


def test_a_store_that_is_closed_has_not_ended_by_a_fault(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.open()
    assert store.ended() is None
    store.close()
    assert store.ended() is None


def test_the_thread_of_the_pins_is_seen() -> None:
    worker = Worker()
    assert worker.is_alive()
    worker.abandon()
    eventually(lambda: not worker.is_alive())


@pytest.mark.parametrize("which", ["light driver", "push task", "sweep", "access", "server events", "engine"])
async def test_every_task_that_the_panel_needs_is_looked_at(tmp_path: Path, which: str) -> None:
    house = PanelApp(Settings(data=tmp_path, pins="mock"))
    await house.start()
    try:
        house.sockets.eio.service_task_handle = asyncio.create_task(house.sockets.eio._service_task(), name="engine")
        house.lab_events._server_task = asyncio.create_task(house.lab_events._server_events(), name="server events")
        await asyncio.sleep(0)
        assert house.health.ended() is None
        [task] = [one for one in asyncio.all_tasks() if one.get_name() == which]
        task.cancel()
        await asyncio.wait([task])
        assert house.health.ended() == f"the task {which!r} was cancelled"
        assert "panel" in await house.health.not_ready()
    finally:
        await house.stop()
    assert house.health.ended() is None  # an end that somebody asked for is no fault


async def test_a_task_that_ended_is_named_with_its_fault() -> None:
    async def fault() -> None:
        raise ValueError("a bug")

    async def go_on() -> None:
        await asyncio.Event().wait()

    tasks = [asyncio.create_task(go_on(), name="lasts"), asyncio.create_task(fault(), name="ends")]
    assert ended(tasks) is None
    await asyncio.wait([tasks[1]])
    assert ended([None, *tasks]) == "the task 'ends' has ended (ValueError: a bug)"
    tasks[0].cancel()
    await asyncio.wait([tasks[0]])
    assert ended(tasks[:1]) == "the task 'lasts' was cancelled"


# --- /health/live tells the truth ----------------------------------------------------------------------------


def test_live_is_no_longer_true_from_the_fault_on(tmp_path: Path) -> None:
    said: list[httpx.Response] = []
    for attempt in range(5):  # it ends soon, and a machine that stalls may ask for its health only then
        with poisoned("message", tmp_path / f"data {attempt}") as panel:
            assert panel.get("/health/live").json() == {"ok": True, "not_ready": {}}
            say(panel)
            with contextlib.suppress(httpx.TransportError):
                while panel.returncode is None:
                    said.append(panel.get("/health/live"))
        if said:
            break
    assert said, "nobody was asked in time"
    assert [answer.status_code for answer in said] == [503] * len(said)
    assert said[0].json()["type"] == "urn:pilotlight:problem:restarting"
    assert "the thread that writes the file" in said[0].json()["detail"]
