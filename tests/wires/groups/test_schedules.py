"""Schedules on the wires: made over REST or a socket, told to all, carried out, and there after a crash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from asgi_app.errors import SetupError
from asgi_app.settings import read_settings
from tests.support.live_client import live
from tests.support.panel_process import RunningPanel, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


def made(panel: RunningPanel, **fields: Any) -> dict[str, Any]:
    answer = panel.post("/schedules", json={"do": {"do": "set_light", "light": "led", "level": 77}, **fields})
    assert answer.status_code == 201, answer.text
    schedule: dict[str, Any] = answer.json()
    assert panel.get(f"/schedules/{schedule['id']}").json() == schedule
    return schedule


async def test_a_timer_moves_the_light_and_everybody_hears_of_it(panel: RunningPanel) -> None:
    panel.patch("/lights/led", {"level": 10})
    async with live(panel, name="Ada") as ada:
        timer = made(panel, name="Soon", when={"in": 2})
        assert (await ada.event("schedule_changed"))["state"] == timer
        moved = await ada.event("light_changed", light="led")
        assert (moved["state"]["level"], moved["by"]) == (77, {"name": "Soon", "via": "schedule"})
        assert panel.get("/schedules").json() == {"schedules": []}
        reply = await ada.ask(
            "save_schedule",
            name="On a socket",
            when={"every": 3600},
            command={"do": "set_light", "group": "all", "step": -5},
        )
        schedule = reply["schedule"]
        assert schedule["do"] == {"do": "set_light", "group": "all", "step": -5}
        assert panel.get("/schedules").json() == {"schedules": [schedule]}
        skipped = await ada.ask("skip_schedule", schedule=schedule["id"])
        assert skipped["schedule"] == {**schedule, "skips": True}
        changed = panel.patch(f"/schedules/{schedule['id']}", {"name": "Renamed", "when": {"at": "06:45"}}).json()
        assert (changed["name"], changed["when"], changed["do"]) == ("Renamed", {"at": "06:45"}, schedule["do"])
        async with live(panel) as newcomer:
            assert newcomer.opening["state"]["schedules"] == {schedule["id"]: changed}
        assert panel.delete(f"/schedules/{schedule['id']}").json() == {}
        assert (await ada.ask("get_state"))["snapshot"]["state"]["schedules"] == {}


async def test_they_are_there_after_a_crash_and_what_was_missed_is_run(
    start_panel: Callable[..., RunningPanel],
) -> None:
    panel = start_panel(timezone="Europe/Berlin")
    kept = made(panel, name="Kept", when={"by": "06:45", "days": ["sat", "mon"]})
    made(panel, name="Missed", when={"in": 2}, if_missed="run")
    sun = made(panel, name="Sun", when={"sun": "sunset"})
    assert (sun["next"], "latitude" in sun["why"]) == (None, True)
    panel.kill()
    panel._settings |= {"latitude": 52.5, "longitude": 13.4}
    panel.start()
    eventually(lambda: panel.level() == 77)
    eventually(lambda: len(panel.get("/schedules").json()["schedules"]) == 2)
    first, second = panel.get("/schedules").json()["schedules"]
    assert first == kept
    assert (second["id"], second["why"]) == ("sun", None)
    assert second["next"] is not None


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"timezone": "Europe/Berlim"}, "Did you mean Europe/Berlin?"),
        ({"latitude": 52.5}, "longitude"),
        ({"latitude": 91, "longitude": 0}, "latitude"),
    ],
)
async def test_a_wrong_place_is_said_at_the_start(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(SetupError, match=named.replace("?", r"\?")):
        read_settings(**fields)
