"""Coming back to Socket.IO after a cut: the same sid and rooms, nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import async_playwright

from asgi_app.ws.socketio.recovery import OFFSET
from tests.conftest import EVERY_WAY, each_of
from tests.support.browser import launch
from tests.support.cuttable_line import Line
from tests.support.inbox import SocketIOClient
from tests.support.node_clients import NodeClient, NodeClients
from tests.support.panel_process import RunningPanel
from tests.support.python_client import PythonClient
from tests.support.rooms_clients import BY_ITSELF

server = each_of(*EVERY_WAY, matters=False)


pytestmark = pytest.mark.asyncio(loop_scope="module")


QUICKLY = {"reconnectionDelay": 50, "reconnectionDelayMax": 100, "timeout": 20_000}


WAYS: dict[str, dict[str, Any]] = {
    "websocket": {"transport": "websocket"},
    "polling": {"transport": "polling"},
    "upgrading": {"transports": ["polling", "websocket"]},
}


async def page(line: Line, node: NodeClients, namespace: str = "/", **options: Any) -> NodeClient:
    """An old page at the other end of the line, that has its opening."""
    client = await node.connect(line.url, namespace=namespace, **({"transport": "websocket"} | QUICKLY | options))
    await client.next(OFFSET)
    return client


async def came_back(client: NodeClient) -> bool:
    """Wait until it is connected again; whether it was recovered."""
    recovered, _ = await client.next("connect")
    return bool(recovered)


async def mended(line: Line, client: NodeClient, away: float = 0.0) -> bool:
    """After a cut, mend the line in so many seconds, and wait for the client; whether it was recovered."""
    await client.next("disconnect")
    await asyncio.sleep(away)
    line.mend()
    return await came_back(client)


async def told(client: SocketIOClient) -> list[Any]:
    """What `my_response` said until now, but for the panel's own events."""
    said = await client.arrived("my_response")
    return [saying["data"] for saying in said if saying["data"] != BY_ITSELF]


async def room_list(client: SocketIOClient) -> set[str]:
    await client.emit("leave", {"room": "a room that it is not in"})
    return set((await told(client))[-1].removeprefix("In rooms: ").split(", "))


# --- what the cut does not take -----------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("noticed", [True, False], ids=["noticed", "unnoticed"])
async def test_a_cut_under_events_loses_none_and_doubles_none(
    line: Line, node: NodeClients, other: NodeClient, server: str, way: str, noticed: bool
) -> None:
    client = await page(line, node, **WAYS[way])
    await told(client)
    stream = Stream(other, 30, every=0.015)
    await client.next("my_response", lambda args: args[0]["data"] == 10)

    async with stream.between_writes(server, client):
        line.cut(noticed=noticed)
    assert await mended(line, client, 0.1)

    await stream.sent()
    assert await told(client) == [*range(10), *range(11, 30)]
    await client.disconnect()


class Stream:
    """Numbers that are broadcast, one every so many seconds."""

    def __init__(self, sender: NodeClient, count: int, *, every: float) -> None:
        self._sender = sender
        self._going = asyncio.Event()
        self._going.set()
        self._task = asyncio.create_task(self._send(count, every))

    async def _send(self, count: int, every: float) -> None:
        for number in range(count):
            await self._going.wait()
            await self._sender.emit("my_broadcast_event", {"data": number})
            await asyncio.sleep(every)

    async def sent(self) -> None:
        """Wait until all were sent."""
        await self._task
        await self._sender.caught_up()

    @asynccontextmanager
    async def between_writes(self, server: str, client: NodeClient) -> AsyncIterator[None]:
        """Nothing is under way where an event and its offset are two writes: a cut between them is that event twice."""
        if server != "uvicorn":
            self._going.clear()
            await self._sender.caught_up()
            await client.caught_up()
        yield
        self._going.set()


@pytest.mark.parametrize("server", ["uvicorn"], scope="module", indirect=True)
async def test_an_unmodified_page_in_a_browser_comes_back(line: Line, other: NodeClient) -> None:
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        tab = await browser.new_page()
        await tab.goto(line.url + "/lab")
        await tab.evaluate("""() => {
            window.heard = [], window.recovered = null;
            const socket = io({ forceNew: true, reconnectionDelay: 50 });
            socket.on('connect', () => { window.recovered = socket.recovered; });
            socket.on('disconnect', () => { window.recovered = null; });
            socket.on('my_response', (msg, cb) => { window.heard.push(msg.data); if (cb) cb(); });
        }""")
        await tab.wait_for_function("() => window.heard.includes('Connected')")
        stream = Stream(other, 30, every=0.015)
        await tab.wait_for_function("() => window.heard.includes(5)")
        line.cut()
        await tab.wait_for_function("() => window.recovered === null")
        line.mend()
        await tab.wait_for_function("() => window.recovered === true")
        await stream.sent()
        await tab.wait_for_function("() => window.heard.includes(29)")
        heard = await tab.evaluate("() => window.heard")
        assert [data for data in heard if data != BY_ITSELF] == ["Connected", *range(30)]
        await browser.close()


async def test_cut_again_and_again_it_still_has_each_event_once(
    line: Line, node: NodeClients, other: NodeClient, server: str
) -> None:
    client = await page(line, node)
    await told(client)
    stream = Stream(other, 60, every=0.02)
    for _ in range(4):
        await asyncio.sleep(0.1)
        async with stream.between_writes(server, client):
            line.cut()
        assert await mended(line, client, 0.05)
    await stream.sent()
    assert await told(client) == list(range(60))
    await client.disconnect()


@pytest.mark.parametrize("way", WAYS)
async def test_what_it_says_while_it_is_away_is_said_once_and_in_order(
    line: Line, node: NodeClients, other: NodeClient, way: str
) -> None:
    client = await page(line, node, **WAYS[way])
    await told(client)
    line.cut()
    await client.next("disconnect")
    for number in range(100):
        await client.emit("my_broadcast_event", {"data": number})
    await told(other)
    line.mend()
    assert await came_back(client)
    assert await told(client) == list(range(100))
    assert await told(other) == list(range(100))
    await client.disconnect()


async def test_it_has_its_sid_its_rooms_and_its_count_and_nothing_is_said_twice(
    line: Line, panel: RunningPanel, node: NodeClients, other: NodeClient
) -> None:
    panel.post("/led", json={"level": 20})
    client = await page(line, node)
    await client.ask("join", {"room": "kitchen"})
    rooms = await room_list(client)
    [sid] = rooms - {"kitchen"}
    assert await client.arrived("led") == [{"level": 20}]

    line.cut()
    await client.next("disconnect")
    for room, data in (("kitchen", "to a room"), (sid, "to its own room"), ("attic", "to another room")):
        await other.ask("my_room_event", {"room": room, "data": data})
    panel.post("/led", json={"level": 30})
    panel.post("/led", json={"level": 40})
    line.mend()

    assert await client.next("connect") == [True, sid]
    await client.emit("my_event", {"data": "the count"})
    [response] = [said for said in await client.arrived("my_response") if said["data"] == "the count"]
    assert response["count"] == 3
    assert await client.arrived("led") == [{"level": 30}, {"level": 40}]
    assert await room_list(client) == rooms
    await client.disconnect()


async def test_what_it_missed_comes_in_order_and_bytes_are_whole(
    line: Line, node: NodeClients, other: NodeClient
) -> None:
    client = await page(line, node)
    await client.ask("join", {"room": "order"})
    await told(client)
    line.cut()
    await client.next("disconnect")
    await other.ask("my_room_event", {"room": "order", "data": 1})
    await other.ask("my_broadcast_event", {"data": 2})
    await other.ask("my_room_event", {"room": "order", "data": 3})
    async with python_client_of(line) as python:
        await python.ask("my_broadcast_event", {"data": b"\x00\xff"})
    line.mend()
    assert await came_back(client)
    assert await told(client) == [1, 2, 3, {"type": "Buffer", "data": [0, 255]}]
    await client.disconnect()


@asynccontextmanager
async def python_client_of(line: Line) -> AsyncIterator[PythonClient]:
    client = await PythonClient.connect(line.panel.url)
    yield client
    await client.disconnect()


async def test_a_room_that_is_closed_meanwhile_says_so_and_is_left(
    line: Line, node: NodeClients, other: NodeClient
) -> None:
    client = await page(line, node)
    await client.ask("join", {"room": "closing"})
    await told(client)
    line.cut()
    await client.next("disconnect")
    await other.ask("close_room", {"room": "closing"})
    await other.ask("join", {"room": "closing"})  # another of the same name
    await other.ask("my_room_event", {"room": "closing", "data": "not for it"})
    await other.ask("leave", {"room": "closing"})
    line.mend()
    assert await came_back(client)
    assert await told(client) == ["Room closing is closing."]
    assert "closing" not in await room_list(client)
    await client.disconnect()


async def test_nobody_takes_its_room_while_it_is_away(line: Line, node: NodeClients, other: NodeClient) -> None:
    client = await page(line, node)
    [sid] = await room_list(client)
    line.cut()
    await client.next("disconnect")
    [problem] = await other.ask("join", {"room": sid})
    assert "own room" in problem["detail"]
    line.mend()
    assert await came_back(client)
    await client.disconnect()


async def test_uia_goes_on(line: Line, panel: RunningPanel, node: NodeClients) -> None:
    client = await page(line, node, "/uia")
    producer = await node.connect(panel.url, namespace="/uia")
    line.cut()
    await client.next("disconnect")
    await producer.ask("uia", {"topic": "uia", "process_id": "p1", "message": "missed"})
    line.mend()
    assert await came_back(client)
    assert [said["message"] for said in await client.arrived("uia")] == ["missed"]
    await producer.disconnect()
    await client.disconnect()


# --- who starts anew ----------------------------------------------------------------------------------------


async def test_who_says_goodbye_starts_anew(line: Line, node: NodeClients) -> None:
    client = await page(line, node)
    await told(client)
    await client.reconnect()
    assert not await came_back(client)
    assert await told(client) == ["Connected"]
    await client.disconnect()


@pytest.mark.parametrize("server", ["uvicorn"], scope="module", indirect=True)
async def test_who_comes_too_late_starts_anew(
    start_panel: Callable[..., RunningPanel], server: str, node: NodeClients
) -> None:
    panel = start_panel(server=server, recovery=0.2)
    async with Line(panel) as line:
        client = await page(line, node)
        await told(client)
        await client.arrived("led")
        line.cut()
        assert not await mended(line, client, 2.0)
        assert await told(client) == ["Connected"]
        assert len(await client.arrived("led")) == 1
        await client.disconnect()


@pytest.mark.parametrize("server", ["uvicorn"], scope="module", indirect=True)
async def test_after_a_restart_it_starts_anew(
    start_panel: Callable[..., RunningPanel], server: str, node: NodeClients
) -> None:
    panel = start_panel(server=server)
    client = await node.connect(panel.url, **QUICKLY)
    await asyncio.to_thread(panel.restart)
    assert not await came_back(client)
    await client.disconnect()


@pytest.mark.parametrize("server", ["uvicorn"], scope="module", indirect=True)
async def test_where_it_is_switched_off_nobody_can_come_back(
    start_panel: Callable[..., RunningPanel], server: str, node: NodeClients
) -> None:
    panel = start_panel(server=server, recovery=0)
    async with Line(panel) as line:
        client = await node.connect(line.url, **QUICKLY)
        line.cut()
        assert not await mended(line, client)
        assert await client.arrived(OFFSET) == []
        await client.disconnect()
