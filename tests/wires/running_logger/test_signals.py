"""Signals of the old pages reach the producer of the process. The contract's section C."""

from __future__ import annotations

from collections.abc import Callable
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
    NO_GRAPH,
    PROBLEM,
    line,
    of,
    progress,
    refused,
)
from tests.support.stock_clients import EACH_CLIENT, Clients, join

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def handed(producer: SocketIOClient, event: str = "running_logger") -> dict[str, Any]:
    """The next signal it gets; JavaScript's clients count their way to acknowledge it as an argument."""
    signal, *_ = await producer.next(event, lambda args: "msg" in args[0])
    return dict(signal)


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
        await self._library.connect(panel.url, namespaces=["/running_logger", "/uia"], wait_timeout=30)
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


# --- signals ------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("how", ["subscribed", "published", "subscribed, another published"])
async def test_step_debug_reaches_whoever_runs_the_process_without_debug(
    pages: Clients, producer: SocketIOClient, worker: SocketIOClient, how: str
) -> None:
    id = next(IDS)
    asked = {"topic": "running_logger", "msg": "step_debug", "process_instance_id": f"{id}-debug"}
    if how == "subscribed":
        await worker.ask("subscribe", {"process_instance_id": id})
    elif how == "published":
        await worker.ask("running_logger", progress(id, 1, [], NO_GRAPH))
    else:
        await worker.ask("subscribe", {"process_instance_id": f"{id}-debug"})
        await producer.ask("running_logger", progress(id, 1, [], NO_GRAPH))

    assert await pages["3 polling"].ask("running_logger", asked) == []
    assert await handed(worker) == asked
    if "published" in how:
        await worker.ask("running_logger", line(id, "bye", sign=True))


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


# --- nobody runs it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EACH_CLIENT)
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
