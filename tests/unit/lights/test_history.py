"""What is one change in the history of a light, and what the file keeps of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from typing import Any

import pytest

from asgi_app.core.history import LONGEST, memory_of, moment_of, moved_by
from asgi_app.models.base import Actor
from asgi_app.models.history import DAY, MOST, Moment
from asgi_app.models.lights import Transition
from asgi_app.service.light_memory import LightMemory
from asgi_app.store import history as stored
from asgi_app.store import lights
from asgi_app.store.pending_lights import PendingLights
from asgi_app.store.schema import migrate
from tests.support.light_states import ANN, BOB, NOON, a_state

DRAGS = Actor(name="Ann", via="live", hand="group all")


def moments(*changes: dict[str, Any]) -> list[Moment]:
    """The changes of a light that is set so, one after the other: each once, as it is at the end."""
    found: dict[float, Moment] = {}
    last: Moment | None = None
    for change in changes:
        light = a_state(**change).lights["led"]
        last = moment_of(light, last)
        found[last.began] = last
    return list(found.values())


def change(level: int, at: float, by: Actor = ANN, **more: Any) -> dict[str, Any]:
    return {"level": level, "by": by, "at": NOON + at, **more}


@pytest.mark.parametrize(
    ("changes", "levels"),
    [
        pytest.param([change(20, 0), change(30, 5)], [20, 30], id="two changes"),
        pytest.param([change(20, 0), change(30, 0.1), change(40, 0.2)], [40], id="a drag"),
        pytest.param([change(20, 0), change(30, 0.1, BOB)], [20, 30], id="two people"),
        pytest.param([change(20, 0), change(30, 0.1, DRAGS)], [20, 30], id="another slider"),
        pytest.param([change(20, 0), change(20, 5, BOB)], [20], id="the same again"),
        pytest.param([change(20, 0), change(20, 5, on=False)], [20, 0], id="off"),
        pytest.param([change(20, 0), change(70, 9, on=False), change(80, 19, on=False)], [20, 0], id="off is off"),
        pytest.param([change(20, 0), change(20, 5, effect="candle")], [20, 20], id="an effect"),
        pytest.param([change(n % 100, n) for n in range(130)], [59, 19, 29], id="somebody who does not stop"),
    ],
)
def test_what_is_one_change(changes: list[dict[str, Any]], levels: list[int]) -> None:
    assert LONGEST == 60
    assert [moment.level for moment in moments(*changes)] == levels


def test_a_fade_is_one_change_that_takes_a_while() -> None:
    (moment,) = moments(change(20, 0, transition=Transition(seconds=1200, since=NOON)))
    assert (moment.level, moment.seconds) == (20, 1200)


def test_a_step_of_the_clock_moves_the_change_that_goes_on() -> None:
    moment = moved_by(moments(change(20, 0))[0], 4000.0)
    light = a_state(**change(30, 4001)).lights["led"]
    assert memory_of(light, moment).moments == (moment_of(light, moment),)
    assert moment_of(light, moment).began == NOON + 4000.0


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as database:
        migrate(database)
        yield database


def keep(database: sqlite3.Connection, at: float, level: int, light: str = "led") -> None:
    moment = Moment(at=at, began=at, level=level, by=ANN, seconds=2.0, effect="pulse")
    stored.keep(database, {light: [moment]})


def test_the_last_day_and_what_held_when_it_began(database: sqlite3.Connection) -> None:
    for at, level in [(-3 * DAY, 1), (-2 * DAY, 2), (-3600, 3), (-60, 4), (60, 5)]:  # the last one: of a wrong clock
        keep(database, NOON + at, level)
        keep(database, NOON + at, 99, light="desk")
    found = stored.since(database, "led", NOON - DAY, NOON)
    assert [moment.level for moment in found] == [2, 3, 4]
    expected = Moment(at=NOON - 60, level=4, by=Actor(name=ANN.name, via=ANN.via), seconds=2.0, effect="pulse")
    assert found[-1] == expected
    rows = database.execute("SELECT level FROM light_history WHERE light = 'led' ORDER BY began").fetchall()
    assert rows == [(2,), (3,), (4,), (5,)]  # what is older cannot be seen any more
    stored.forget(database, "led")
    assert stored.since(database, "led", NOON - DAY, NOON) == ()
    assert len(stored.since(database, "desk", NOON - DAY, NOON)) == 3


@pytest.mark.parametrize("is_written", [True, False])  # before the clock steps
@pytest.mark.parametrize(
    ("step", "levels"), [(5000.0, [10, 20, 30]), (30.0, [10, 20, 30]), (-90.0, [10, 30]), (-5000.0, [30])]
)
async def test_a_step_of_the_clock_leaves_the_last_change_once_and_last(
    database: sqlite3.Connection, step: float, levels: list[int], is_written: bool
) -> None:
    pending = PendingLights()
    memory, now = LightMemory(lambda id, memory: pending.save(id, memory) and None), 100_000.0
    for level in (10, 20, 30):
        now += 60
        light = a_state(**change(level, now - NOON)).lights["led"]
        memory.note("led", light)
        memory.flush()
        if is_written:
            lights.keep(database, due := pending.due())
            pending.written(due, synced=True)
    memory.move("led", light.model_copy(update={"at": now + step}), step)
    lights.keep(database, pending.due())
    found = stored.since(database, "led", 0.0, now + 2 * DAY)
    assert [moment.level for moment in found] == levels
    assert found[-1].at == now + step


@pytest.mark.parametrize("every", [1.0, 20.0])
def test_many_changes_are_thinned_out(database: sqlite3.Connection, every: float) -> None:
    n = 5000
    for number in range(n):
        keep(database, NOON + number * every, number % 100)
    end = NOON + n * every
    found = stored.since(database, "led", end - DAY, end)
    assert stored.RECENT <= len(found) <= MOST
    newest = [moment.at for moment in found[-stored.RECENT :]]
    assert newest == [NOON + number * every for number in range(n - stored.RECENT, n)]
    gaps = [later.at - one.at for one, later in pairwise(found)]
    assert max(gaps) <= 2 * stored.SPAN  # nowhere in the day is a long time without one
    assert found[0].at - (end - min(DAY, n * every)) <= stored.SPAN
    (size,) = database.execute("SELECT count(*) FROM light_history").fetchone()
    assert size <= MOST
