"""Heartbeats: a connection lives while bytes come or are taken, or the panel reads nothing from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypercorn.config import Config
from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.ws_stream import ASGIWebsocketState
from wsproto.connection import Connection, ConnectionType

from asgi_app.server.heartbeats import Heartbeats
from asgi_app.server.hypercorn_websocket import HypercornWebSocket
from asgi_app.server.uvicorn_frames import Frames
from asgi_app.ws.transport.frames import PONG, TEXT
from tests.support.jumping_clock import jumping
from tests.support.raw_http import masked
from tests.support.uvicorn_in_memory import MemoryTransport

BEAT = 20.0
LONG = masked(b"x" * 60_000, TEXT)
CLOSED = b"\x03\xf3"  # 1011


class Client:
    """A connection after its handshake, which nobody reads yet."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.transport = MemoryTransport(asyncio.Protocol())
        connections: set[Any] = set()
        self.frames = Frames(
            loop,
            self.transport,
            max_size=2**20,
            heartbeats=Heartbeats(loop, BEAT),
            leaving=None,
            connections=connections,
        )
        self.transport.protocol = self.frames
        self.steps = 0

    def send(self, data: bytes) -> None:
        self.transport.send(data)

    def trickle(self) -> None:
        """Send the next byte of a long message."""
        self.send(LONG[self.steps : self.steps + 1])

    def send_much(self) -> None:
        """Send until the panel reads no more."""
        while self.transport.is_reading() and not self.transport.closed:
            self.send(masked(b"hello", TEXT))

    def take_nothing(self) -> None:
        """Leave the answers in the panel's buffer, which is full."""
        self.send_much()
        if not self.transport.unsent:
            self.transport.unsent = 100_000
            self.frames.pause_writing()

    def take_some(self) -> None:
        """Take a few bytes of the answers, and send no more."""
        self.take_nothing()
        self.transport.unsent -= 100

    def take_some_of_a_message(self) -> None:
        """Take a few bytes of a long message, behind which the ping is."""
        self.transport.unsent = (self.transport.unsent or 100_000) - 100


ALIVE: dict[str, Callable[[Client], None]] = {
    "answers pings": lambda client: client.send(masked(b"", PONG)),
    "answers with other bytes": lambda client: client.send(masked(b"x", PONG)),
    "sends without pause": lambda client: client.send(masked(b"hello", TEXT)),
    "sends a long message slowly": Client.trickle,
    "is not read": Client.send_much,
    "reads slowly what it asked for": Client.take_some,
    "reads a long message slowly": Client.take_some_of_a_message,
}
DEAD: dict[str, Callable[[Client], None]] = {
    "says nothing": lambda client: None,
    "reads nothing of what it asked for": Client.take_nothing,
}


async def read_all(client: Client) -> None:
    """Read as an application does."""
    while (await client.frames.receive())["type"] != "websocket.disconnect":
        pass


@jumping
@pytest.mark.parametrize("does", ALIVE.values(), ids=ALIVE)
@pytest.mark.parametrize("every", [BEAT * 0.3, BEAT * 0.9])
async def test_who_shows_life_stays_and_is_closed_in_time_when_it_stops(
    does: Callable[[Client], None], every: float
) -> None:
    client = Client()
    reading = None if does in (Client.send_much, Client.take_some) else asyncio.ensure_future(read_all(client))
    for _ in range(60):
        does(client)
        client.steps += 1
        await asyncio.sleep(every)
    assert not client.transport.closed
    reading = reading or asyncio.ensure_future(read_all(client))
    client.frames.resume_writing()
    await asyncio.sleep(BEAT * 3.1)
    assert client.transport.closed
    assert CLOSED in client.transport.written
    reading.cancel()


@jumping
@pytest.mark.parametrize("does", DEAD.values(), ids=DEAD)
async def test_who_shows_no_life_is_closed_at_the_second_beat(does: Callable[[Client], None]) -> None:
    client = Client()
    for _ in range(19):
        does(client)
        assert not client.transport.closed
        await asyncio.sleep(BEAT / 10)
    await asyncio.sleep(BEAT / 4)
    assert client.transport.closed
    assert CLOSED in client.transport.written


@pytest.mark.parametrize("is_full", [False, True])
async def test_hypercorn_waits_for_a_client_that_its_application_holds_back(is_full: bool) -> None:
    ended = asyncio.Event()
    room = asyncio.Event()

    async def send(event: Any) -> None:
        if isinstance(event, StreamClosed):
            ended.set()

    async def app_put(message: Any) -> None:
        if is_full:
            await room.wait()

    config: Any = Config()
    config.ping_seconds = 3600
    nobody: Any = None
    socket = HypercornWebSocket(nobody, config, nobody, nobody, False, None, None, send, 1)
    socket.state, socket.app_put = ASGIWebsocketState.CONNECTED, app_put
    socket.connection = Connection(ConnectionType.SERVER)
    socket.connection.receive_data(masked(b"hello", TEXT))
    handling = asyncio.ensure_future(socket._handle_events())
    await asyncio.sleep(0)
    for _ in range(4):
        await socket._ping_or_end()
    assert ended.is_set() is not is_full
    room.set()
    await handling
    await socket._ping_or_end()
    assert ended.is_set() is not is_full  # it is heard, and pinged again
    await socket._ping_or_end()
    assert ended.is_set()
