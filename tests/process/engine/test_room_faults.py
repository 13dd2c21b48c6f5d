"""Rooms of a home while something fails: the engine, the way to it, a process, or what is in the engine."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from asgi_app.engine.rooms import Rooms
from asgi_app.hub import Shared
from tests.support.home import Home
from tests.support.home_rooms import client_of, heard, shared_again
from tests.support.node_clients import NodeClients
from tests.support.panel_process import eventually
from tests.support.redis_server import RedisServer
from tests.support.rooms_clients import Client
from tests.support.rooms_receiver import Received
from tests.support.slow_cases import slow
from tests.support.steady_clock import steady

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

STREAM = "pilotlight:{home}:sio:/"
EVENT: dict[Any, Any] = {"h": '["another", 0, "event", null, []]', "m": '2["other"]'}
RATE = {"command_rate": 1e6}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Home(tmp_path) as home:
        yield home


async def pair(home: Home, node: NodeClients) -> list[Client]:
    """A client on each of two processes, which share their rooms."""
    hall, front = home.node("hall", "led", **RATE), home.front("front", node="front", **RATE)
    clients = [await client_of(hall, node), await client_of(front, node)]
    await heard(clients)
    return clients


@pytest.mark.parametrize("how", ["kill", *slow("freeze")])
async def test_without_the_engine_each_process_has_its_own_rooms(home: Home, node: NodeClients, how: str) -> None:
    clients = await pair(home, node)
    (home.redis.kill if how == "kill" else home.redis.freeze)()
    began = steady()
    await clients[0].send("my_broadcast_event", {"data": "alone"})  # waits for the engine, but not long
    assert steady() - began < (4 if how == "kill" else 6)
    began = steady()
    for number in range(5):
        await clients[0].send("my_broadcast_event", {"data": number})
    assert steady() - began < 1
    assert await clients[0].told() == [{"data": data, "count": at} for at, data in enumerate(["alone", *range(5)], 3)]
    (home.redis.start if how == "kill" else home.redis.thaw)()
    await shared_again(clients)
    for panel in home.panels.values():
        assert panel.complaints() == []


REFUSALS = [
    ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"),
    *slow(
        ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0"),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
    ),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal[0])
async def test_an_engine_that_takes_nothing_is_as_none(home: Home, node: NodeClients, refusal: tuple[str, str]) -> None:
    refuse, accept = refusal
    clients = await pair(home, node)
    home.redis.do(*refuse.split())
    for most in (4.5, 1, 1):
        began = steady()
        await clients[0].send("my_broadcast_event", {"data": most})
        assert steady() - began < most
    assert await clients[0].told() == [{"data": most, "count": at} for at, most in enumerate([4.5, 1, 1], 3)]
    said = home.panels["hall"].log().count("Socket.IO without the other processes: Redis refuses: ")
    assert 1 <= said <= 2  # once for each reason: a replica ends what waits, and then refuses
    assert home.panels["hall"].get("/health/ready").status_code == 503
    home.redis.do(*accept.split())
    await shared_again(clients)
    for panel in home.panels.values():
        assert panel.complaints() == []


@pytest.mark.parametrize("connections", ["all", *slow("each alone")])
async def test_a_short_loss_loses_and_doubles_nothing(home: Home, node: NodeClients, connections: str) -> None:
    clients = await pair(home, node)

    async def say(client: Client, name: str) -> None:
        for number in range(150):
            await client.send("my_broadcast_event", {"data": [name, number]})
            await asyncio.sleep(0.01)

    async def cut() -> None:
        with redis.Redis(port=home.redis.port) as client:
            for turn in range(5):
                await asyncio.sleep(0.4)
                cut = [one["id"] for one in client.client_list() if int(one["id"]) != client.client_id()]
                for id in cut if connections == "all" else [cut[turn % len(cut)]]:
                    with contextlib.suppress(redis.ResponseError):  # it has ended meanwhile
                        client.client_kill_filter(_id=id)

    await asyncio.gather(cut(), *(say(client, name) for client, name in zip(clients, "ab", strict=True)))
    first, second = await heard(clients)
    assert first == second
    assert sorted(first) == [[name, number] for name in "ab" for number in range(150)]


async def test_a_crowd_that_comes_back_does_not_wait_long_for_an_engine_that_hangs() -> None:
    with RedisServer() as server:
        rooms = Rooms(server.url, None, "/", 60)
        rooms.bind(Received())
        await rooms.start()
        server.freeze()
        began = steady()
        taken = await asyncio.gather(*(rooms.take(f"{number:020}") for number in range(100)), return_exceptions=True)
        assert {type(one) for one in taken} == {OSError}
        assert steady() - began < 4
        server.thaw()
        await rooms.close()


@pytest.mark.slow
async def test_a_short_pause_of_the_engine_loses_nothing(home: Home, node: NodeClients) -> None:
    clients = await pair(home, node)
    for client, name in zip(clients, "ab", strict=True):
        home.redis.do("CLIENT", "PAUSE", 1000)
        await client.send("my_broadcast_event", {"data": name})
    assert await heard(clients) == [["a", "b"], ["a", "b"]]


async def test_an_engine_that_was_emptied_carries_on(home: Home, node: NodeClients) -> None:
    clients = await pair(home, node)
    home.redis.do("FLUSHALL")
    for client, name in zip(clients, "ab", strict=True):
        await client.send("my_broadcast_event", {"data": name})
    assert await heard(clients) == [["a", "b"], ["a", "b"]]


async def test_an_engine_whose_stream_went_back_carries_on(home: Home, node: NodeClients) -> None:
    clients = await pair(home, node)
    home.redis.kill()
    home.redis.start()
    home.redis.do("XADD", STREAM, "5-1", "h", '["x", 0, "none", null, []]')  # as if its clock was behind
    late = await client_of(home.front("late", node="late", **RATE), node)
    await shared_again([late, clients[0]])
    await shared_again(clients)


@pytest.mark.parametrize("is_other", [True, False])
async def test_an_engine_that_went_back_and_caught_up_has_a_hole_for_all(is_other: bool) -> None:
    with RedisServer() as server, redis.Redis(port=server.port) as client:
        one, other = [Rooms(server.url, None, "/", 60) for _ in range(2)]
        clients = [Received(), Received()]
        for rooms, its in zip((one, other), clients, strict=True):
            rooms.bind(its)
            await rooms.start()
        for message in ('2["lost"]', '2["lost, and the last that both know"]'):
            await other.send(Shared("event", None, messages=(message,)))
        await one.send(Shared("close", "a room"))
        entries = client.xrange(STREAM)
        for its in clients:
            its.forgotten = 0
        with client.pipeline() as many:
            many.client_kill_filter(_type="normal", skipme=True)
            many.delete(STREAM)
            for at, (number, fields) in enumerate(entries, 3 - len(entries)):
                many.xadd(STREAM, EVENT if is_other and at > 0 else fields, number)
            many.xadd(STREAM, EVENT, f"{int(number.partition(b'-')[0]) + 1}-1")
            many.execute()
        for rooms in (one, other, one):
            await rooms.send(Shared("event", None, messages=('2["after"]',)))
        assert [its.forgotten > 0 for its in clients] == [is_other] * 2
        for rooms in (one, other):
            await rooms.close()


@pytest.mark.slow
async def test_a_process_behind_the_trim_carries_on(home: Home, node: NodeClients) -> None:
    clients = await pair(home, node)
    front = home.panels["front"].process
    front.send_signal(signal.SIGSTOP)
    for number in range(20):
        await clients[0].send("my_broadcast_event", {"data": number})
    home.redis.do("XTRIM", STREAM, "MAXLEN", 5)
    front.send_signal(signal.SIGCONT)
    told = await heard(clients)
    assert told[0] == [*range(20)]
    assert told[1] in ([*range(15, 20)], [0, *range(15, 20)])  # the first one answers a read that waits


NONSENSE = [
    {"else": b""}, {"h": b""}, {"h": b"["}, {"h": b"[" * 100_000}, {"h": b"[1, 2, 3, 4, 5]"}, {"h": b"[]"},
    {"h": b'["t", -1, "event", null, []]', "m": b'2["my_response"]'}, {"h": b'["t", 1, "event", null, []]'},
    {"h": b'["t", 1, "event", 7, []]', "m": b'2["my_response"]'}, {"h": b'["t", 1, "event", null, [[]]]', "m": b"2[]"},
    {"h": b'["t", 1, "event", null, []]', "m": b"\xff"}, {"h": b'["t", 1, "event", null, []]', "m": b""},
    {"h": b'["t", 1, "event", null, []]', "m": b"0{}"}, {"h": b'["t", 1, "close", null, []]'},
    {"h": b'["t", 1, "moved", null, []]'}, {"h": b'["t", 1, "moved", "nobody", []]'},
    {"h": b'["t", 1, "event", null, []]', "m": b'51-["my_response",{"_placeholder":true,"num":0}]', "x": b""},
    {"h": b'["t", 1e999, "event", null, []]', "m": b'2["my_response"]'},
]  # fmt: skip


async def test_nonsense_in_the_stream_ends_nothing(home: Home, node: NodeClients) -> None:
    clients = await pair(home, node)
    with redis.Redis(port=home.redis.port) as client:
        for at, entry in enumerate(NONSENSE):
            last = int(client.xinfo_stream(STREAM)["last-generated-id"].partition(b"-")[0])
            client.xadd(STREAM, entry, id=f"{last + 1}-1" if at else "*")
        for at, one in enumerate(clients, 2):
            client.xadd(STREAM, {"h": f'["t", 0, "close", "{one.sid}", []]'}, id=f"{last + at}-1")
    await clients[1].send("my_room_event", {"room": clients[0].sid, "data": "yours"})
    assert await heard(clients) == [["yours"], []]
    for panel in home.panels.values():
        assert panel.returncode is None
        assert "Traceback" not in panel.log()


async def test_what_is_sent_again_is_heard_once(home: Home, node: NodeClients) -> None:
    clients = await pair(home, node)
    await clients[0].send("my_broadcast_event", {"data": "once"})
    with redis.Redis(port=home.redis.port) as client:
        [(last, fields)] = client.xrevrange(STREAM, count=1)
        client.xadd(STREAM, fields, id=f"{int(last.partition(b'-')[0]) + 1}-1")
    assert await heard(clients) == [["once"], ["once"]]


@pytest.mark.slow
async def test_a_client_that_floods_does_not_fill_the_engine(home: Home, node: NodeClients) -> None:
    clients = await pair(home, node)
    for _ in range(60):
        await clients[0].send("my_room_event", {"room": "nobody", "data": "x" * 1_000_000})
    assert home.redis.do("MEMORY", "USAGE", STREAM, "SAMPLES", 0) < 50 * 1024 * 1024
    assert await heard(clients) == [[], []]


async def test_the_user_of_the_how_to_may_do_enough(home: Home, node: NodeClients) -> None:
    how_to = Path(__file__).parents[3] / "docs/how-to/join-several-panels.md"
    [line] = [line.split() for line in how_to.read_text().splitlines() if line.strip().startswith("user panel on ")]
    home.redis.do("ACL", "SETUSER", *line[1:])
    engine = home.redis.url.replace("//", "//panel:a-long-password@")
    panels = [home.node("hall", "led", engine=engine), home.front("front", node="front", engine=engine)]
    clients = [await client_of(panel, node) for panel in panels]
    await clients[0].send("join", {"room": "ours"})
    await clients[1].send("my_room_event", {"room": "ours", "data": "heard"})
    assert (await heard(clients))[0][-1] == "heard"
    assert home.redis.do("KEYS", "pilotlight:{home}:seat:*")  # who can come back
    assert home.redis.do("ACL", "LOG") == []


async def test_a_process_ends_soon_without_the_engine(home: Home, node: NodeClients) -> None:
    clients = await pair(home, node)
    home.redis.kill()
    await clients[0].socket.emit("my_broadcast_event", {"data": "last"})
    assert home.panels["hall"].stop() < 5
    assert home.panels["hall"].complaints() == []
    eventually(lambda: home.panels["hall"].returncode == 0)
