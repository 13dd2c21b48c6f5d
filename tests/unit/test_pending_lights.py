"""What the store still has to write of the lights."""

from __future__ import annotations

import pytest

from asgi_app.models.base import Actor
from asgi_app.models.history import Moment, RememberedLight
from asgi_app.store.pending_lights import PendingLights

ADA = Actor(name="Ada", via="rest")


def at(level: int) -> RememberedLight:
    moment = Moment(at=level, level=level, by=ADA, began=level)
    return RememberedLight(level=level, on=True, by=ADA, at=level, moments=(moment,))


@pytest.mark.parametrize(
    ("saved", "is_new", "levels"),
    [
        ([at(10)], False, [10]),
        ([at(10), at(20)], False, [10, 20]),
        ([at(10), None, at(20)], True, [20]),
        ([None, at(20), at(30)], True, [20, 30]),
        ([None, at(20), None, at(30)], True, [30]),
    ],
)
def test_a_light_that_came_in_the_place_of_another_has_nothing_of_it(
    saved: list[RememberedLight | None], is_new: bool, levels: list[int]
) -> None:
    lights = PendingLights()
    for one in saved:
        lights.save("lamp", one)
    due = lights.due()
    lamp = due["lamp"]
    assert lamp is not None
    assert (lamp.is_new, [moment.level for moment in lamp.moments]) == (is_new, levels)
    lights.written(due, synced=False)
    assert lights.due() == {}
    lights.sync_now()  # it is written once more, and must not forget what has been added to it since
    again = lights.due()["lamp"]
    assert again is not None
    assert not again.is_new


def test_a_light_that_is_removed_at_last_is_removed() -> None:
    lights = PendingLights()
    for one in (at(10), None, at(20), None):
        lights.save("lamp", one)
    assert lights.due() == {"lamp": None}
