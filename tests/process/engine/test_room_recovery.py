"""A stock JavaScript client that was cut from one process comes back to another one, and has missed nothing."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import redis

from asgi_app.ws.socketio.recovery import OFFSET
from tests.support.cuttable_line import Line
from tests.support.home import Home
from tests.support.home_rooms import client_of, heard, shared_again
from tests.support.node_clients import NodeClient, NodeClients
from tests.support.panel_process import eventually
from tests.support.rooms_clients import BY_ITSELF, Client
from tests.support.slow_cases import slow

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUICKLY = {"reconnectionDelay": 50, "reconnectionDelayMax": 100, "timeout": 20_000}
STREAM = "pilotlight:{home}:sio:/"
EVENT = {"h": '["another", 0, "event", null, []]', "m": '2["my_response",{"data":0,"count":0}]'}
RATE = {"command_rate": 1e6}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Home(tmp_path) as home:
        home.node("hall", "led", **RATE)
        home.front("front", node="front", **RATE)
        home.front("other", node="other", **RATE)
        yield home


@pytest_asyncio.fixture(loop_scope="module")
async def line(home: Home) -> AsyncIterator[Line]:
    """The way to `front`, which a test leads to another process."""
    async with Line(home.panels["front"]) as line:
        yield line


class Page:
    """A page at the end of a line, and somebody on another process whose connection holds."""

    def __init__(self, home: Home, line: Line, client: NodeClient, mate: Client) -> None:
        self.home, self.line, self.client, self.mate = home, line, client, mate
        self.sid = ""

    @classmethod
    async def open(cls, home: Home, line: Line, node: NodeClients, **options: Any) -> Page:
        client = await node.connect(line.url, **({"transport": "websocket"} | QUICKLY | options))
        await client.next(OFFSET)
        page = cls(home, line, client, await client_of(home.panels["other"], node))
        page.sid = next(name for name in await page.rooms() if name.startswith("front-"))
        return page

    async def rooms(self) -> set[str]:
        await self.client.ask("leave", {"room": "none"})
        said = [args[0]["data"] for args in self.client.inbox.take("my_response")]
        return set([data for data in said if data != BY_ITSELF][-1].removeprefix("In rooms: ").split(", "))

    async def back(self, to: str) -> bool:
        """Wait until the client is on this process; whether it was recovered."""
        await self.client.next("disconnect")
        self.line.panel = self.home.panels[to]
        self.line.mend()
        recovered, sid = await self.client.next("connect")
        assert (sid == self.sid) is recovered
        assert recovered or sid.startswith(f"{to}-")
        return bool(recovered)

    async def told(self) -> list[Any]:
        """What it was told until now, but for what each process says by itself."""
        told = (await heard([self.mate, Client(self.client)]))[1]
        return [data for data in told if data != BY_ITSELF]


def cut(page: Page) -> None:
    page.line.cut()


def cut_unnoticed(page: Page) -> None:
    page.line.cut(noticed=False)


def kill(page: Page) -> None:
    page.line.cut(noticed=False)
    page.home.panels["front"].kill()


def stop(page: Page) -> None:
    page.home.panels["front"].stop()
    page.line.cut()


def hang(page: Page) -> None:
    page.home.panels["front"].process.send_signal(signal.SIGSTOP)
    page.line.cut()


ENDS = [cut, kill, stop, *slow(cut_unnoticed, hang)]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("transport", ["websocket", *slow("polling")])
async def test_it_has_every_shared_event_once(
    home: Home, line: Line, node: NodeClients, end: Callable[[Page], None], transport: str
) -> None:
    page = await Page.open(home, line, node, transport=transport)
    mate = page.mate
    await page.client.ask("join", {"room": "ours"})
    await page.client.ask("join", {"room": "left"})
    await mate.send("my_room_event", {"room": "left", "data": "before"})
    await mate.send("my_broadcast_event", {"data": "before"})
    assert (await page.told())[-2:] == ["before", "before"]
    await page.client.ask("leave", {"room": "left"})
    await page.told()
    end(page)
    expected = []
    for number in range(20):
        room = ["ours", page.sid, "left", "not ours", None][number % 5]
        if room is None:
            await mate.send("my_broadcast_event", {"data": number})
        else:
            await mate.send("my_room_event", {"room": room, "data": number})
        expected += [number] if number % 5 in (0, 1, 4) else []
    assert await page.back("hall")
    assert await page.told() == expected
    assert await page.rooms() == {page.sid, "ours"}
    await mate.send("my_room_event", {"room": page.sid, "data": "by sid"})
    await mate.send("my_room_event", {"room": "ours", "data": "by room"})
    assert await page.told() == ["by sid", "by room"]
    if end is hang:
        home.panels["front"].process.send_signal(signal.SIGCONT)
    await page.client.disconnect()
    for panel in home.panels.values():
        assert "Traceback" not in panel.log()


@pytest.mark.slow
async def test_it_gets_the_present_level_and_keeps_its_count(home: Home, line: Line, node: NodeClients) -> None:
    page = await Page.open(home, line, node)
    for _ in range(3):
        await page.client.ask("my_event", {"data": "counted"})
    await page.told()
    page.client.inbox.take("led")
    cut(page)
    home.panels["hall"].post("/led", json={"level": 77})
    assert await page.back("hall")
    assert (await page.client.next("led"))[0] == {"level": 77}
    await page.client.ask("my_event", {"data": "counted"})
    said = await page.client.next("my_response", lambda args: args[0]["data"] == "counted")
    assert said[0]["count"] == 5
    assert await page.client.inbox.next("my_response", lambda args: args[0]["data"] == BY_ITSELF)


@pytest.mark.slow
async def test_it_moves_again_and_again(home: Home, line: Line, node: NodeClients) -> None:
    page = await Page.open(home, line, node)
    await page.client.ask("join", {"room": "ours"})
    await page.told()
    expected = []
    for turn, to in enumerate(["hall", "hall", "front", "other", "front", "front", "hall"]):
        page.line.cut(noticed=turn % 2 == 0)
        for number in range(3):
            await page.mate.send("my_room_event", {"room": "ours", "data": [turn, number]})
            expected.append([turn, number])
        assert await page.back(to)
        await page.client.ask("join", {"room": f"turn {turn}"})
        for number in range(3, 5):
            await page.mate.send("my_room_event", {"room": "ours", "data": [turn, number]})
            expected.append([turn, number])
    assert [data for data in await page.told() if "In rooms" not in data] == expected
    assert await page.rooms() == {page.sid, "ours", *(f"turn {turn}" for turn in range(7))}


@pytest.mark.slow
@pytest.mark.parametrize("end", [cut, kill])
async def test_a_room_that_was_closed_meanwhile_is_closed(
    home: Home, line: Line, node: NodeClients, end: Callable[[Page], None]
) -> None:
    page = await Page.open(home, line, node)
    await page.client.ask("join", {"room": "closed"})
    await page.client.ask("join", {"room": "open"})
    await page.told()
    end(page)
    await page.mate.send("my_room_event", {"room": "closed", "data": "last"})
    await page.mate.send("close_room", {"room": "closed"})
    await page.mate.send("my_room_event", {"room": "closed", "data": "to nobody"})
    assert await page.back("hall")
    assert await page.told() == ["last", "Room closed is closing."]
    assert await page.rooms() == {page.sid, "open"}


@pytest.mark.parametrize("to", ["late", "front"])
async def test_it_comes_to_a_process_that_has_just_started(home: Home, line: Line, node: NodeClients, to: str) -> None:
    page = await Page.open(home, line, node)
    await page.client.ask("join", {"room": "ours"})
    await page.told()
    kill(page)
    for number in range(250):  # more than one read of the history
        await page.mate.socket.emit("my_room_event", {"room": "ours", "data": number})
    await page.mate.socket.caught_up()
    if to == "front":
        home.panels["front"].start()
    else:
        home.front("late", node="late", **RATE)
    assert await page.back(to)
    assert await page.told() == [*range(250)]


async def test_a_room_is_in_the_seat_before_the_answer(home: Home, line: Line, node: NodeClients) -> None:
    page = await Page.open(home, line, node)
    with redis.Redis(port=home.redis.port) as client:
        [key] = [key for key in client.keys("pilotlight:{home}:seat:front-*") if page.sid.encode() in client.get(key)]
        for number in range(20):
            for event in ("join", "leave"):
                await page.client.ask(event, {"room": f"room {number}"})
                rooms = json.loads(client.get(key).partition(b"\n")[2])["rooms"]
                assert set(rooms) == ({f"room {number}"} if event == "join" else set())
        assert 150 < client.ttl(key) <= 165
        before = client.get(key)
        client.set(key, b"another" + before[8:], keepttl=True)
        await page.client.ask("join", {"room": "late"})
        assert client.get(key) == b"another" + before[8:]  # this process lost it, even if it does not know that yet
        await page.client.disconnect()


@pytest.mark.slow
async def test_it_is_not_recovered_where_something_may_be_missing(home: Home, line: Line, node: NodeClients) -> None:
    page = await Page.open(home, line, node)
    await page.told()
    cut(page)
    with redis.Redis(port=home.redis.port) as client, client.pipeline() as many:
        last = int(client.xinfo_stream(STREAM)["last-generated-id"].partition(b"-")[0])
        for number in range(last + 1, last + 5_100):
            many.xadd(STREAM, EVENT, id=f"{number}-1")
        many.execute()
    await heard([page.mate])
    assert not await page.back("hall")
    assert page.sid not in await page.rooms()


@pytest.mark.parametrize("to", ["front", *slow("hall")])
async def test_who_was_connected_where_something_was_missed_is_not_recovered(
    home: Home, line: Line, node: NodeClients, to: str
) -> None:
    page = await Page.open(home, line, node)
    await page.client.ask("join", {"room": "ours"})
    with redis.Redis(port=home.redis.port) as client:
        last = int(client.xinfo_stream(STREAM)["last-generated-id"].partition(b"-")[0])
        client.xadd(STREAM, EVENT, id=f"{last + 9}-1")
    await page.told()
    page.client.inbox.take(OFFSET)
    await page.mate.send("my_room_event", {"room": "ours", "data": "still there"})
    assert await page.told() == ["still there"]
    assert page.client.inbox.take(OFFSET) == []
    cut(page)
    assert not await page.back(to)
    await page.client.next(OFFSET)
    page.sid = next(name for name in await page.rooms() if name.startswith(f"{to}-"))
    cut(page)
    assert await page.back("hall")


@pytest.mark.slow
async def test_who_was_there_before_the_engine_is_not_recovered(home: Home, line: Line, node: NodeClients) -> None:
    home.redis.kill()
    home.panels["front"].stop()
    home.panels["front"].start()
    page = await Page.open(home, line, node)
    home.redis.start()
    await shared_again([page.mate, await client_of(home.panels["front"], node)])
    cut(page)
    assert not await page.back("front")


@pytest.mark.slow
async def test_another_name_gets_nothing(home: Home, line: Line, node: NodeClients) -> None:
    page = await Page.open(home, line, node, auth={"name": "Ada"})
    await page.client.ask("join", {"room": "ours"})
    cut(page)
    stolen = await node.connect(home.panels["hall"].url, auth={"name": "Bob"})
    assert stolen.inbox.latest["connect"][0] is False
    assert await page.back("hall")


@pytest.mark.slow
async def test_a_client_that_left_is_not_recovered(home: Home, line: Line, node: NodeClients) -> None:
    page = await Page.open(home, line, node)
    await page.client.reconnect()
    recovered, sid = await page.client.next("connect")
    assert not recovered
    page.sid = sid
    await page.client.next(OFFSET)
    cut(page)
    assert await page.back("hall")


@pytest.mark.slow
async def test_the_connection_that_nobody_missed_is_ended(home: Home, line: Line, node: NodeClients) -> None:
    page = await Page.open(home, line, node)
    cut_unnoticed(page)
    assert await page.back("hall")
    websockets = ("pilotlight_clients", "socketio_websocket")
    eventually(lambda: home.panels["front"].metrics()[websockets] == 0)


@pytest.mark.slow
async def test_without_the_engine_it_comes_back_to_its_process_alone(home: Home, line: Line, node: NodeClients) -> None:
    page = await Page.open(home, line, node)
    await page.told()
    home.redis.kill()
    cut(page)
    assert await page.back("front")
    cut(page)
    assert not await page.back("hall")
