"""Running processes on the old pages: presence, publishing, late pages. Section C."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest
import socketio

from tests.support.inbox import SocketIOClient
from tests.support.live_client import live
from tests.support.node_clients import NodeClients
from tests.support.panel_process import RunningPanel
from tests.support.running_logger_events import (
    IDS,
    complete,
    line,
    lines_in,
    of,
    progress,
    told,
)
from tests.support.stock_clients import EACH_CLIENT, Clients, join

pytestmark = pytest.mark.asyncio(loop_scope="module")


TAIL = 200  # lines of a run that a newcomer gets


NODES = [
    {"id": "a", "type": "circle", "x": 10, "y": 20.5, "text": "Start", "properties": {}},
    {"id": "b", "type": "rect", "x": 10, "y": 90, "text": {"value": "灯", "x": 10, "y": 90}, "properties": {"n": [1]}},
]


EDGE = {
    "id": "e1",
    "type": "polyline",
    "sourceNodeId": "a",
    "targetNodeId": "b",
    "text": "",
    "properties": {},
    "pointsList": [{"x": 10, "y": 40}, {"x": 10, "y": 60}],
}


GRAPH = {"nodes": NODES, "edges": [EDGE]}


# --- namespaces ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EACH_CLIENT)
async def test_an_unknown_namespace_is_refused(panel: RunningPanel, node: NodeClients, name: str) -> None:
    for namespace in ("/running", "/running_logger/x", "/UIA"):
        with pytest.raises((ConnectionError, socketio.exceptions.ConnectionError)):
            await join(name, panel, node, namespace)


# --- publishing ---------------------------------------------------------------------------------------------


async def test_what_a_producer_publishes_reaches_every_page_and_every_wire(
    panel: RunningPanel, http: httpx.AsyncClient, pages: Clients, producer: SocketIOClient
) -> None:
    # given a process whose first word said how far it is, and somebody who watches it on the native wire
    id = next(IDS)
    begun = progress(id, 20, ["e1"], GRAPH)
    said = [
        line(id, "hello"),
        line(id, "Ünïcødé 灯 <b>", "error"),
        line(id, {"any": [1, None]}, "debug", "yesterday"),
        line(id, "done", sign="finished"),
    ]
    async with live(panel) as viewer:
        assert await producer.ask("running_logger", begun) == []
        assert (await viewer.event("run_changed", run=id, progress=20))["state"]["producer"] is True
        watched = await viewer.ask("watch_run", run=id)
        assert (watched["graph"], watched["run"]["lines"]) == (GRAPH, 0)

        # when it logs, and its last line says that it has finished
        for payload in said:
            assert await producer.ask("running_logger", payload) == []

        # then every page gets what was published as it was published, in order, and then that it is complete
        for name, page in pages.items():
            heard = await told(page, id, complete)
            assert begun in heard, name
            assert lines_in(heard) == said, name
            assert heard[-1] == progress(id, 100, [], GRAPH), name

        # and so do a native viewer, in lines that follow each other, and REST
        logged: list[Any] = []
        ended = None
        while ended is None:
            for event in (await viewer.next()).get("events", []):
                if event["event"] == "run_log":
                    assert event["from"] == len(logged)
                    logged += event["lines"]
                elif event["event"] == "run_ended":
                    ended = event
    assert logged == [payload["message"] for payload in said]
    assert (ended["lines"], ended["outcome"], ended["exit_code"]) == (4, "done", None)
    run = (await http.get(f"/runs/{id}")).json()
    assert (run["state"], run["graph"], run["kind"], run["name"]) == ("ended", GRAPH, "process", id)
    kept = (await http.get(f"/runs/{id}/log")).json()["lines"]
    assert kept == [{"sign": None, **payload["message"]} for payload in said]


async def test_what_is_published_over_rest_reaches_old_pages_in_their_shape(
    http: httpx.AsyncClient, pages: Clients
) -> None:
    id = next(IDS)
    await http.post("/runs", json={"id": id, "name": "Over REST", "graph": GRAPH})
    for page in pages.values():
        assert (await page.next("running_logger", of(id)))[0] == progress(id, 0, [], GRAPH)

    await http.patch(f"/runs/{id}", json={"progress": 40, "running_edge": ["e1", 2]})
    for page in pages.values():
        assert (await page.next("running_logger", of(id)))[0] == progress(id, 40, ["e1", 2], GRAPH)

    other = {"nodes": [NODES[0]], "edges": []}
    await http.patch(f"/runs/{id}", json={"graph": {"graphData": other}})  # a graph and nothing else
    for page in pages.values():
        assert (await page.next("running_logger", of(id)))[0] == progress(id, 40, ["e1", 2], other)

    lines: list[Any] = ["text", {"msg": 5, "time": 0}, {"msg": "far", "time": 1e300}, {"msg": "x", "sign": True}]
    assert (await http.post(f"/runs/{id}/log", json={"lines": lines})).json() == {"next": 4}
    await http.post(f"/runs/{id}/end", json={"exit_code": 0})
    for page in pages.values():
        heard = await told(page, id, complete)
        text, at_zero, far, signed = (payload["message"] for payload in lines_in(heard))
        assert (set(text), text["msg"], text["level"]) == ({"msg", "level", "time"}, "text", "info")
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", text["time"])
        assert (at_zero["msg"], at_zero["time"][:2]) == (5, "19")
        assert far["msg"] == "far"
        assert signed["sign"] is True
        assert heard[-1] == progress(id, 100, [], other)


async def test_a_run_that_has_ended_and_is_published_to_again_goes_on(
    http: httpx.AsyncClient, pages: Clients, worker: SocketIOClient
) -> None:
    id = next(IDS)
    await worker.ask("running_logger", progress(id, 50, [], GRAPH))
    await worker.ask("running_logger", line(id, "one", sign="finished"))
    page = pages["3 polling"]
    await told(page, id, complete)

    await worker.ask("running_logger", line(id, "two"))
    await worker.ask("running_logger", line(id, "three"))

    heard = await told(page, id, lambda payload: payload == line(id, "three"))
    assert lines_in(heard) == [line(id, "two"), line(id, "three")]
    run = (await http.get(f"/runs/{id}")).json()
    assert (run["state"], run["lines"], run["outcome"], run["graph"]) == ("running", 3, None, GRAPH)
    log = (await http.get(f"/runs/{id}/log", params={"from": 1})).json()
    assert [(log["from"], log["next"])] == [(1, 3)]
    assert [kept["msg"] for kept in log["lines"]] == ["two", "three"]
    await worker.ask("running_logger", line(id, "four", sign="finished"))
    assert (await http.get(f"/runs/{id}")).json()["outcome"] == "done"
    assert [run["id"] for run in (await http.get("/runs")).json()["runs"]].count(id) == 1


# --- late pages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EACH_CLIENT)
async def test_a_late_page_gets_the_end_of_the_log_and_then_every_line_once(
    panel: RunningPanel, node: NodeClients, name: str
) -> None:
    # given a run that logs while a page comes
    id, count = next(IDS), 1150
    async with live(panel) as source:
        await source.ask("start_run", run=id, name="Long", graph=GRAPH)
        await source.ask("update_run", run=id, progress=7)
        await source.ask("log_run", run=id, lines=[str(number) for number in range(1000)])

        async def go_on() -> None:
            for number in range(1000, count):
                await source.ask("log_run", run=id, lines=[str(number)])

        going = asyncio.create_task(go_on())
        page = await join(name, panel, node, "/running_logger")

        # then it gets how far it is, the end of the log, and all that follows: no line twice, none left out
        heard = await told(page, id, lambda payload: payload["message"].get("msg") == str(count - 1))
        await going
        numbers = [int(payload["message"]["msg"]) for payload in lines_in(heard)]
        assert heard[0] == progress(id, 7, [], GRAPH)
        assert numbers == list(range(numbers[0], count))
        assert numbers[0] >= 1000 - TAIL
        assert len(numbers) >= TAIL
        await source.ask("end_run", run=id)
    await page.disconnect()


@pytest.mark.parametrize("name", ["4 polling"])
async def test_a_late_page_gets_the_end_of_every_log_however_many(
    panel: RunningPanel, node: NodeClients, http: httpx.AsyncClient, name: str
) -> None:
    ids = [next(IDS) for _ in range(15)]
    text = "\n".join(str(number) for number in range(300))
    for id in ids:
        await http.post("/runs", json={"id": id, "name": id})
        await http.post(f"/runs/{id}/log", content=text, headers={"Content-Type": "text/plain"})

    page = await join(name, panel, node, "/running_logger")

    for id in ids:
        heard = await told(page, id, lambda payload: payload["message"].get("msg") == "299")
        assert [payload["message"]["msg"] for payload in lines_in(heard)] == [str(n) for n in range(100, 300)]
        await http.post(f"/runs/{id}/end")
    await page.disconnect()
