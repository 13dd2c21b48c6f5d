"""Shows on every protocol: refusals, and ways to end one."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.support.live_client import LiveClient, live
from tests.support.native_command_tables import assert_refused
from tests.support.node_clients import NodeClients
from tests.support.panel_process import END_SECONDS, RunningPanel, eventually
from tests.support.pigpio_board import HOST
from tests.support.pigpiod_standin import StandIn
from tests.support.show_wires import (
    LARGE,
    LIGHTS,
    QUICK,
    write_shows,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


Start = Callable[..., RunningPanel]


PROBLEM = "urn:pilotlight:problem:"


for _ in range(6):
    LARGE["steps"] = [{"repeat": {"times": 1, "steps": LARGE["steps"]}}]


# --- what is refused ----------------------------------------------------------------------------------------


async def test_the_shows_there_are(panel: RunningPanel, http: httpx.AsyncClient, viewer: LiveClient) -> None:
    shows = (await http.get("/shows")).json()["shows"]

    titles = {show["name"]: show["title"] for show in shows}
    assert titles.items() >= {"walk": "Walk", "quick": "Quick", "attention": "Mine", "nolight": "No light"}.items()
    assert {"sunrise", "candle_evening"} <= set(titles)
    assert not {"broken", "wrong", "README"} & set(titles)
    assert viewer.opening["state"]["shows"] == {show["name"]: show for show in shows}
    one = (await http.get("/shows/quick")).json()
    assert (one["title"], one["steps"]) == ("Quick", QUICK["steps"])
    assert one["translations"] == {"zh": {"title": "很快", "description": ""}}
    logged = panel.log().splitlines()
    for name in ("broken.toml", "wrong.json"):
        assert len([text for text in logged if name in text]) == 1, name
    assert not [text for text in logged if "README" in text]


async def test_what_cannot_be_started(http: httpx.AsyncClient, viewer: LiveClient, node: NodeClients) -> None:
    started = (await http.post("/shows/long/start")).json()
    rev, before = (await viewer.ask("ping"))["rev"], (await http.get("/runs")).json()["runs"][1:]
    for show, status, slug in (
        ("nothing", 404, "unknown-show"),
        ("broken", 404, "unknown-show"),
        ("nolight", 400, "bad-show"),
        ("long", 409, "show-running"),
    ):
        response = await http.post(f"/shows/{show}/start")
        assert (response.status_code, response.json()["type"]) == (status, PROBLEM + slug)
        assert_refused(await viewer.ask("start_show", show=show), slug)
    assert "cellar" in (await http.post("/shows/nolight/start")).json()["detail"]
    assert (await http.get("/shows/nothing")).status_code == 404
    assert (await http.post("/shows/walk/start", json={"step": "yes"})).status_code == 400
    assert (await http.post("/shows/walk/start", json={"steps": True})).status_code == 400
    assert (await http.get("/runs")).json()["runs"][1:] == before
    assert (await viewer.ask("ping"))["rev"] >= rev

    page = await node.connect(str(http.base_url).rstrip("/"), namespace="/running_logger")
    asked = {"topic": "running_logger", "msg": "step_debug", "process_instance_id": "long-debug"}
    [problem] = await page.ask("running_logger", asked)
    assert problem["type"] == PROBLEM + "show-running"
    [told] = await page.next("running_logger", lambda args: args[0]["process_instance_id"] == "long-debug")
    assert (told["message"]["level"], told["message"]["msg"]) == ("error", problem["detail"])
    await page.disconnect()
    await http.post(f"/runs/{started['id']}/signal", json={"signal": "stop"})
    await viewer.event("run_changed", run=started["id"], state="ended")
    assert (await http.post("/shows/long/start", json={"step": True})).status_code == 201  # and once more
    again = await viewer.event("run_changed", kind="show", state="paused")
    await http.post(f"/runs/{again['run']}/signal", json={"signal": "stop"})
    await viewer.event("run_changed", run=again["run"], state="ended")


async def test_nobody_else_is_the_producer_of_a_show(
    http: httpx.AsyncClient, viewer: LiveClient, node: NodeClients
) -> None:
    run = (await http.post("/shows/walk/start", json={"step": True})).json()["id"]
    before = (await http.get(f"/runs/{run}")).json()
    for command in (
        {"do": "start_run", "run": run, "name": "mine"},
        {"do": "update_run", "run": run, "progress": 99},
        {"do": "log_run", "run": run, "lines": ["forged"]},
        {"do": "end_run", "run": run},
    ):
        assert_refused(await viewer.ask(**command), "run-of-show")
    assert (await http.post("/runs", json={"id": run, "name": "mine"})).status_code == 409
    page = await node.connect(str(http.base_url).rstrip("/"), namespace="/running_logger")
    for id in (run, "walk"):
        message = {"msg": "forged", "level": "info", "time": "now", "sign": "finished"}
        forged = {"topic": "debug_message", "process_instance_id": id, "message": message}
        [problem] = await page.ask("running_logger", forged)
        assert problem["type"] == PROBLEM + "run-of-show"
    assert (await http.get(f"/runs/{run}")).json() == before
    await page.disconnect()
    await http.post(f"/runs/{run}/signal", json={"signal": "stop"})
    await viewer.event("run_changed", run=run, state="ended")


async def test_the_largest_show_can_be_started(http: httpx.AsyncClient, viewer: LiveClient) -> None:
    response = await http.post("/shows/large/start")
    assert response.status_code == 201, response.text
    ended = await viewer.event("run_changed", run=response.json()["id"], state="ended")
    assert ended["state"]["outcome"] == "done"


# --- what ends a show ---------------------------------------------------------------------------------------


def start_the_long_one(panel: RunningPanel) -> str:
    """The id of the run of a show that never ends by itself, and has begun."""
    run: str = panel.post("/shows/long/start").json()["id"]
    eventually(lambda: panel.get(f"/runs/{run}").json()["lines"] >= 3)
    return run


@pytest.mark.parametrize(("end", "outcome"), [(signal.SIGTERM, "stopped"), (signal.SIGKILL, "lost")])
async def test_a_show_ends_with_the_panel(
    start_panel: Start, tmp_path: Path, server: str, end: int, outcome: str
) -> None:
    write_shows(tmp_path / "data")
    panel = start_panel(data=tmp_path / "data", server=server, lights=LIGHTS)
    run = start_the_long_one(panel)
    async with live(panel) as viewer:
        await viewer.ask("watch_run", run=run)
        took = await asyncio.to_thread(panel.stop, end)
    assert took < END_SECONDS
    panel.start()

    ended = panel.get(f"/runs/{run}").json()
    assert (ended["state"], ended["outcome"], ended["producer"]) == ("ended", outcome, False)
    assert ended["ended_at"] >= ended["started_at"]
    [listed] = [one for one in panel.get("/runs").json()["runs"] if one["id"] == run]
    assert (listed["state"], listed["outcome"]) == ("ended", outcome)
    lines = panel.get(f"/runs/{run}/log").json()["lines"]
    assert len(lines) == ended["lines"] >= 3
    if end == signal.SIGTERM:
        assert [line["msg"] for line in lines[-2:]] == ["The panel is stopping.", "Long was stopped"]
    async with live(panel) as viewer:
        assert viewer.opening["state"]["runs"][run]["outcome"] == outcome
    assert panel.post("/shows/long/start").status_code == 201  # and it can be started again
    panel.restart()
    assert panel.get(f"/runs/{run}").json()["ended_at"] == ended["ended_at"]
    assert "Traceback" not in panel.log()


async def test_a_light_that_goes_offline_fails_the_show(start_panel: Start, tmp_path: Path, pigpiod: StandIn) -> None:
    write_shows(tmp_path / "data")
    panel = start_panel(data=tmp_path / "data", pins="pigpio", pigpio_host=HOST, pigpio_port=pigpiod.port)
    run = start_the_long_one(panel)
    assert pigpiod.duty(21) == pytest.approx(0.07, abs=0.01)
    async with live(panel) as viewer:
        await viewer.ask("watch_run", run=run)
        pigpiod.kill()
        ended = await viewer.event("run_ended", run=run)
    assert (ended["outcome"], ended["exit_code"]) == ("failed", 1)
    *_, fault, last = panel.get(f"/runs/{run}/log", params={"limit": 1000}).json()["lines"]
    assert fault["level"] == "error"
    assert fault["msg"].startswith("steps[0].repeat.steps[0] (Set to 7 %): ")
    assert "pigpiod" in fault["msg"]
    assert (last["msg"], last["level"], last["sign"]) == ("Long failed", "error", "finished")
    pigpiod.start()
    eventually(lambda: panel.light()["online"])
    assert panel.post("/shows/long/start").status_code == 201
    assert "Traceback" not in panel.log()


async def test_nothing_went_wrong_unseen(panel: RunningPanel) -> None:
    assert "Traceback" not in panel.log()
