"""Shows from every wire: started, stepped, paused, stopped and watched."""

from __future__ import annotations

import httpx
import pytest

from tests.support.live_client import LiveClient
from tests.support.show_wires import (
    LARGE,
    Wire,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


for _ in range(6):
    LARGE["steps"] = [{"repeat": {"times": 1, "steps": LARGE["steps"]}}]


async def levels(http: httpx.AsyncClient) -> tuple[int, int]:
    """What the two lights are set to."""
    lights = (await http.get("/lights")).json()["lights"]
    return lights["desk"]["level"], lights["hall"]["level"]


# --- one show, from each wire -------------------------------------------------------------------------------


async def test_a_show_is_stepped_run_paused_and_stopped_from_every_wire(
    http: httpx.AsyncClient, viewer: LiveClient, wire: Wire
) -> None:
    # given a show that stands before its first step
    for light in ("desk", "hall"):
        await http.patch(f"/lights/{light}", json={"level": 1})
    await wire.start("walk", step=True)
    begun = await viewer.event("run_changed", kind="show", state="paused")
    wire.run = begun["run"]
    watched = await viewer.ask("watch_run", run=wire.run)
    assert (begun["state"]["progress"], begun["state"]["producer"]) == (0, True)
    assert begun["state"]["by"]["name"] != "Walk"
    graph = (await http.get("/shows/walk")).json()["graph"]
    assert watched["graph"] == graph
    assert await levels(http) == (1, 1)

    # when it is let go step by step, then the lights move as it says, and no further
    await wire.signal("continue")
    await viewer.event("run_changed", run=wire.run, state="paused", step="Twenty")
    assert await levels(http) == (10, 10)
    await wire.signal("step")
    await viewer.event("light_changed", light="hall", level=20)
    await viewer.event("run_changed", run=wire.run, state="paused")
    assert await levels(http) == (20, 20)

    # when it runs freely, then it goes on until it waits
    await wire.signal("start")
    running = (await viewer.event("run_changed", run=wire.run, state="running", step="Wait 30 s"))["state"]
    assert await levels(http) == (30, 35)
    edges = {edge["id"] for edge in graph["edges"]}
    assert set(running["running_edge"]) <= edges
    assert running["running_edge"]

    # and tells what it drives
    assert await wire.get_uia() == {
        "pins": [
            {"light": "desk", "pin": 21, "factory": "mock", "frequency": 100, "duty": 0.3, "level": 30},
            {"light": "hall", "pin": 20, "factory": "mock", "frequency": 200, "duty": 0.35, "level": 35},
        ]
    }

    # when it is paused and stopped, then it has ended where it was, and everybody knows
    await wire.signal(wire.pause)
    await viewer.event("run_changed", run=wire.run, state="paused")
    await wire.signal("stop")
    ended = await viewer.event("run_ended", run=wire.run)
    assert (ended["outcome"], ended["exit_code"]) == ("stopped", None)
    assert await levels(http) == (30, 35)
    said = await wire.log()
    assert said[-1] == "Walk was stopped"
    assert len(said) == ended["lines"]
    assert [text for text in said if text in ("Set to 10 %", "Twenty", "2 at once", "Wait 30 s")] == [
        "Set to 10 %",
        "Twenty",
        "2 at once",
        "Wait 30 s",
    ]
    seen = [event for frame in viewer.frames for event in frame.get("events", [])]
    changes = [event["state"] for event in seen if event["event"] == "run_changed" and event["run"] == wire.run]
    assert {edge for change in changes for edge in change["running_edge"]} <= edges
    assert changes[-1]["producer"] is False


async def test_a_show_runs_to_its_end_from_every_wire(http: httpx.AsyncClient, viewer: LiveClient, wire: Wire) -> None:
    await wire.start("quick", step=False)
    wire.run = (await viewer.event("run_changed", kind="show", state="running"))["run"]
    ended = (await viewer.event("run_changed", run=wire.run, state="ended"))["state"]

    assert (ended["outcome"], ended["exit_code"], ended["progress"]) == ("done", 0, 100)
    assert await levels(http) == (80, 60)
    seen = [event for frame in viewer.frames for event in frame.get("events", [])]
    changes = [event["state"] for event in seen if event["event"] == "light_changed" and event["light"] == "desk"]
    fades = [light["transition"]["seconds"] for light in changes if light["level"] == 80 and light["transition"]]
    assert [0 < seconds <= 1 for seconds in fades] == [True], "the light did not fade"
    progress = [
        event["state"]["progress"] for event in seen if event["event"] == "run_changed" and event["run"] == wire.run
    ]
    assert [percent or 0 for percent in progress] == sorted(percent or 0 for percent in progress)
    by = {event["by"]["name"] for event in seen if event["event"] == "light_changed"}
    assert by == {"Quick"}
    assert (await wire.log())[-1] == "Quick is done"
