"""Runs that are pinned or deleted, and runs whose producer is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import pytest

from tests.support.live_client import LiveClient, live
from tests.support.native_command_tables import assert_refused
from tests.support.panel_process import RunningPanel, eventually
from tests.support.python_client import PythonClient
from tests.support.running_logger_events import line
from tests.support.runs_watchers import IDS

pytestmark = pytest.mark.asyncio(loop_scope="module")

Start = Callable[..., RunningPanel]


async def test_a_run_is_pinned_for_everybody(
    http: httpx.AsyncClient, producer: LiveClient, viewer: LiveClient, run: str
) -> None:
    pinned = (await producer.ask("pin_run", run=run))["run"]
    assert pinned["pinned"] is True
    while "pinned" not in (await viewer.event("run_changed", run=run))["state"]:
        pass
    ended = (await producer.ask("end_run", run=run))["run"]
    assert ended["pinned"] is True
    assert (await producer.ask("pin_run", run=run, pinned=False))["run"].get("pinned", False) is False
    assert "pinned" not in (await http.get(f"/runs/{run}")).json()
    assert (await http.post(f"/runs/{run}/pin")).json()["pinned"] is True
    assert (await http.get(f"/runs/{run}")).json()["pinned"] is True
    assert (await http.post(f"/runs/{run}/pin", json={"pinned": False})).status_code == 200
    assert (await http.post("/runs/nobody/pin")).status_code == 404


async def test_a_run_is_deleted_for_everybody(
    http: httpx.AsyncClient, producer: LiveClient, viewer: LiveClient, run: str
) -> None:
    await producer.ask("log_run", run=run, lines=["one"])
    assert_refused(await producer.ask("delete_run", run=run), "run-goes-on")
    assert (await http.delete(f"/runs/{run}")).status_code == 409
    await producer.ask("end_run", run=run)
    assert (await producer.ask("delete_run", run=run))["ok"]
    gone = await viewer.event("run_removed", run=run)
    assert gone["by"] == {"name": "maker", "via": "live"}
    assert run not in (await viewer.ask("get_state"))["snapshot"]["state"]["runs"]
    assert (await http.get(f"/runs/{run}")).status_code == 404
    assert (await http.get(f"/runs/{run}/log")).status_code == 404
    assert_refused(await producer.ask("delete_run", run=run), "unknown-run")
    # and its id is free
    assert (await producer.ask("start_run", run=run, name=run))["run"]["lines"] == 0
    assert (await producer.ask("log_run", run=run, **{"from": 0}, lines=["new"]))["next"] == 1


async def test_a_run_tells_its_command(http: httpx.AsyncClient, producer: LiveClient) -> None:
    id = next(IDS)
    begun = (await producer.ask("start_run", run=id, name="Tests", kind="command", command="pytest -x 'a b'"))["run"]
    assert begun["command"] == "pytest -x 'a b'"
    assert (await producer.ask("start_run", run=id, name="Tests"))["run"]["command"] == "pytest -x 'a b'"
    await producer.ask("end_run", run=id)
    assert (await http.get(f"/runs/{id}")).json()["command"] == "pytest -x 'a b'"
    assert_refused(await producer.ask("start_run", name="x", command="x" * 2001), "bad-command")


async def test_only_so_many_are_pinned(start_panel: Start) -> None:
    panel = start_panel()
    for number in range(51):
        panel.post("/runs", json={"id": f"run-{number}", "name": "x"})
        panel.post(f"/runs/run-{number}/end")
        answer = panel.post(f"/runs/run-{number}/pin", json={})
        assert answer.status_code == (200 if number < 50 else 409)
    assert answer.json()["type"] == "urn:pilotlight:problem:too-many"


async def test_a_pinned_run_outlives_the_others(start_panel: Start) -> None:
    panel = start_panel(keep_runs=2)
    for number in range(15):
        panel.post("/runs", json={"id": f"old-{number}", "name": "x"})
        panel.post(f"/runs/old-{number}/end")
        if number == 0:
            panel.post("/runs/old-0/pin", json={})
    assert await runs_in_state(panel) == {"old-0", *(f"old-{number}" for number in range(5, 15))}
    panel.restart()

    def kept() -> bool:
        return {run["id"] for run in panel.get("/runs").json()["runs"]} == {"old-0", "old-13", "old-14"}

    await asyncio.to_thread(eventually, kept)
    assert "old-0" in await runs_in_state(panel)


async def runs_in_state(panel: RunningPanel) -> set[str]:
    async with live(panel) as viewer:
        return set(viewer.opening["state"]["runs"])


async def test_a_producer_of_the_old_wire_that_is_gone_is_noted(start_panel: Start) -> None:
    panel = start_panel(run_contact=0.5)
    async with live(panel) as viewer:
        worker = await PythonClient.connect(panel.url, namespace="/running_logger")
        assert await worker.ask("running_logger", line("old", "begun")) == []
        assert panel.get("/runs/old").json()["producer"] is True
        await worker.disconnect()
        while "silent_since" not in (await viewer.event("run_changed", run="old"))["state"]:
            pass


async def test_a_producer_that_is_gone_is_noted_until_it_speaks_again(start_panel: Start) -> None:
    panel = start_panel(run_contact=0.5)
    async with live(panel) as viewer, live(panel) as stays:
        await stays.ask("start_run", run="stays", name="Stays")
        async with live(panel) as leaves:
            begun = (await leaves.ask("start_run", run="leaves", name="Leaves"))["run"]
            assert "silent_since" not in begun
        # when its connection is gone, then the run says since when nothing came
        while "silent_since" not in (changed := (await viewer.event("run_changed", run="leaves"))["state"]):
            pass
        assert changed["state"] == "running"
        assert begun["started_at"] <= changed["silent_since"]
        # when it comes back, or says anything over REST, then that is over
        panel.patch("/runs/leaves", {})
        while "silent_since" in (await viewer.event("run_changed", run="leaves"))["state"]:
            pass
        while "silent_since" not in (await viewer.event("run_changed", run="leaves"))["state"]:
            pass
        async with live(panel) as back:
            await back.ask("start_run", run="leaves", name="Leaves")
            while "silent_since" in (await viewer.event("run_changed", run="leaves"))["state"]:
                pass
            assert (await back.ask("end_run", run="leaves"))["run"].get("silent_since") is None
        assert "silent_since" not in panel.get("/runs/stays").json(), "silent for as long, and there"
