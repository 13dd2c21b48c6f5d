"""Clients of the old rooms page, and an observer of the panel's own events."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import socketio
from websockets.asyncio.client import ClientConnection

from tests.support.inbox import TIMEOUT, SocketIOClient

BY_ITSELF = "Server generated event"  # what the panel says to all in "/", every ten seconds


class Client:
    """A connection: what it is told by `my_response`, its own sid, and how many of its events were counted."""

    def __init__(self, socket: SocketIOClient) -> None:
        self.socket = socket
        self.sid = ""
        self.count = 0

    async def begin(self) -> Client:
        """Learn the own sid, the way any client can: by joining its room."""
        assert await self.told() == [{"data": "Connected", "count": 0}]
        await self.send("leave", {"room": "a room that it is not in"})
        [answer] = await self.told()
        self.sid = answer["data"].removeprefix("In rooms: ")
        assert len(self.sid) == 20 or "-" in self.sid[:-20]  # with the name of its process
        return self

    async def send(self, event: str, *args: Any) -> list[Any]:
        """Send an event that is counted; its ack."""
        self.count += 1
        return await self.socket.ask(event, *args)

    async def told(self) -> list[Any]:
        """What `my_response` said until now, but for the panel's own events."""
        return [said for said in await self.socket.arrived("my_response") if said["data"] != BY_ITSELF]

    async def rooms(self) -> set[str]:
        """The rooms it is in, besides its own."""
        await self.send("leave", {"room": "a room that it is not in"})
        rooms = (await self.told())[-1]["data"].removeprefix("In rooms: ").split(", ")
        assert rooms.count(self.sid) == 1
        return set(rooms) - {self.sid}


async def all_told(clients: list[Client]) -> list[list[Any]]:
    return [await client.told() for client in clients]


VALUES: dict[str, Any] = {
    "text": "hello",
    "empty text": "",
    "a number": 5,
    "a broken number": -1.5,
    "null": None,
    "true": True,
    "a list": [1, [2, {"three": None}]],
    "an object": {"data": {"count": 7}},
    "what looks like bytes": {"_placeholder": True, "number": 0},
    "text of many languages": "Ünïcødé 灯 💡",
    "markup": "<script>alert(1)</script>",
    "30 kB": "x" * 30_000,
}


class Observer:
    """A connection that keeps when each of the panel's own events came to it, in seconds since it began to connect.

    It has threads of its own: the loop of the tests stands still between them.
    """

    def __init__(self) -> None:
        self.since = time.monotonic()
        self.heard: list[tuple[int, float]] = []
        self._library = socketio.Client(reconnection=False)
        self._library.on("my_response", self._heard)

    async def connect(self, url: str) -> Observer:
        self.since = time.monotonic()
        await asyncio.to_thread(self._library.connect, url, transports=["polling"], wait_timeout=TIMEOUT)
        return self

    async def disconnect(self) -> None:
        await asyncio.to_thread(self._library.disconnect)

    def _heard(self, said: dict[str, Any]) -> None:
        if said["data"] == BY_ITSELF:
            self.heard.append((said["count"], time.monotonic() - self.since))


async def heard(raw: ClientConnection, begins: str, has: str = "", *, end: bool = False) -> str:
    """The next packet that begins so and has this in it; with `end`, also the end of the connection."""
    try:
        async with asyncio.timeout(TIMEOUT):
            async for packet in raw:
                assert isinstance(packet, str)
                if end and packet in (begins, has):
                    return packet
                if not end and packet.startswith(begins) and has in packet:
                    return packet
    except TimeoutError:
        raise AssertionError(f"no packet {begins}…{has} came") from None
    assert end, "the panel closed the connection"
    return "closed"
