"""Runs: signals to their producers."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.support.inbox import SocketIOClient
from tests.support.live_client import LiveClient, live
from tests.support.native_command_tables import assert_refused
from tests.support.panel_process import RunningPanel
from tests.support.python_client import PythonClient
from tests.support.runs_watchers import GRAPH, IDS, PROBLEM, watch

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_signal_is_answered_by_the_producer(
    http: httpx.AsyncClient, producer: LiveClient, viewer: LiveClient, run: str
) -> None:
    for word in ("start", "step", "continue", "pause", "stop", "get_uia"):
        for answer in ({"done": word}, [1], "text", 0, False):
            await viewer.send({"do": "signal_run", "id": "s", "run": run, "signal": word})
            event = await producer.event("run_signal", run=run)
            assert set(event) == {"event", "run", "signal", "signal_id", "by"}
            assert (event["signal"], event["by"]) == (word, {"name": "looker", "via": "live"})
            assert (await producer.ask("answer_run", signal_id=event["signal_id"], answer=answer))["ok"]
            assert (await viewer.reply("s"))["answer"] == answer

    asking = asyncio.create_task(http.post(f"/runs/{run}/signal", json={"signal": "stop"}))
    event = await producer.event("run_signal", run=run)
    assert event["by"]["via"] == "rest"
    assert_refused(await viewer.ask("answer_run", signal_id=event["signal_id"], answer="forged"), "bad-command")
    await producer.ask("answer_run", signal_id=event["signal_id"])
    assert (await asking).json() == {"answer": None}
    assert_refused(await producer.ask("answer_run", signal_id=event["signal_id"]), "bad-command")  # twice


async def test_who_runs_a_process_may_signal_it_over_the_same_connection(
    http: httpx.AsyncClient, producer: LiveClient, run: str
) -> None:
    for number in range(20):  # more than may wait at once
        await producer.send({"do": "signal_run", "id": f"s{number}", "run": run, "signal": "step"})
        event = await producer.event("run_signal", run=run)
        assert (await producer.ask("ping"))["ok"]  # nothing waits for the answer
        await producer.ask("answer_run", signal_id=event["signal_id"], answer=number)
        assert (await producer.reply(f"s{number}"))["answer"] == number


async def test_the_same_on_the_panel_namespace(panel: RunningPanel) -> None:
    id = next(IDS)
    client: SocketIOClient = await PythonClient.connect(panel.url, namespace="/panel")
    await client.ask("ask", {"do": "start_run", "run": id, "name": id})
    asking = asyncio.create_task(client.ask("ask", {"do": "signal_run", "run": id, "signal": "stop"}))
    [frame] = await client.next(
        "events", lambda args: any(event["event"] == "run_signal" for event in args[0].get("events", []))
    )
    [signal_id] = [event["signal_id"] for event in frame["events"] if event["event"] == "run_signal"]
    [reply] = await client.ask("ask", {"do": "answer_run", "signal_id": signal_id, "answer": "stopping"})
    assert reply["ok"]
    assert (await asking)[0]["answer"] == "stopping"
    await client.ask("ask", {"do": "end_run", "run": id})
    await client.disconnect()


async def test_a_connection_that_leaves_while_it_waits_for_an_answer(
    panel: RunningPanel, producer: LiveClient, run: str
) -> None:
    async with live(panel) as leaving:
        for number in range(18):
            await leaving.send({"do": "signal_run", "id": number, "run": run, "signal": "step"})
        events = [await producer.event("run_signal", run=run) for _ in range(17)]  # the others wait in the connection
    for event in events:
        await producer.send({"do": "answer_run", "id": "a", "signal_id": event["signal_id"]})
    assert (await producer.ask("ping"))["ok"]
    assert "Traceback" not in panel.log()


async def test_a_producer_that_does_not_answer_in_time_and_one_that_leaves(
    panel: RunningPanel, server: str, http: httpx.AsyncClient, viewer: LiveClient, run: str
) -> None:
    silent = asyncio.create_task(http.post(f"/runs/{run}/signal", json={"signal": "stop"}))
    id = next(IDS)
    async with live(panel) as leaving:
        await leaving.ask("start_run", run=id, name=id)
        await viewer.send({"do": "signal_run", "id": "left", "run": id, "signal": "stop"})
        await leaving.event("run_signal", run=id)
    assert_refused(await viewer.reply("left"), "no-producer")
    assert_refused(await viewer.ask("signal_run", run=id, signal="stop"), "no-producer")
    await http.post(f"/runs/{id}/end")
    if server == "hypercorn":  # 10 s once are enough
        silent.cancel()
        return
    answer = await silent
    assert (answer.status_code, answer.json()["type"]) == (504, PROBLEM + "no-answer")


async def test_a_producer_that_is_lost_and_comes_back_goes_on(
    panel: RunningPanel, http: httpx.AsyncClient, viewer: LiveClient
) -> None:
    id = next(IDS)
    async with live(panel) as before:
        await before.ask("start_run", run=id, name="first", graph=GRAPH)
        await before.ask("log_run", run=id, **{"from": 0}, lines=["0", "1"])
        seen = await watch(viewer, id)
        before.socket.transport.abort()
        await viewer.event("run_changed", run=id, producer=False)
    async with live(panel) as after:
        again = (await after.ask("start_run", run=id, name="second"))["run"]
        assert (again["name"], again["lines"], again["producer"], again["state"]) == ("second", 2, True, "running")
        assert (await after.ask("log_run", run=id, **{"from": 1}, lines=["1", "2"]))["next"] == 3
        await viewer.send({"do": "signal_run", "id": 1, "run": id, "signal": "pause"})
        event = await after.event("run_signal", run=id)
        await after.ask("answer_run", signal_id=event["signal_id"], answer="paused")
        assert (await viewer.reply(1))["answer"] == "paused"
        # one that connects while the old connection is not known to be gone takes over, and its leaving costs nothing
        async with live(panel) as third:
            await third.ask("start_run", run=id, name="third")
            await after.socket.close()
            assert (await third.ask("update_run", run=id, progress=1))["run"]["producer"] is True
            assert (await http.get(f"/runs/{id}")).json()["graph"] == GRAPH
            await third.ask("end_run", run=id)
    for frame in viewer.frames:
        for event in frame.get("events", []):
            seen.apply(event)
    await seen.until(viewer, lambda seen: seen.ended is not None)
    assert seen.lines == ["0", "1", "2"]


async def test_the_panel_namespace_speaks_the_same_words(panel: RunningPanel, viewer: LiveClient) -> None:
    id = next(IDS)
    maker: SocketIOClient = await PythonClient.connect(panel.url, namespace="/panel")
    looker: SocketIOClient = await PythonClient.connect(panel.url, namespace="/panel")

    async def event(client: SocketIOClient, name: str) -> dict[str, Any]:
        [frame] = await client.next("events", lambda args: any(e["event"] == name for e in args[0].get("events", [])))
        return next(dict(event) for event in frame["events"] if event["event"] == name)

    [reply] = await maker.ask("ask", {"do": "start_run", "run": id, "name": id, "graph": GRAPH})
    assert reply["ok"]
    [reply] = await looker.ask("ask", {"do": "watch_run", "run": id})
    assert (reply["graph"], reply["log"]) == (GRAPH, {"from": 0, "next": 0, "lines": []})
    [reply] = await maker.ask("ask", {"do": "log_run", "run": id, "lines": ["hello"]})
    assert reply["next"] == 1
    logged = await event(looker, "run_log")
    assert (logged["from"], logged["lines"][0]["msg"]) == (0, "hello")
    asking = asyncio.create_task(looker.ask("ask", {"do": "signal_run", "run": id, "signal": "stop"}))
    asked = await event(maker, "run_signal")
    await maker.ask("ask", {"do": "answer_run", "signal_id": asked["signal_id"], "answer": "stopping"})
    assert (await asking)[0]["answer"] == "stopping"
    await maker.ask("ask", {"do": "end_run", "run": id})
    assert (await event(looker, "run_ended"))["lines"] == 1
    for client in (maker, looker):
        await client.disconnect()
