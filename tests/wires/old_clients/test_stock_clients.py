"""Stock clients of Socket.IO 1 and 2, beside one of version 4: what they could do with the old systems."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import EVERY_WAY, each_of
from tests.support.live_client import live
from tests.support.node_clients import NodeClients
from tests.support.panel_process import RunningPanel
from tests.support.rooms_clients import BY_ITSELF, VALUES, Client
from tests.support.running_logger_events import IDS, complete, line, progress, told
from tests.support.stock_clients import join
from tests.wires.old_clients.conftest import TRANSPORTS, VERSIONS, Connect

server = each_of(*EVERY_WAY, matters=False)
pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "Ünïcødé é 灯 💡"
ROOM = "Küche 灯"


def buffer(content: bytes) -> dict[str, Any]:
    """Bytes, as the processes of the clients take and give them."""
    return {"type": "Buffer", "data": list(content)}


async def test_the_light(panel: RunningPanel, node: NodeClients, connect: Connect) -> None:
    panel.post("/led", json={"level": 40})
    new, old = await join("4 websocket", panel, node), await connect()
    assert await old.arrived("led") == [{"level": 40}]
    assert await new.arrived("led") == [{"level": 40}]

    assert await old.ask("led", {"level": "61"}) == []
    assert await new.ask("led", {"level": 62}) == []
    panel.post("/led", json={"level": 63})
    for client in (old, new):
        assert await client.arrived("led") == [{"level": level} for level in (61, 62, 63)]

    [problem] = await old.ask("led", {"level": "abc"})
    assert problem["status"] == 400
    assert await old.arrived("led") == [{"level": 63}]
    for client in (old, new):
        await client.disconnect()


async def test_a_room_with_new_clients(panel: RunningPanel, node: NodeClients, connect: Connect) -> None:
    new = await Client(await join("4 polling", panel, node)).begin()
    old, outside = await Client(await connect()).begin(), await Client(await connect()).begin()
    for client in (new, old):
        assert await client.send("join", {"room": ROOM}) == []
        rooms = (await client.told())[-1]["data"]
        assert sorted(rooms.removeprefix("In rooms: ").split(", ")) == sorted([client.sid, ROOM])

    # what one says, both hear, in the same order
    for number in range(20):
        await (old, new)[number % 2].send("my_room_event", {"room": ROOM, "data": [number, TEXT]})
    heard = [[said["data"] for said in await client.told()] for client in (new, old)]
    assert sorted(heard[0]) == [[number, TEXT] for number in range(20)]
    assert heard[0] == heard[1]
    assert await outside.told() == []

    # a sid is a room, and that of an old client is the id that its library shows
    await new.send("my_room_event", {"room": old.sid, "data": "for you"})
    await old.send("my_room_event", {"room": new.sid, "data": "and you"})
    assert [said["data"] for said in await old.told()] == ["for you"]
    assert [said["data"] for said in await new.told()] == ["and you"]
    _, id = old.socket.inbox.latest["connect"]
    assert id == old.sid

    assert await new.send("close_room", {"room": ROOM}) == []
    assert [said["data"] for said in await old.told()] == [f"Room {ROOM} is closing."]
    for event, rooms in (("join", {ROOM}), ("leave", set())):
        assert await old.send(event, {"room": ROOM}) == []
        assert await old.rooms() == rooms
    for client in (new, old, outside):
        await client.socket.disconnect()


async def test_everything_comes_back_and_every_ack_comes(connect: Connect) -> None:
    client = Client(await connect())
    values = [*VALUES.values(), TEXT, "é", "\u0301", "💡" * 3000, "a💡", "\U0010ffff"]
    for value in values:
        assert await client.send("my_event", {"data": value}) == []
    [problem] = await client.socket.ask("no such event", TEXT)
    assert TEXT not in problem["title"]
    assert await client.told() == [
        {"data": "Connected", "count": 0},
        *({"data": value, "count": number} for number, value in enumerate(values, 1)),
    ]
    await client.socket.disconnect()


async def test_bytes_go_both_ways(panel: RunningPanel, node: NodeClients, connect: Connect) -> None:
    old, new = Client(await connect()), Client(await join("4 websocket", panel, node))
    sent = [b"\x00", b"\x04\x00\xff", bytes(range(256)) * 100]
    for content in sent:
        assert await old.send("my_broadcast_event", {"data": [buffer(content), TEXT, buffer(b"2")]}) == []
        assert await new.send("my_broadcast_event", {"data": buffer(content)}) == []
    expected: list[Any] = []
    for content in sent:
        expected += [[buffer(content), TEXT, buffer(b"2")], buffer(content)]
    for client in (old, new):
        assert [said["data"] for said in await client.told()][1:] == expected
        await client.socket.disconnect()


async def test_a_burst_comes_whole_and_in_order(connect: Connect) -> None:
    client = Client(await connect())
    for number in range(300):
        await client.socket.emit("my_event", {"data": number})
    await client.socket.ask("my_ping")
    assert [said["data"] for said in await client.told()] == ["Connected", *range(300)]
    await client.socket.disconnect()


async def test_a_disconnect_that_it_asks_for(connect: Connect) -> None:
    client = await connect()
    await client.emit("disconnect_request")
    [said, *_] = await client.next("my_response", lambda args: args[0]["data"] not in ("Connected", BY_ITSELF))
    assert said == {"data": "Disconnected!", "count": 1}


async def test_the_panel_s_own_namespace(panel: RunningPanel, connect: Connect) -> None:
    name = next(IDS)
    client = await connect("/panel", name=name)
    [opening] = await client.next("events")
    if name not in opening["state"]["people"]:  # at a front of a home, that is an event
        await client.next("events", lambda args: name in str(args[0]))
    [reply] = await client.ask("ask", {"do": "set_light", "id": 4, "light": "led", "level": 17})
    assert (reply["reply"], reply["ok"], panel.level()) == (4, True, 17)
    await client.ask("ask", {"do": "join_room", "id": 5, "room": "lobby"})
    [said] = await client.ask("ask", {"do": "say", "id": 6, "room": "lobby", "msg": TEXT})
    assert said["ok"]
    await client.next("events", lambda args: TEXT in str(args[0]))
    await client.disconnect()


@pytest.mark.slow
@pytest.mark.parametrize("version", [version for version in VERSIONS if version != "python"])
async def test_namespaces_share_a_connection(panel: RunningPanel, node: NodeClients, version: str) -> None:
    """As the JavaScript libraries have it if they are not told otherwise. Who leaves one stays in the other."""
    shared: dict[str, Any] = {"version": version, "transport": "upgrade", "forceNew": False}
    main = await node.connect(panel.url, **shared)
    other = await node.connect(panel.url, namespace="/panel", **shared)
    main_id, other_id = (client.inbox.latest["connect"][1] for client in (main, other))
    assert other_id in (main_id, f"/panel#{main_id}")
    [reply] = await other.ask("ask", {"do": "set_light", "id": 4, "light": "led", "level": 18})
    assert reply["ok"]
    await main.next("led", lambda args: args == [{"level": 18}])
    await other.disconnect()
    assert await main.ask("my_ping") == []
    await main.disconnect()


async def test_runs(panel: RunningPanel, node: NodeClients, connect: Connect) -> None:
    id = next(IDS)
    producer, page = await connect("/running_logger"), await join("4 websocket", panel, node, "/running_logger")
    async with live(panel):
        assert await producer.ask("running_logger", progress(id, 20, ["e1"], {"nodes": [], "edges": []})) == []
        assert await producer.ask("running_logger", line(id, TEXT)) == []
        assert await producer.ask("running_logger", progress(id, 100, [], {"nodes": [], "edges": []})) == []
        for reader in (page, producer):
            heard = await told(reader, id, complete)
            assert [said["message"]["task_progress"] for said in heard if said["topic"] == "running_logger"][-1] == 100
    uia = await connect("/uia")
    await uia.ask("uia", {"topic": "uia", "process_id": id, "message": TEXT})
    assert uia.inbox.take("_offset") == []  # which is for clients that can come back
    for client in (producer, page, uia):
        await client.disconnect()


async def test_an_unknown_namespace_is_refused(connect: Connect) -> None:
    with pytest.raises(ConnectionError, match="Invalid namespace"):
        await asyncio.wait_for(connect("/nothing"), 30)


@pytest.mark.slow
async def test_their_own_pings_keep_the_connections(
    start_panel: Callable[..., RunningPanel], server: str, node: NodeClients, old_python: NodeClients
) -> None:
    panel = start_panel(server=server, ping_interval=0.8)  # they ping every second, and have 1.8 s
    clients = [
        await (old_python if version == "python" else node).connect(panel.url, version=version, transport=transport)
        for version in VERSIONS
        for transport in TRANSPORTS
    ]
    for client in clients:  # after ten seconds
        await client.next("my_response", lambda args: args[0]["data"] == BY_ITSELF)
        assert client.inbox.take("disconnect") == []
        await client.disconnect()


async def test_nothing_went_wrong_unseen(panel: RunningPanel) -> None:
    assert panel.complaints() == []
