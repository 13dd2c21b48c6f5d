"""Shows from every wire: started, stepped, paused, stopped and watched, and what ends them."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support.inbox import SocketIOClient
from tests.support.live_client import LiveClient, live
from tests.support.native_command_tables import assert_refused
from tests.support.node_clients import NodeClients
from tests.support.panel_process import RunningPanel, eventually
from tests.support.pigpiod_standin import HOST, StandIn
from tests.support.stock_clients import join

pytestmark = pytest.mark.asyncio(loop_scope="module")

Start = Callable[..., RunningPanel]

PROBLEM = "urn:pilotlight:problem:"
LIGHTS = "[lights.desk]\npin = 21\n\n[lights.hall]\npin = 20\nfrequency = 200\n"
WALK = """
title = "Walk"
description = "Four levels, then a long wait."
steps = [
    {set = {level = 10}},
    {set = {level = 20}, label = "Twenty"},
    {parallel = {branches = [[{set = {light = "desk", level = 30}}], [{set = {light = "hall", level = 35}}]]}},
    {wait = {seconds = 30}},
]
"""
QUICK: dict[str, Any] = {
    "title": "Quick",
    "translations": {"zh": {"title": "很快"}},
    "steps": [
        {"set": {"level": 0}},
        {"fade": {"light": "desk", "level": 80, "seconds": 0.3}},
        {"repeat": {"times": 2, "steps": [{"set": {"light": "hall", "level": 60}}, {"wait": {"seconds": 0.05}}]}},
    ],
}
LONG: dict[str, Any] = {
    "title": "Long",
    "steps": [{"repeat": {"times": 0, "steps": [{"set": {"level": 7}}, {"wait": {"seconds": 0.1}}]}}],
}
LARGE: dict[str, Any] = {
    "title": "Large",
    "steps": [{"repeat": {"times": 1, "steps": [{"label": "é" * 64, "wait": {"seconds": 0}}] * 450}}],
}
for _ in range(6):
    LARGE["steps"] = [{"repeat": {"times": 1, "steps": LARGE["steps"]}}]
FILES = {
    "walk.toml": WALK,
    "quick.json": json.dumps(QUICK),
    "long.json": json.dumps(LONG),
    "large.json": json.dumps(LARGE),
    "attention.toml": 'title = "Mine"\nsteps = [{set = {on = false}}]\n',
    "nolight.toml": 'title = "No light"\nsteps = [{set = {light = "cellar", level = 5}}]\n',
    "broken.toml": "title = ",
    "wrong.json": '{"title": "Wrong", "steps": [{"set": {"level": 101}}]}',
    "README.md": "no show",
}


def write_shows(data: Path) -> None:
    (data / "shows").mkdir(parents=True)
    for name, text in FILES.items():
        (data / "shows" / name).write_text(text)


@pytest.fixture(scope="module")
def panel(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel with two lights and shows of its own."""
    data = tmp_path_factory.mktemp("panel") / "data"
    write_shows(data)
    with RunningPanel(data, server=server, lights=LIGHTS) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(panel: RunningPanel) -> AsyncIterator[httpx.AsyncClient]:
    """The panel's REST face."""
    async with httpx.AsyncClient(base_url=panel.url, timeout=10) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def viewer(panel: RunningPanel) -> AsyncIterator[LiveClient]:
    """Somebody who looks on, on the native wire."""
    async with live(panel, agent="looker") as client:
        yield client


async def levels(http: httpx.AsyncClient) -> tuple[int, int]:
    """What the two lights are set to."""
    lights = (await http.get("/lights")).json()["lights"]
    return lights["desk"]["level"], lights["hall"]["level"]


# --- the wires ---------------------------------------------------------------------------------------------


class Wire:
    """One way to a show. `pause` is the word that makes a running show stand still; `run` is the run's id."""

    pause = "pause"
    run = ""

    async def start(self, show: str, *, step: bool) -> None:
        raise NotImplementedError

    async def signal(self, word: str) -> None:
        raise NotImplementedError

    async def get_uia(self) -> dict[str, Any]:
        raise NotImplementedError

    async def log(self) -> list[str]:
        """What the log of the run that has ended says, as this wire was told it."""
        raise NotImplementedError

    async def close(self) -> None:
        """Leave."""


class OldWire(Wire):
    """`/running_logger` and `/uia`, in the words of the old pages."""

    pause = "step"  # they have no other word for it
    words = {  # noqa: RUF012
        "start": ("running_logger", "process start"),
        "step": ("running_logger", "step_debug"),
        "continue": ("debug_sign", "debug continue"),
        "stop": ("debug_sign", "debug stop"),
    }

    def __init__(self, page: SocketIOClient, uia: SocketIOClient) -> None:
        self._page = page
        self._uia = uia
        self._instance = ""

    async def start(self, show: str, *, step: bool) -> None:
        self._instance = f"{show}-debug" if step else show
        await self.signal("step" if step else "start")

    async def signal(self, word: str) -> None:
        topic, msg = self.words[word]
        payload = {"topic": topic, "msg": msg, "process_instance_id": self._instance}
        assert await self._page.ask("running_logger", payload) == []

    async def get_uia(self) -> dict[str, Any]:
        asked = {"topic": "uia", "msg": "get_uia", "process_id": self._instance}
        assert await self._uia.ask("uia", asked) == []
        [told] = await self._uia.next("uia")
        assert (told["topic"], told["process_id"]) == ("uia", self._instance)
        return dict(told["message"])

    async def log(self) -> list[str]:
        said: list[str] = []
        while True:
            [told] = await self._page.next(
                "running_logger",
                lambda args: args[0]["topic"] == "debug_message" and args[0]["process_instance_id"] == self._instance,
            )
            said.append(told["message"]["msg"])
            if told["message"].get("sign"):
                return said

    async def close(self) -> None:
        await self._page.disconnect()
        await self._uia.disconnect()


class Native(Wire):
    """The panel's own words, whatever carries them: `ask(command)` is the reply."""

    def __init__(self, ask: Callable[..., Any], close: Callable[[], Any]) -> None:
        self._ask = ask
        self._close = close

    async def start(self, show: str, *, step: bool) -> None:
        await self._done(do="start_show", show=show, step=step)

    async def signal(self, word: str) -> None:
        assert (await self._done(do="signal_run", run=self.run, signal=word))["answer"] == {"signal": word}

    async def get_uia(self) -> dict[str, Any]:
        return dict((await self._done(do="signal_run", run=self.run, signal="get_uia"))["answer"])

    async def log(self) -> list[str]:
        return [line["msg"] for line in (await self._done(do="watch_run", run=self.run))["log"]["lines"]]

    async def close(self) -> None:
        await self._close()

    async def _done(self, **command: Any) -> dict[str, Any]:
        reply = await self._ask(command)
        assert reply["ok"], reply
        return dict(reply)


class Rest(Wire):
    """REST."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def start(self, show: str, *, step: bool) -> None:
        response = await self._http.post(f"/shows/{show}/start", json={"step": step})
        assert response.status_code == 201, response.text

    async def signal(self, word: str) -> None:
        response = await self._http.post(f"/runs/{self.run}/signal", json={"signal": word})
        assert response.json() == {"answer": {"signal": word}}

    async def get_uia(self) -> dict[str, Any]:
        return dict((await self._http.post(f"/runs/{self.run}/signal", json={"signal": "get_uia"})).json()["answer"])

    async def log(self) -> list[str]:
        return [line["msg"] for line in (await self._http.get(f"/runs/{self.run}/log")).json()["lines"]]


WIRES = ("old 3 polling", "old 4 websocket", "old python", "/live", "/panel python", "rest")


@pytest_asyncio.fixture(loop_scope="module", params=WIRES)
async def wire(
    request: pytest.FixtureRequest, panel: RunningPanel, node: NodeClients, http: httpx.AsyncClient
) -> AsyncIterator[Wire]:
    """Each wire in turn."""
    made: Wire
    name: str = request.param
    if name.startswith("old "):
        made = OldWire(await join(name[4:], panel, node, "/running_logger"), await join(name[4:], panel, node, "/uia"))
    elif name == "/live":
        context = live(panel, agent="wire")
        client = await context.__aenter__()

        async def ask_live(command: dict[str, Any]) -> Any:
            return await client.ask(**command)

        made = Native(ask_live, lambda: context.__aexit__(None, None, None))
    elif name == "/panel python":
        python = await join("python", panel, node, "/panel")
        ids = itertools.count(1)

        async def ask_panel(command: dict[str, Any]) -> Any:
            return (await python.ask("ask", {"id": next(ids), **command}))[0]

        made = Native(ask_panel, python.disconnect)
    else:
        made = Rest(http)
    yield made
    await made.close()


# --- one show, from each wire ------------------------------------------------------------------------------


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
    fading = [event["actual"] for event in seen if event["event"] == "light_actual" and event["light"] == "desk"]
    assert any(0 < level < 80 for level in fading), "the light did not fade"
    progress = [
        event["state"]["progress"] for event in seen if event["event"] == "run_changed" and event["run"] == wire.run
    ]
    assert [percent or 0 for percent in progress] == sorted(percent or 0 for percent in progress)
    by = {event["by"]["name"] for event in seen if event["event"] == "light_changed"}
    assert by == {"Quick"}
    assert (await wire.log())[-1] == "Quick is done"


# --- what is refused ---------------------------------------------------------------------------------------


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


# --- what ends a show --------------------------------------------------------------------------------------


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
    assert took < 2
    panel.start()

    ended = panel.get(f"/runs/{run}").json()
    assert (ended["state"], ended["outcome"], ended["producer"]) == ("ended", outcome, False)
    assert ended["ended_at"] >= ended["started_at"]
    [listed] = [one for one in panel.get("/runs").json()["runs"] if one["id"] == run]
    assert (listed["state"], listed["outcome"]) == ("ended", outcome)
    lines = panel.get(f"/runs/{run}/log").json()["lines"]
    assert len(lines) == ended["lines"] >= 3
    if end == signal.SIGTERM:
        assert [line["msg"] for line in lines[-2:]] == ["the panel is stopping", "Long was stopped"]
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
