"""What is kept of a light: each hand's changes, and a drag in few writes."""

from __future__ import annotations

import asyncio

from asgi_app.core.lights import first_light
from asgi_app.models.access import Identity
from asgi_app.models.base import Actor
from asgi_app.models.history import RememberedLight
from asgi_app.models.lights import Light, LightSpec
from asgi_app.service.light_memory import PAUSE, LightMemory

ADA, BO = Actor(name="Ada", via="live"), Actor(name="Bo", via="live")


def light(level: int, by: Actor = ADA, at: float = 100.0) -> Light:
    first = first_light("led", LightSpec(pin=5), None, 0.0)
    return first.model_copy(update={"level": level, "by": by, "at": at + level / 100})


class Kept(list[tuple[int | None, int]]):
    """The level of each write, and how many changes the history had then."""

    def __init__(self) -> None:
        self.began: list[float] = []

    def save(self, id: str, memory: RememberedLight | None) -> None:
        if memory is None:
            self.append((None, 0))
        else:
            (moment,) = memory.moments
            self.began = sorted({*self.began, moment.began})
            self.append((memory.level, len(self.began)))


async def test_the_first_change_is_kept_at_once_and_a_drag_in_few_writes() -> None:
    kept = Kept()
    memory = LightMemory(kept.save)
    memory.note("led", light(1))
    assert kept == [(1, 1)]
    for level in range(2, 50):
        memory.note("led", light(level))
    assert kept == [(1, 1)]
    await asyncio.sleep(2 * PAUSE)
    assert kept == [(1, 1), (49, 1)]
    await asyncio.sleep(2 * PAUSE)
    memory.note("led", light(50))
    assert kept == [(1, 1), (49, 1), (50, 1)]


async def test_a_drag_over_rest_is_one_hand() -> None:
    """Each of its requests has an actor of its own, and an identity."""
    kept = Kept()
    memory = LightMemory(kept.save)
    for level in range(1, 50):
        memory.note("led", light(level, Actor(name="curl", via="rest", identity=Identity(how="loopback"))))
    memory.flush()
    assert kept == [(1, 1), (49, 1)]


async def test_nothing_of_two_hands_is_lost() -> None:
    kept = Kept()
    memory = LightMemory(kept.save)
    for level, by in ((1, ADA), (2, BO), (3, BO), (4, ADA), (5, BO)):
        memory.note("led", light(level, by))
    memory.flush()
    assert [level for level, _ in kept] == [1, 3, 4, 5]
    assert len(kept.began) == 4


async def test_a_light_that_is_removed_is_not_written_again() -> None:
    kept = Kept()
    memory = LightMemory(kept.save)
    memory.note("led", light(1))
    memory.note("led", light(2))
    memory.forget("led")
    await asyncio.sleep(2 * PAUSE)
    assert kept == [(1, 1), (None, 0)]
    assert "led" not in memory
