"""Clients that go while their CONNECT packet waits, because they have not read what came before: nothing stays."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from asgi_app.ws.socketio.recovery import OFFSET
from tests.unit.socketio.conftest import JAVASCRIPT, Door, Session

MOST = 256  # packets that may wait; the setting `outbox`


async def go_while_connecting(door: Door, query: str, connect: str) -> None:
    """Connect to `/` behind a full backlog, and go before there is room for the CONNECT packet."""
    session = await door.session(query=query)
    await session.post("40/uia,")
    await session.post(*['42/uia,7["nope"]'] * (MOST - len(session.queue._waiting)))
    connecting = session.posting(connect)
    assert not (await asyncio.wait([connecting], timeout=0.1))[0]
    assert door.house.sockets.manager.pending_connect
    await session.post("1")
    await connecting


def left_behind(door: Door) -> list[Any]:
    """What the panel has of clients of `/`."""
    house = door.house
    namespace = house.default_namespace
    return [
        house.sockets.manager.rooms.get("/", {}),
        house.sockets.manager.pending_connect,
        namespace.actors,
        namespace.recovery.sessions,
        house.lab_events._counts,
        house.access.live._connections,
        house.sockets.environ,
    ]


@pytest.mark.parametrize("query", ["", JAVASCRIPT])
async def test_a_new_client_leaves_nothing_behind(door: Door, query: str) -> None:
    await go_while_connecting(door, query, "40")
    assert not any(left_behind(door)), left_behind(door)


async def begun(session: Session, connect: str) -> dict[str, Any]:
    """What the CONNECT packet says, and the offset after it."""
    await session.post(connect)
    said: dict[str, Any] = {}
    while "offset" not in said:
        for packet in await session.poll():
            if packet.startswith("40{"):
                said |= json.loads(packet[2:])
            elif packet.startswith(f'42["{OFFSET}"'):
                said["offset"] = json.loads(packet[2:])[1]
    return said


async def test_a_client_that_comes_back_may_come_again(door: Door) -> None:
    # given a client that was cut
    first = await door.session(query=JAVASCRIPT)
    mine = await begun(first, "40")
    await first.post("1")
    again = "40" + json.dumps({"pid": mine["pid"], "offset": mine["offset"]})

    # when it comes back, and goes before it is connected
    await go_while_connecting(door, JAVASCRIPT, again)

    # then it still can come back, and is the same
    assert not any(left_behind(door)), left_behind(door)
    assert not door.house.default_namespace.recovery.suspended[mine["sid"]].claimed
    third = await door.session(query=JAVASCRIPT)
    await third.post(again)
    assert any(f'"sid":"{mine["sid"]}"' in packet for packet in await third.poll())
    assert [*door.house.lab_events._counts] == [mine["sid"]]
