"""Running processes as the old pages know them: slow pages, and events of no kind. Section C."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.support.inbox import TIMEOUT, SocketIOClient
from tests.support.live_client import live
from tests.support.node_clients import NodeClients
from tests.support.panel_process import RunningPanel
from tests.support.running_logger_events import (
    IDS,
    NO_GRAPH,
    complete,
    line,
    lines_in,
    progress,
    refused,
    told,
)
from tests.support.stock_clients import Clients, join

pytestmark = pytest.mark.asyncio(loop_scope="module")


# --- slow pages ---------------------------------------------------------------------------------------------


class SlowPage:
    """An old page on a bare WebSocket, in Engine.IO's and Socket.IO's own words, that can stop reading."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def told(self, last: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """Return the events up to the one for which `last` is true."""
        heard: list[dict[str, Any]] = []
        while not heard or not last(heard[-1]):
            packet = str(await asyncio.wait_for(self.socket.recv(), TIMEOUT))
            if packet.startswith("42/running_logger,"):
                heard.append(json.loads(packet.partition(",")[2])[1])
        return heard


@asynccontextmanager
async def slow_page(panel: RunningPanel) -> AsyncIterator[SlowPage]:
    async with connect(
        panel.socket_url("/socket.io/?EIO=4&transport=websocket"), max_size=None, compression=None
    ) as socket:
        await socket.recv()
        await socket.send("40/running_logger,")
        assert str(await socket.recv()).startswith("40/running_logger,")
        yield SlowPage(socket)


async def test_a_page_that_was_too_slow_is_told_which_lines_it_has_not_got(
    start_panel: Callable[..., RunningPanel], server: str
) -> None:
    panel, count = start_panel(server=server), 20_000
    async with slow_page(panel) as page, live(panel) as source:
        await source.ask("start_run", run="much", name="Much")
        page.socket.transport.pause_reading()
        for start in range(0, count, 1000):
            lines = [f"{number} {'x' * 200}" for number in range(start, start + 1000)]
            await source.ask("log_run", run="much", lines=lines)
        await source.ask("update_run", run="much", progress=50)
        await source.ask("end_run", run="much")
        page.socket.transport.resume_reading()
        heard = await page.told(complete)

    expected, gaps = 0, 0
    for message in (payload["message"] for payload in lines_in(heard)):
        if missing := re.match(r"(\d+) lines are not shown here.* (/runs/much/log\?from=(\d+))", message["msg"]):
            assert int(missing[3]) == expected
            assert panel.get(missing[2]).json()["lines"][0]["msg"].startswith(f"{expected} ")
            expected += int(missing[1])
            gaps += 1
        else:
            assert message["msg"].startswith(f"{expected} ")
            expected += 1
    assert expected == count
    assert gaps


async def test_a_page_that_was_too_slow_ends_on_how_far_every_run_is(
    start_panel: Callable[..., RunningPanel], server: str
) -> None:
    # given a page that reads nothing, while twenty runs with large graphs go on, and every second of them ends
    panel = start_panel(server=server, outbox=8)
    runs = [f"r{number}" for number in range(20)]
    graph = {"nodes": [{"id": "n", "text": "x" * 200_000}], "edges": []}
    async with slow_page(panel) as page:
        for run in runs:
            panel.post("/runs", json={"id": run, "name": run, "graph": graph})
        await page.told(lambda payload: payload["process_instance_id"] == runs[-1])
        page.socket.transport.pause_reading()
        for percent in (5, 10, 15, 20, 25, 30):
            for run in runs:
                panel.patch(f"/runs/{run}", {"progress": percent, "running_edge": [percent]})
        for run in runs[::2]:
            panel.post(f"/runs/{run}/end")

        # when it reads again, then the last it is told of each is the truth
        page.socket.transport.resume_reading()
        panel.post("/runs", json={"id": "last", "name": "last"})
        heard = await page.told(lambda payload: payload["process_instance_id"] == "last")
    seen = {payload["process_instance_id"]: payload["message"]["task_progress"] for payload in heard}
    assert len(heard) < 140, "it was not too slow, and got all 150: it was no test"
    assert seen == {"last": 0, **dict.fromkeys(runs[1::2], 30), **dict.fromkeys(runs[::2], 100)}


# --- what is no event of this wire --------------------------------------------------------------------------


ID = "malformed"


BIG = {"nodes": [{"id": "x" * 300_000}], "edges": []}


MALFORMED: list[tuple[str, list[Any]]] = [
    ("running_logger", []),
    ("running_logger", [None]),
    ("running_logger", ["process start"]),
    ("running_logger", [[1]]),
    ("running_logger", [{}]),
    ("running_logger", [{"topic": "running_logger", "msg": "process start"}]),
    ("running_logger", [{"topic": "running_logger", "msg": "process start", "process_instance_id": None}]),
    ("running_logger", [{"topic": "running_logger", "msg": "process start", "process_instance_id": ""}]),
    ("running_logger", [{"topic": "running_logger", "msg": "process start", "process_instance_id": [ID]}]),
    ("running_logger", [{"topic": "running_logger", "msg": "process start", "process_instance_id": True}]),
    ("running_logger", [{"msg": "process start", "process_instance_id": ID}]),
    ("running_logger", [{"topic": 5, "msg": "process start", "process_instance_id": ID}]),
    ("running_logger", [{"topic": "running_logger", "process_instance_id": ID}]),
    ("running_logger", [{"topic": "running_logger", "msg": "process stop", "process_instance_id": ID}]),
    ("running_logger", [{"topic": "debug_sign", "msg": "process start", "process_instance_id": ID}]),
    ("running_logger", [{"topic": "running_logger", "msg": ["process start"], "process_instance_id": ID}]),
    ("running_logger", [{"topic": "running_logger", "process_instance_id": ID, "message": None}]),
    ("running_logger", [{"topic": "running_logger", "process_instance_id": ID, "message": "hello"}]),
    ("running_logger", [{"topic": "no topic", "process_instance_id": ID, "message": {"msg": "hello"}}]),
    ("running_logger", [{"topic": "debug_message", "process_instance_id": ID, "message": {}}]),
    ("running_logger", [progress(ID, 101, [], NO_GRAPH)]),
    ("running_logger", [progress(ID, -1, [], NO_GRAPH)]),
    ("running_logger", [progress(ID, "50", [], NO_GRAPH)]),  # type: ignore[arg-type]
    ("running_logger", [progress(ID, True, [], NO_GRAPH)]),
    ("running_logger", [progress(ID, 5, ["e"] * 201, NO_GRAPH)]),
    ("running_logger", [progress(ID, 5, [None], NO_GRAPH)]),
    ("running_logger", [progress(ID, 5, [], {})]),
    ("running_logger", [progress(ID, 5, [], {"nodes": [], "edges": [5]})]),
    ("running_logger", [progress(ID, 5, [], {"nodes": [{"id": "\ud800"}], "edges": []})]),
    ("running_logger", [{"topic": "running_logger", "process_instance_id": ID, "message": {"graph_data": [5]}}]),
    ("running_logger", [line(ID, "half a character: \ud800")]),
    ("running_logger", [line(ID, "x", sign="\ud800")]),
    ("running_logger", [line(ID, ["x" * 200_000])]),
    ("running_logger", [line(ID, "x", sign="x" * 200_000)]),
    ("running_logger", [line(ID, "x", time=[5])]),
    ("running_logger", [line("x" * 101, "x")]),
    ("running_logger", [line("with/a slash", "x")]),
    ("running_logger", [line("with\na line", "x")]),
    ("running_logger", [line("half a character \ud800", "x")]),
    ("subscribe", []),
    ("subscribe", [{}]),
    ("subscribe", [{"process_instance_id": [ID]}]),
    ("led", [{"level": 5}]),
]


MALFORMED_UIA: list[tuple[str, list[Any]]] = [
    ("uia", []),
    ("uia", ["get_uia"]),
    ("uia", [{"topic": "uia", "msg": "get_uia"}]),
    ("uia", [{"topic": "uia", "msg": "get_uia", "process_id": {}}]),
    ("uia", [{"topic": "uia", "process_id": ID}]),
    ("uia", [{"topic": "uia", "msg": "set_uia", "process_id": ID}]),
    ("uia", [{"msg": "get_uia", "process_id": ID}]),
    ("subscribe", [{"process_instance_id": ID}]),
    ("running_logger", [line(ID, "x")]),
]


@pytest.mark.parametrize("name", ["3 polling", "4 websocket"])
async def test_what_is_no_event_of_this_wire_is_refused_and_changes_nothing(
    panel: RunningPanel, node: NodeClients, http: httpx.AsyncClient, pages: Clients, name: str
) -> None:
    logger, uia = await join(name, panel, node, "/running_logger"), await join(name, panel, node, "/uia")
    for page in pages.values():
        await page.arrived("running_logger")
    before = (await http.get("/runs")).json()

    for client, cases in ((logger, MALFORMED), (uia, MALFORMED_UIA)):
        for event, args in cases:
            ack = await client.ask(event, *args)
            assert refused(ack, "bad-command"), (event, str(args)[:200], ack)
    assert refused(await logger.ask("running_logger", progress(ID, 5, [], BIG)), "too-large")

    assert (await http.get("/runs")).json() == before
    for page in pages.values():
        assert await page.arrived("running_logger") == []
    assert "Traceback" not in panel.log()
    for client in (logger, uia):
        await client.disconnect()


async def test_one_connection_takes_signals_for_so_many_processes(worker: SocketIOClient) -> None:
    for number in range(100):
        assert await worker.ask("subscribe", {"process_instance_id": f"{ID} {number}"}) == []
    assert refused(await worker.ask("subscribe", {"process_instance_id": f"{ID} 100"}), "bad-command")
    assert await worker.ask("subscribe", {"process_instance_id": f"{ID} 0"}) == []  # again


async def test_a_burst_of_publications_is_told_whole(pages: Clients, worker: SocketIOClient) -> None:
    id, count = next(IDS), 2000
    for number in range(count):
        await worker.emit("running_logger", line(id, str(number)))
    await worker.ask("running_logger", line(id, "end", sign="end"))

    expected = [*(str(number) for number in range(count)), "end"]
    for name, page in pages.items():
        heard = await told(page, id, lambda payload: payload == line(id, "end", sign="end"))
        assert [payload["message"]["msg"] for payload in lines_in(heard)] == expected, name


async def test_nothing_went_wrong_unseen(panel: RunningPanel) -> None:
    assert "Traceback" not in panel.log()
    assert "failed" not in panel.log()
