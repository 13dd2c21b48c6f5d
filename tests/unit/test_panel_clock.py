"""The panel's clock, and that what has an order has it by number and not by time."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest

from asgi_app.models.base import Actor
from asgi_app.models.chat import Thread
from asgi_app.models.runs import Run
from asgi_app.store import Store
from asgi_app.store import chat as stored
from asgi_app.store import runs as stored_runs
from asgi_app.telemetry import clock as clocks
from asgi_app.telemetry.clock import PanelClock


class Machine:
    """A wall clock and a steady one."""

    wall, steady = 1000.0, 5.0


def test_the_panels_clock_steps_only_when_it_is_looked_at() -> None:
    machine = Machine()
    clock = PanelClock(lambda: machine.wall, lambda: machine.steady)
    assert clock.now() == 1000
    machine.wall, machine.steady = machine.wall + 3601, machine.steady + 1
    assert clock.now() == 1001  # a duration over the step is right
    assert clock.look() == 3600
    assert (clock.now(), clock.look()) == (4601, 0)
    machine.wall -= 7200
    assert clock.look() == -7200
    machine.wall += 0.2  # as NTP steers it: no step
    assert clock.look() == 0
    assert clock.now() == machine.wall


async def test_the_store_orders_by_number(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.open()
    by = Actor(name="Ada", via="rest")
    for at, id in ((300.0, "a"), (100.0, "b"), (200.0, "c")):  # the clock went back, and forth
        run = Run(id=id, name=id, kind="process", state="ended", started_at=at, ended_at=at, by=by, producer=False)
        await store.do(partial(stored_runs.begin, run=run, graph=None))
        draft = stored.Draft(Thread(room=id), "Ada", None, "hi", at, None)
        await store.do(partial(stored.say, draft=draft))
    assert [run.id for run in await store.do(partial(stored_runs.newest, limit=9))] == ["c", "b", "a"]
    assert [one.room for one in await store.do(partial(stored.threads, person="Bob"))] == ["c", "b", "a"]
    # a run that goes on once more is the newest; the oldest is what the retention forgets
    again = run.model_copy(update={"id": "a", "started_at": 1.0})
    await store.do(partial(stored_runs.begin, run=again, graph=None))
    assert await store.do(partial(stored_runs.prune, runs=2, lines=10, most=100)) == 1
    assert [run.id for run in await store.do(partial(stored_runs.newest, limit=9))] == ["a", "c"]
    store.close()


@pytest.mark.parametrize(
    ("synced", "rtc", "up", "is_set"),
    [
        (True, None, 5, True),
        (False, None, 5, False),
        (False, None, 700, True),
        (False, "1795000000\n", 5, True),  # a battery
        (False, "12\n", 5, False),  # a Pi 5 without one: it began to count at the start
        (False, "no number", 5, False),
    ],
)
def test_when_the_clock_of_the_machine_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: bool, rtc: str | None, up: float, is_set: bool
) -> None:
    monkeypatch.setattr(clocks, "SYNCED", tmp_path / "synchronized")
    monkeypatch.setattr(clocks, "RTC", tmp_path / "since_epoch")
    monkeypatch.setattr(time, "clock_gettime", lambda _: up)
    if synced:
        (tmp_path / "synchronized").touch()
    if rtc is not None:
        (tmp_path / "since_epoch").write_text(rtc)
    assert clocks.clock_is_set(lambda: 1_796_000_000) is is_set
    assert not clocks.clock_is_set(lambda: 1_000_000_000)
