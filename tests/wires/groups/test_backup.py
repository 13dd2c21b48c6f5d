"""Export and import: what a household has set up comes back after a wipe, and a wrong file changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.live_client import live
from tests.support.panel_process import RunningPanel

pytestmark = pytest.mark.asyncio(loop_scope="module")


def set_up(panel: RunningPanel) -> None:
    """Three lamps, two groups in an order, two scenes, a wake-up and a timer."""
    for n, name in enumerate(("desk", "shelf", "hall")):
        panel.post("/lights", json={"id": name, "pin": 5 + n, "gamma": 2.2, "name": f"{name} 灯"})
    panel.delete("/lights/led")
    for name in ("B", "A"):
        panel.post("/groups", json={"name": name, "lights": ["desk", "shelf"]})
    panel.post("/groups/order", json={"order": ["b", "a"]})
    panel.post("/lights/order", json={"order": ["hall", "desk", "shelf"]})
    panel.post("/scenes", json={"name": "Dinner"})
    panel.post("/scenes", json={"name": "Night", "lights": {"hall": {"level": 1, "effect": "candle"}}})
    wake = {"do": "set_light", "group": "a", "level": 100, "transition": 600}
    panel.post("/schedules", json={"name": "Wake", "when": {"by": "06:45", "days": ["mon"]}, "do": wake})
    panel.post("/schedules", json={"name": "Timer", "when": {"in": 9000}, "do": wake})


def everything(panel: RunningPanel) -> dict[str, Any]:
    state = {kind: panel.get(f"/{kind}").json()[kind] for kind in ("groups", "scenes", "schedules")}
    state["schedules"] = [{**one, "next": None, "by": None} for one in state["schedules"] if not one["is_timer"]]
    lights = panel.get("/setup").json()
    for group in state["groups"]:
        group.pop("level")
        group.pop("on")
    return {**state, **lights}


async def test_a_wiped_panel_is_as_before_after_an_import(start_panel: Callable[..., RunningPanel]) -> None:
    panel, other = start_panel(), start_panel()
    set_up(panel)
    answer = panel.get("/export")
    assert "attachment" in answer.headers["Content-Disposition"]
    async with live(other) as watcher:
        imported = other.post("/import", json=answer.json())
        assert imported.status_code == 200, imported.text
        assert imported.json() == {"lights": 3, "groups": 2, "scenes": 2, "schedules": 1, "shows": 0, "left": []}
        assert everything(other) == everything(panel)
        state = (await watcher.ask("get_state"))["snapshot"]["state"]
        assert (list(state["lights"]), list(state["groups"])) == (["hall", "desk", "shelf"], ["b", "a"])
    assert other.get("/export").text == answer.text
    other.kill()
    other.start()
    assert everything(other) == everything(panel)
    assert other.post("/import", json={"pilotlight": 1, "groups": []}).json()["groups"] == 0
    assert len(other.get("/scenes").json()["scenes"]) == 2  # which the file left out


async def test_a_light_that_a_file_has_twice_is_in_a_group_once(house: RunningPanel) -> None:
    file = house.get("/export").json()
    groups = [{"id": "twice", "name": "Twice", "lights": ["shelf", "desk", "shelf"]}]
    assert house.post("/import", json={"pilotlight": 1, "groups": groups}).json()["groups"] == 1
    assert house.get("/groups/twice").json()["lights"] == ["shelf", "desk"]
    assert house.post("/import", json=file).json()["groups"] == 2


async def test_a_schedule_may_have_a_null_where_it_has_no_lights(house: RunningPanel) -> None:
    """Programs write what they leave out so."""
    file = house.get("/export").json()
    do = {"do": "set_light", "group": "all", "lights": None, "on": True}
    schedules = [{"id": "up", "name": "Up", "when": {"at": "07:00"}, "do": do}]
    answer = house.post("/import", json={"pilotlight": 1, "schedules": schedules})
    assert answer.status_code == 200, answer.text
    assert house.get("/schedules").json()["schedules"][0]["do"] == {key: do[key] for key in do if do[key] is not None}
    assert house.post("/import", json=file).json()["schedules"] == 1


async def test_lights_of_the_settings_are_left(start_panel: Callable[..., RunningPanel]) -> None:
    panel = start_panel(lights="[lights.led]\npin = 21\n")
    said = {"pilotlight": 1, "lights": [{"id": "led", "pin": 4}, {"id": "desk", "pin": 17}]}
    answer = panel.post("/import", json=said).json()
    assert (answer["lights"], answer["left"]) == (2, ["led"])
    assert [light["pin"] for light in panel.get("/setup").json()["lights"]] == [21, 17]
    refused = panel.post(
        "/import", json={"pilotlight": 1, "lights": [{"id": "desk", "pin": 4}, {"id": "a", "pin": 21}]}
    )
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (409, "lights.1.pin")
    assert [light["pin"] for light in panel.get("/setup").json()["lights"]] == [21, 17]


PLACES: list[tuple[dict[str, int], dict[str, int]]] = [
    ({"a": 4, "b": 5}, {"a": 5, "b": 4}),  # they change places
    ({"a": 4, "b": 5, "c": 6}, {"a": 5, "b": 6, "c": 4}),
    ({"a": 4, "b": 5}, {"a": 5, "b": 6}),
    ({"a": 4, "b": 5}, {"b": 4, "c": 5}),
    ({"a": 4, "b": 5}, {"c": 5, "d": 4}),
    ({"a": 4}, {"b": 4}),  # the only one goes, and its pin is another's
    ({"a": 4}, {"b": 4, "a": 5}),
    ({"a": 4}, {"a": 4}),
]


@pytest.mark.parametrize(("before", "then"), PLACES)
async def test_lights_may_take_the_pins_of_others(
    house: RunningPanel, before: dict[str, int], then: dict[str, int]
) -> None:
    for pins in (before, then):
        file = {"pilotlight": 1, "lights": [{"id": id, "pin": pin} for id, pin in pins.items()]}
        assert house.post("/import", json=file).json()["lights"] == len(pins)
        lights = house.get("/lights").json()["lights"].values()
        assert {light["id"]: light["pin"] for light in lights} == pins
        assert all(light["online"] for light in lights)
        assert house.get("/led").status_code == 200
    assert house.complaints() == []


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    with RunningPanel(tmp_path_factory.mktemp("house") / "data", rest_rate=1e6) as running:
        set_up(running)
        yield running


DO = {"do": "set_light", "light": "desk", "on": True}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"pilotlight": 2}, "pilotlight"),
    ({"lights": []}, "lights"),
    ({"lights": [{"id": "a", "pin": 4}, {"id": "a", "pin": 5}]}, "lights.id"),
    ({"lights": [{"id": "a", "pin": 4}, {"id": "b", "pin": 4}]}, "lights.pin"),
    ({"lights": [{"id": "a", "pin": 99}]}, "lights.0.pin"),
    ({"lights": [{"id": "desk", "pin": 8}, {"id": "a", "pin": 0}]}, "lights.1.pin"),
    ({"lights": [{"id": "a", "pin": 8}, {"id": "desk", "pin": 9, "name": " "}]}, "lights.1.name"),
    ({"groups": [{"id": "all", "name": "x", "lights": ["desk"]}]}, "groups"),
    ({"groups": [{"id": "a", "name": "x", "lights": []}, {"id": "b", "name": "X", "lights": []}]}, "groups.name"),
    ({"groups": [{"id": "a", "name": "x", "lights": []}] * 2}, "groups.id"),
    ({"groups": [{"id": "A b", "name": "x", "lights": []}]}, "groups.0.id"),
    (
        {"scenes": [{"id": "a", "name": "x", "lights": {"desk": {"level": 101, "on": True}}}]},
        "scenes.0.lights.desk.level",
    ),
    (
        {"scenes": [{"id": "a", "name": "x", "lights": {"desk": {"level": 5, "on": False, "effect": "pulse"}}}]},
        "scenes.0.lights.desk",
    ),
    ({"schedules": [{"id": "a", "name": "x", "when": {"at": "7"}, "do": DO}]}, "schedules.0.when.at.at"),
    ({"schedules": [{"id": "a", "name": "x", "when": {"at": "07:00"}, "do": {"do": "say"}}]}, ""),
    ({"schedules": [{"id": "a", "name": "x", "when": {"in": 60}, "do": DO}]}, "schedules.0.when"),
    ({"schedules": [{"id": "a", "name": "x", "when": {"once": "noon"}, "do": DO}]}, "schedules.0.when.once"),
    ({"schedules": [{"id": "a", "name": " x", "when": {"at": "07:00"}, "do": DO}]}, "schedules.0.name"),
    ({"groups": [{"id": "a", "name": "\u202ex", "lights": []}]}, "groups.0.name"),
    ({"order": ["desk", "desk"]}, "order.id"),
    ({"people": []}, "people"),
]


@pytest.mark.parametrize(("said", "field"), WRONG)
async def test_a_wrong_file_changes_nothing(house: RunningPanel, said: dict[str, Any], field: str) -> None:
    before = house.get("/export").text
    answer = house.post("/import", json={"pilotlight": 1, "scenes": [], **said})
    assert answer.status_code == (409 if answer.json()["type"].endswith("pin-taken") else 400), answer.text
    if field:
        assert field in [error["field"] for error in answer.json()["errors"]]
    assert house.get("/export").text == before
