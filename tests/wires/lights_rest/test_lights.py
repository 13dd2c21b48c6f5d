"""`/lights` over REST: every light with every verb, who did it, and undo."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.live_client import live
from tests.support.panel_process import RunningPanel
from tests.support.rest_lights import Lights, assert_problem

PARTS = {
    "id",
    "name",
    "pin",
    "level",
    "on",
    "effect",
    "transition",
    "actual",
    "online",
    "reason",
    "away_since",
    "by",
    "at",
    "undo",
    "target",
}


# --- reading ------------------------------------------------------------------------------------------------


def test_every_light_is_listed_at_one_revision(lights: Lights) -> None:
    answer = lights.http.get("/lights").json()

    assert set(answer) == {"epoch", "rev", "hardware", "lights"}
    assert answer["hardware"]["pins"] == "mock"
    assert list(answer["lights"]) == ["led", "desk", "never-touched"]
    assert {light["pin"] for light in answer["lights"].values()} == {21, 12, 13}
    assert answer["lights"]["desk"]["name"] == "Desk lamp"
    for id, light in answer["lights"].items():
        assert set(light) == PARTS
        assert light == lights.get(id)


def test_a_change_raises_the_revision_and_keeps_the_epoch(lights: Lights) -> None:
    before = lights.http.get("/lights").json()
    lights.patch(level=41)
    after = lights.http.get("/lights").json()

    assert after["epoch"] == before["epoch"]
    assert after["rev"] == before["rev"] + 1


def test_the_led_of_old_clients_is_the_light_led(lights: Lights) -> None:
    lights.patch(level=73)
    assert lights.http.get("/led").json() == {"level": 73}

    lights.http.post("/led", json={"level": 21})
    assert lights.get()["level"] == 21

    lights.patch(on=False)
    assert lights.http.get("/led").json() == {"level": 0}


# --- the verbs ----------------------------------------------------------------------------------------------


VERBS = [
    ({}, {"level": 70}, {"level": 70, "target": 70, "actual": 70}),
    ({}, {"level": 70.0}, {"level": 70, "target": 70}),
    ({}, {"level": 0}, {"level": 40, "target": 0, "actual": 0, "on": False}),
    ({}, {"level": 100}, {"level": 100, "target": 100}),
    ({}, {"step": 10}, {"level": 50, "target": 50}),
    ({}, {"step": -10}, {"level": 30, "target": 30}),
    ({}, {"step": 0}, {"level": 40, "target": 40}),
    ({"level": 95}, {"step": 10}, {"level": 100}),
    ({"level": 5}, {"step": -10}, {"level": 5, "target": 0, "on": False}),
    ({}, {"step": 100}, {"level": 100}),
    ({"level": 0}, {"on": True}, {"level": 40, "target": 40, "on": True}),
    ({}, {"step": -100}, {"level": 40, "target": 0, "on": False}),
    ({}, {"on": False}, {"level": 40, "target": 0, "actual": 0, "on": False}),
    ({"on": False}, {"on": True}, {"level": 40, "target": 40, "actual": 40, "on": True}),
    ({"on": False}, {"level": 60}, {"level": 60, "target": 60, "on": True}),
    ({"on": False}, {"step": 10}, {"level": 10, "target": 10, "on": True}),
    ({"on": False}, {"step": -10}, {"level": 40, "target": 0, "on": False}),
    ({}, {"level": 60, "on": False}, {"level": 60, "target": 0, "on": False}),
    ({}, {"effect": "pulse"}, {"effect": "pulse", "level": 40, "on": True}),
    ({}, {"effect": "candle"}, {"effect": "candle", "level": 40}),
    ({}, {"effect": "blink", "level": 80}, {"effect": "blink", "level": 80}),
    ({"on": False}, {"effect": "blink"}, {"effect": "blink", "on": True, "level": 40}),
    ({"effect": "blink"}, {"effect": "none"}, {"effect": None, "level": 40, "target": 40}),
    ({"effect": "blink"}, {"level": 55}, {"effect": None, "level": 55}),
    ({"effect": "blink"}, {"on": False}, {"effect": None, "on": False, "level": 40}),
    ({}, {"level": None, "step": 3}, {"level": 43}),
    ({}, {"level": 44, "transition": 0}, {"level": 44, "transition": None, "actual": 44}),
    ({}, {"flash": 1}, {"level": 40, "on": True, "effect": None}),
]


@pytest.mark.parametrize(("given", "change", "then"), VERBS, ids=[f"{given} {change}" for given, change, _ in VERBS])
def test_a_verb_does_what_it_says(
    lights: Lights, given: dict[str, Any], change: dict[str, Any], then: dict[str, Any]
) -> None:
    if given:
        lights.patch(**given)

    light = lights.patch(**change)

    assert then.items() <= light.items()
    after = lights.get()
    assert {name: after[name] for name in then if name != "actual"} == {
        name: value for name, value in then.items() if name != "actual"
    }


def test_one_light_leaves_the_others_alone(lights: Lights) -> None:
    led = lights.get("led")
    lights.patch("desk", level=99)

    assert lights.get("led") == led
    assert lights.get("desk")["level"] == 99


# --- fades, effects, flashes --------------------------------------------------------------------------------


async def test_a_fade_has_its_target_at_once_and_settles_there(panel: RunningPanel, lights: Lights) -> None:
    async with live(panel) as screen:
        asked = lights.patch(level=100, transition=60)
        assert (asked["level"], asked["target"], asked["transition"]["seconds"]) == (100, 100, 60)
        assert 40 <= asked["actual"] < 100
        assert lights.http.get("/led").json() == {"level": 100}
        seen = [(await screen.event("light_actual"))["actual"]]
        while len(seen) < 3 or seen[-1] == seen[0]:  # a step may be smaller than what is told of it
            seen.append((await screen.event("light_actual"))["actual"])
        assert seen == sorted(seen)
        assert 40 <= seen[0] < seen[-1] <= 100

        asked = lights.patch(level=99, transition=0.3)
        settled = await screen.event("light_changed", transition=None)
        assert (settled["state"]["level"], settled["state"]["actual"]) == (99, 99)
        assert settled["at"] - asked["transition"]["since"] >= 0.29


async def test_a_new_level_ends_a_fade_where_it_is(panel: RunningPanel, lights: Lights) -> None:
    async with live(panel) as screen:
        lights.patch(level=100, transition=60)
        await screen.event("light_actual")

        light = lights.patch(level=10)

        assert (light["transition"], light["actual"]) == (None, 10)
        await screen.event("light_changed", level=10)
        await screen.caught_up()
        lights.patch("desk", level=1)  # what the fade still had to say would come before this
        assert {event["light"] for event in await screen.caught_up()} == {"desk"}


async def test_a_fade_to_off_keeps_the_level(panel: RunningPanel, lights: Lights) -> None:
    async with live(panel) as screen:
        light = lights.patch(on=False, transition=0.1)
        assert (light["level"], light["target"], light["on"]) == (40, 0, False)

        settled = await screen.event("light_changed", transition=None)
        assert (settled["state"]["actual"], settled["state"]["level"]) == (0, 40)


async def test_an_effect_moves_the_light_and_not_its_level(panel: RunningPanel, lights: Lights) -> None:
    async with live(panel) as screen:
        lights.patch(effect="candle")
        moved = [await screen.event("light_actual") for _ in range(3)]
        assert len({event["actual"] for event in moved}) > 1
        assert all(0 < event["actual"] <= 40 for event in moved)
        assert lights.get()["level"] == 40

        assert lights.patch(effect="none")["actual"] == 40


async def test_a_flash_is_an_event_and_no_change(panel: RunningPanel, lights: Lights) -> None:
    before = lights.get()
    async with live(panel) as screen:
        lights.patch(flash=10, by="doorbell")  # more than a machine that stands still may miss

        flashed = await screen.event("light_flashed")
        assert (flashed["times"], flashed["by"]) == (10, {"name": "doorbell", "via": "rest"})
        bright = await screen.event("light_actual")
        assert bright["actual"] != 40
        await screen.event("light_actual", actual=40)
    after = lights.get()
    assert {name: after[name] for name in ("level", "on", "by", "at", "undo")} == {
        name: before[name] for name in ("level", "on", "by", "at", "undo")
    }


# --- who, and undo ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        pytest.param({"headers": {"X-Client-Name": "Anna"}}, "Anna", id="header"),
        pytest.param({"params": {"name": "Béla"}}, "Béla", id="query"),
        pytest.param({"headers": {"X-Client-Name": "Anna \t  B"}}, "Anna B", id="spaces"),
        pytest.param({"headers": {"X-Client-Name": "x" * 100}}, "x" * 64, id="long"),
        pytest.param({"headers": {"User-Agent": "curl/8.5.0"}}, "curl", id="curl"),
        pytest.param(
            {"headers": {"User-Agent": "Mozilla/5.0 (Linux; Android 14) Chrome/126.0 Safari/537.36"}},
            "Chrome on Android",
            id="a phone",
        ),
        pytest.param({"headers": {"User-Agent": ""}}, "someone", id="nothing"),
    ],
)
def test_who_asked_is_shown(lights: Lights, sent: dict[str, Any], shown: str) -> None:
    light = lights.http.patch("/lights/led", json={"level": 31}, **sent).json()

    assert light["by"]["via"] == "rest"
    assert light["by"]["name"].split("/")[0] == shown
    assert lights.get()["by"] == light["by"]


def test_undo_goes_back_and_forth(lights: Lights) -> None:
    lights.patch(level=20)

    back = lights.undo()
    assert (back.status_code, back.json()["level"]) == (200, 40)
    forth = lights.undo()
    assert (forth.status_code, forth.json()["level"]) == (200, 20)


@pytest.mark.parametrize(
    ("given", "change"),
    [
        ({"level": 80}, {"on": False}),
        ({"on": False}, {"level": 5}),
        ({"effect": "pulse"}, {"level": 5}),
        ({"level": 80}, {"effect": "blink"}),
    ],
)
def test_undo_brings_back_how_the_light_was_set(lights: Lights, given: dict[str, Any], change: dict[str, Any]) -> None:
    before = lights.patch(**given)
    lights.patch(**change)

    after = lights.undo().json()

    assert {part: after[part] for part in ("level", "on", "effect")} == {
        part: before[part] for part in ("level", "on", "effect")
    }


def test_a_drag_is_one_step_of_undo(lights: Lights) -> None:
    def drag(number: int) -> int:
        lights.patch(level=40)
        for level in range(50, 60):
            lights.patch(level=level, by=f"finger {number}")
        back: int = lights.undo().json()["level"]
        return back

    assert any(drag(number) == 40 for number in range(3))  # a machine that stands still parts one in two


def test_a_light_that_nobody_changed_has_nothing_to_undo(lights: Lights) -> None:
    answer = lights.undo("never-touched")

    assert_problem(answer, 409, "nothing-to-undo")
    assert lights.get("never-touched")["undo"] is None
