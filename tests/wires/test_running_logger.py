"""Running processes as the old pages know them, on `/running_logger` and `/uia`: the contract's section C.

Five stock pages are on the namespace throughout: socket.io-client 3.0.4 and 4.8, each over polling alone and over
WebSocket alone, and Python's, which polls first and then changes over. Runs have new ids in each test.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio
import socketio
from websockets.asyncio.client import ClientConnection, connect

from tests.support.inbox import TIMEOUT, SocketIOClient
from tests.support.live_client import live
from tests.support.node_clients import NodeClients
from tests.support.panel_process import RunningPanel
from tests.support.stock_clients import CLIENTS, Clients, join

pytestmark = pytest.mark.asyncio(loop_scope="module")

TAIL = 200  # lines of a run that a newcomer gets
PROBLEM = "urn:pilotlight:problem:"
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
NO_GRAPH: dict[str, Any] = {"nodes": [], "edges": []}
IDS = (f"process-{number}" for number in itertools.count(1))


def progress(id: str, percent: float, edges: list[Any], graph: dict[str, Any]) -> dict[str, Any]:
    """How far a process is, as producers say it and pages get it."""
    message = {"running_edge": edges, "task_progress": percent, "graph_data": {"graphData": graph}}
    return {"topic": "running_logger", "process_instance_id": id, "message": message}


def line(id: str, msg: Any, level: str = "info", time: Any = "2026-11-21 10:00:00", **sign: Any) -> dict[str, Any]:
    """A line of its log, as producers say it and pages get it."""
    message = {"msg": msg, "level": level, "time": time, **sign}
    return {"topic": "debug_message", "process_instance_id": id, "message": message}


def of(id: str, topic: str | None = None) -> Callable[[Any], bool]:
    """Whether an event is about this process."""
    return lambda args: args[0].get("process_instance_id") == id and topic in (None, args[0]["topic"])


async def told(page: SocketIOClient, id: str, last: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """What the page was told of this process, up to the event for which `last` holds."""
    heard = []
    while not heard or not last(heard[-1]):
        heard.append((await page.next("running_logger", of(id)))[0])
    return heard


def complete(payload: dict[str, Any]) -> bool:
    return payload["message"].get("task_progress") == 100


def lines_in(heard: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [payload for payload in heard if payload["topic"] == "debug_message"]


async def handed(producer: SocketIOClient, event: str = "running_logger") -> dict[str, Any]:
    """The next signal it gets; JavaScript's clients count their way to acknowledge it as an argument."""
    signal, *_ = await producer.next(event, lambda args: "msg" in args[0])
    return dict(signal)


def refused(ack: list[Any], slug: str) -> bool:
    return len(ack) == 1 and ack[0]["type"] == PROBLEM + slug and bool(ack[0]["detail"])


# --- who is there ------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(panel: RunningPanel) -> AsyncIterator[httpx.AsyncClient]:
    """The panel's REST face."""
    async with httpx.AsyncClient(base_url=panel.url, timeout=10) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pages(panel: RunningPanel, node: NodeClients) -> AsyncIterator[Clients]:
    """The five, connected."""
    connected = {name: await join(name, panel, node, "/running_logger") for name in CLIENTS}
    yield connected
    for client in connected.values():
        await client.disconnect()


@pytest_asyncio.fixture(loop_scope="module", params=CLIENTS)
async def producer(request: pytest.FixtureRequest, panel: RunningPanel, node: NodeClients) -> AsyncIterator[Any]:
    """A new connection of each kind in turn, which runs a process."""
    client = await join(request.param, panel, node, "/running_logger")
    yield client
    await client.disconnect()


@pytest_asyncio.fixture(loop_scope="module")
async def worker(panel: RunningPanel, node: NodeClients) -> AsyncIterator[SocketIOClient]:
    """A new connection that runs a process."""
    client = await join("4 websocket", panel, node, "/running_logger")
    yield client
    await client.disconnect()


class Answering:
    """A Python producer that acknowledges what it is sent with an answer, as python-socketio's handlers do."""

    def __init__(self, answer: Any) -> None:
        self.got: list[Any] = []
        self._answer = answer
        self._library = socketio.AsyncClient()
        for namespace in ("/running_logger", "/uia"):
            self._library.on(namespace.lstrip("/"), self._hear(namespace), namespace=namespace)

    async def connect(self, panel: RunningPanel, id: str) -> Answering:
        """Connect to both namespaces, and take the signals of the process on both."""
        await self._library.connect(panel.url, namespaces=["/running_logger", "/uia"])
        await self._library.call("subscribe", {"process_instance_id": id}, namespace="/running_logger")
        await self._library.call("subscribe", {"process_id": id}, namespace="/uia")
        return self

    async def disconnect(self) -> None:
        await self._library.disconnect()

    def _hear(self, namespace: str) -> Callable[[Any], Any]:
        def heard(payload: Any) -> Any:
            if "message" not in payload:
                self.got.append((namespace, payload))
                return self._answer
            return None

        return heard


# --- namespaces --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLIENTS)
async def test_an_unknown_namespace_is_refused(panel: RunningPanel, node: NodeClients, name: str) -> None:
    for namespace in ("/running", "/running_logger/x", "/UIA"):
        with pytest.raises((ConnectionError, socketio.exceptions.ConnectionError)):
            await join(name, panel, node, namespace)


# --- publishing --------------------------------------------------------------------------------------------


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


# --- late pages --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLIENTS)
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


# --- slow pages --------------------------------------------------------------------------------------------


class SlowPage:
    """An old page on a bare WebSocket, in Engine.IO's and Socket.IO's own words, that can stop reading."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def told(self, last: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """What it is told, up to the event for which `last` holds."""
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


# --- signals -----------------------------------------------------------------------------------------------

SIGNALS = [
    {"topic": "running_logger", "msg": "process start"},
    {"topic": "running_logger", "msg": "step_debug"},
    {"topic": "debug_sign", "msg": "debug continue"},
    {"topic": "debug_sign", "msg": "debug stop", "more": ["is", "passed on"]},
]


@pytest.mark.parametrize("how", ["subscribed", "published"])
async def test_signals_reach_whoever_runs_the_process(pages: Clients, producer: SocketIOClient, how: str) -> None:
    id = next(IDS)
    if how == "subscribed":
        assert await producer.ask("subscribe", {"process_instance_id": id}) == []
    else:
        await producer.ask("running_logger", progress(id, 1, [], NO_GRAPH))
    for name, page in pages.items():
        for signal in SIGNALS:
            asked = {**signal, "process_instance_id": id}
            assert await page.ask("running_logger", asked) == [], name
            assert await handed(producer) == asked
    for page in pages.values():
        await page.caught_up()
        assert not [args for args in page.inbox.take("running_logger") if "msg" in args[0]]
    if how == "published":
        await producer.ask("running_logger", line(id, "bye", sign=True))


async def test_step_debug_reaches_whoever_runs_the_process_without_debug(
    pages: Clients, worker: SocketIOClient
) -> None:
    id = next(IDS)
    await worker.ask("subscribe", {"process_instance_id": id})
    asked = {"topic": "running_logger", "msg": "step_debug", "process_instance_id": f"{id}-debug"}

    assert await pages["3 polling"].ask("running_logger", asked) == []
    assert await handed(worker) == asked


async def test_get_uia_is_answered_by_what_is_published(
    panel: RunningPanel, node: NodeClients, producer: SocketIOClient
) -> None:
    id = next(IDS)
    asker, worker, other = [await join(kind, panel, node, "/uia") for kind in ("3 polling", "4 websocket", "python")]
    await worker.ask("subscribe", {"process_id": id})
    asked = {"topic": "uia", "msg": "get_uia", "process_id": id}

    assert await asker.ask("uia", asked) == []
    assert await handed(worker, "uia") == asked

    for message in ({"pins": [21]}, [1, "two"], "text", None, 0):
        said = {"topic": "uia", "process_id": id, "message": message}
        await worker.ask("uia", said)
        for page in (asker, other):
            assert await page.next("uia") == [said]
    for client in (asker, worker, other):
        await client.disconnect()


async def test_a_producer_on_both_namespaces_gets_each_word_where_it_belongs_and_its_ack_is_the_answer(
    panel: RunningPanel, node: NodeClients, http: httpx.AsyncClient, pages: Clients
) -> None:
    id = next(IDS)
    pins = {"pins": [{"pin": 21}]}
    producer = await Answering(pins).connect(panel, id)
    asker, other = await join("4 websocket", panel, node, "/uia"), await join("3 polling", panel, node, "/uia")
    start = {"topic": "running_logger", "msg": "process start", "process_instance_id": id}
    asked = {"topic": "uia", "msg": "get_uia", "process_id": id}

    await pages["3 websocket"].ask("running_logger", start)
    await asker.ask("uia", asked)

    assert await asker.next("uia") == [{"topic": "uia", "process_id": id, "message": pins}]
    assert producer.got == [("/running_logger", start), ("/uia", asked)]
    assert await other.arrived("uia") == []

    # and the same over REST, in the words of the old wire
    await http.post("/runs", json={"id": id, "name": "Old producer"})
    await producer._library.call("subscribe", {"process_instance_id": id}, namespace="/running_logger")
    answer = await http.post(f"/runs/{id}/signal", json={"signal": "stop"})
    assert (answer.status_code, answer.json()) == (200, {"answer": pins})
    stop = {"topic": "debug_sign", "msg": "debug stop", "process_instance_id": id}
    assert producer.got[-1] == ("/running_logger", stop)
    await http.post(f"/runs/{id}/end")
    for client in (producer, asker, other):
        await client.disconnect()


async def test_a_producer_that_does_not_acknowledge_has_got_it_all_the_same(
    http: httpx.AsyncClient, worker: SocketIOClient
) -> None:
    id = next(IDS)
    await worker.ask("running_logger", progress(id, 1, [], NO_GRAPH))

    answer = await http.post(f"/runs/{id}/signal", json={"signal": "pause"})

    assert (answer.status_code, answer.json()["type"]) == (504, PROBLEM + "no-answer")
    got = await handed(worker)
    assert got == {"topic": "debug_sign", "msg": "debug pause", "process_instance_id": id}
    await http.post(f"/runs/{id}/end")


async def test_of_those_who_take_what_nobody_runs_one_gets_it(
    panel: RunningPanel, node: NodeClients, pages: Clients
) -> None:
    kinds = ("3 polling", "4 websocket", "python")
    one, two, own = [await join(kind, panel, node, "/running_logger") for kind in kinds]
    id = next(IDS)
    asked = {"topic": "running_logger", "msg": "process start", "process_instance_id": id}

    async def who_gets_it() -> list[SocketIOClient]:
        assert await pages["4 polling"].ask("running_logger", asked) == []
        there = [client for client in (one, two, own) if client not in gone]
        for client in there:
            await client.caught_up()
        return [client for client in there if asked in [args[0] for args in client.inbox.take("running_logger")]]

    gone: list[SocketIOClient] = []
    await own.ask("subscribe", {"process_instance_id": id})
    for client in (one, two):
        await client.ask("subscribe", {"process_instance_id": "*"})
    assert await who_gets_it() == [own]
    for client, then in ((own, [two]), (two, [one])):
        await client.disconnect()
        gone.append(client)
        while not (got := await who_gets_it()):  # the panel has not noticed yet
            pass
        assert got == then
    await one.disconnect()
    while not await pages["4 polling"].ask("running_logger", asked):  # until the panel has noticed: nobody runs it
        pass


# --- nobody runs it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLIENTS)
async def test_without_a_producer_the_sender_alone_is_told(pages: Clients, name: str) -> None:
    id = next(IDS)
    for signal in SIGNALS:
        ack = await pages[name].ask("running_logger", {**signal, "process_instance_id": id})

        assert refused(ack, "no-producer")
        [said] = await pages[name].next("running_logger", of(id))
        assert said["topic"] == "debug_message"
        assert set(said["message"]) == {"msg", "level", "time"}
        assert (said["message"]["level"], said["message"]["msg"]) == ("error", ack[0]["detail"])
    for page in pages.values():
        assert not [said for said in await page.arrived("running_logger") if said["process_instance_id"] == id]


async def test_without_a_producer_whoever_asks_what_it_drives_alone_is_told(
    panel: RunningPanel, node: NodeClients
) -> None:
    id = next(IDS)
    asker, other = await join("3 polling", panel, node, "/uia"), await join("4 websocket", panel, node, "/uia")

    ack = await asker.ask("uia", {"topic": "uia", "msg": "get_uia", "process_id": id})

    assert refused(ack, "no-producer")
    said = {"topic": "uia", "process_id": id, "message": {"error": ack[0]["detail"]}}
    assert await asker.next("uia") == [said]
    assert await other.arrived("uia") == []
    for client in (asker, other):
        await client.disconnect()


async def test_a_producer_that_leaves_is_no_producer_and_its_run_goes_on(
    panel: RunningPanel, http: httpx.AsyncClient, pages: Clients, producer: SocketIOClient, node: NodeClients
) -> None:
    id = next(IDS)
    async with live(panel) as viewer:
        first = await join("3 websocket", panel, node, "/running_logger")
        await first.ask("running_logger", progress(id, 30, [], NO_GRAPH))
        await viewer.event("run_changed", run=id, producer=True)
        await first.disconnect()
        assert (await viewer.event("run_changed", run=id, producer=False))["state"]["state"] == "running"

        asked = {**SIGNALS[2], "process_instance_id": id}
        assert refused(await pages["python"].ask("running_logger", asked), "no-producer")
        answer = await http.post(f"/runs/{id}/signal", json={"signal": "stop"})
        assert (answer.status_code, answer.json()["type"]) == (409, PROBLEM + "no-producer")

        # another one comes and goes on with it
        await producer.ask("running_logger", line(id, "I am back"))
        assert (await viewer.event("run_changed", run=id, producer=True))["state"]["progress"] == 30
        assert await pages["python"].ask("running_logger", asked) == []
        assert await handed(producer) == asked
        await http.post(f"/runs/{id}/end")


# --- what is no event of this wire -------------------------------------------------------------------------

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
