"""What a process does with the events of its engine, whichever way they come."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_app.core.lights import START, Drive, first_light
from asgi_app.engine.mirror import Mirror
from asgi_app.engine.picture import Picture
from asgi_app.models.groups import LightsOrdered
from asgi_app.models.lights import Hardware, LightChanged, LightSpec
from asgi_app.service import Panel
from asgi_app.service.lights import Lights

LED = first_light("hall.led", LightSpec(pin=5), None, 0.0)


class NoPins:
    is_quick = False

    async def drive(self, light: str, drive: Drive) -> None:
        raise AssertionError(light)


@pytest.fixture
def panel() -> Panel:
    return Panel(Hardware(pins="none", why="a front"))


@pytest.fixture
def mirror(panel: Panel) -> Mirror:
    mirror = Mirror(panel, Lights(panel, NoPins(), {}, {}), is_keeper=False)
    mirror.adopt(Picture("e", 7, {LED.id: LED}, {}, []))
    return mirror


def changed(level: int, id: str = LED.id) -> dict[str, Any]:
    light = LED.model_copy(update={"id": id, "level": level})
    return LightChanged(light=light.id, by=light.by, at=light.at, state=light).model_dump(mode="json")


@pytest.mark.parametrize(
    ("came", "rev", "level"),
    [
        ([8], 8, 8),
        ([8, 9], 9, 9),
        ([9], 7, LED.level),  # the stream has what came before
        ([9, 8], 8, 8),
        ([8, 8], 8, 8),
        ([7], 7, LED.level),
        ([3], 7, LED.level),
    ],
)
async def test_an_event_that_comes_with_an_answer_is_applied_if_it_is_the_next_one(
    panel: Panel, mirror: Mirror, came: list[int], rev: int, level: int
) -> None:
    shown: list[int] = []
    mirror.at_revision(9, lambda: shown.append(panel.rev))
    for number in came:
        mirror.take(number, changed(number))
    assert (panel.rev, panel.light(LED.id).level) == (rev, level)
    assert shown == [9] * (rev >= 9)
    assert mirror.heard.keys() == ({"hall"} if rev > 7 else set())


async def test_the_order_of_the_lights_is_the_same_whenever_a_panel_has_heard_of_them(
    panel: Panel, mirror: Mirror
) -> None:
    for rev, id in enumerate(("hall.desk", "attic.led", "hall.attic"), 8):
        mirror.take(rev, changed(5, id))
    by_id = ["attic.led", "hall.attic", "hall.desk", "hall.led"]  # as a panel has them that joins now
    assert list(panel.state.lights) == by_id
    ordered = LightsOrdered(order=("hall.led", "hall.desk"), by=START, at=0.0)
    mirror.take(11, ordered.model_dump(mode="json"))
    mirror.take(12, changed(5, "attic.desk"))
    expected = ["hall.led", "hall.desk", "attic.desk", "attic.led", "hall.attic"]
    assert list(panel.state.lights) == expected
    lights = {id: panel.state.lights[id] for id in sorted(expected)}
    kept = {"light_order": ordered.order, "storage": panel.state.storage}
    mirror.adopt(Picture("e", 12, lights, kept, []))
    assert list(panel.state.lights) == expected
    mirror.take(13, changed(5, "hall.led"))  # it stays where it is
    assert list(panel.state.lights) == expected


async def test_an_island_applies_nothing_of_others(panel: Panel, mirror: Mirror) -> None:
    mirror.isolate("lost")
    mirror.take(panel.rev + 1, changed(8))
    assert panel.light(LED.id).level == LED.level
