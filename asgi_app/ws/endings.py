"""The ASGI servers' WebSocket protocols, mended where they end a connection without saying why; uvicorn's has a wire.

A message that is too big is closed with 1009 (RFC 6455, 7.4.1). uvicorn closes its socket with the rest of the
message unread, at which the kernel resets the connection, and the close frame is lost now and then (3 of 150 at
1 MiB + 1, 47 of 150 at 2 MiB); hypercorn sends 1009 and then leaves the connection open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hypercorn.protocol.events import Data, Event, StreamClosed
from hypercorn.protocol.ws_stream import ASGIWebsocketState, WebsocketBuffer, WSStream
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request
from wsproto.connection import ConnectionState
from wsproto.events import CloseConnection, Message, Ping, TextMessage

from asgi_app.ws.wire import OFFER, Wire

AHEAD = 16  # messages that wait to be handled; past that nothing more is read
LINGER_SECONDS = 1.0  # for the client to read the close frame, while what it still sends is read and dropped


class UvicornWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, which reads on after it has refused a message, so that the client sees the code.

    Its transport is offered as a scope extension (`ws/wire.py`): open from the end of the handshake to the first word
    of a close, whoever says it, and not while the transport's buffer is full.
    """

    wire: Wire
    leave: Callable[[], None] | None = None  # gives back the place that the connection has

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.wire = Wire()
        self.wire.write = transport.write

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:  # the handshake was refused
            self.scope["extensions"][OFFER] = self.wire  # type: ignore[assignment]

    def start_keepalive(self) -> None:
        """The handshake is done. Engine.IO has pings of its own."""
        if not self.scope["path"].startswith("/socket.io"):
            super().start_keepalive()
        self.wire.set(self.writable.is_set())

    def pause_writing(self) -> None:
        super().pause_writing()
        self.wire.set(False)

    def resume_writing(self) -> None:
        super().resume_writing()
        self.wire.set(self.handshake_complete and not (self.close_sent or self.disconnected or self.closing))

    @property
    def closing(self) -> bool:
        """Whether the transport takes nothing more."""
        return self.transport.is_closing()

    def connection_lost(self, exc: Exception | None) -> None:
        self.wire.set(False)
        if self.leave is not None:
            self.leave()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        self.wire.set(False)
        super().shutdown()

    def handle_close(self, event: Frame) -> None:
        self.wire.set(False)
        super().handle_close(event)

    def keepalive_timeout(self) -> None:
        self.wire.set(False)
        super().keepalive_timeout()

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.close":
            self.wire.set(False)
        await super().send(message)

    def data_received(self, data: bytes) -> None:
        if self.conn.parser_exc is None:
            super().data_received(data)

    def send_receive_event_to_app(self) -> None:
        """Read on until a few messages wait; uvicorn stops at each one, which costs two system calls a message."""
        paused, self.read_paused = self.read_paused, True
        super().send_receive_event_to_app()
        if not paused and self.queue.qsize() >= AHEAD:
            self.transport.pause_reading()
        else:
            self.read_paused = paused

    def handle_parser_exception(self) -> None:
        self.wire.set(False)
        transport = self.transport
        self.transport = _StaysOpen(transport)  # type: ignore[assignment]
        super().handle_parser_exception()
        if self.read_paused:
            transport.resume_reading()
        if transport.can_write_eof():
            transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, transport.close)


class _StaysOpen:
    """A transport that is not closed yet, whatever it is told."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def close(self) -> None:
        """Later."""


class _ByteBuffer(WebsocketBuffer):
    """hypercorn's message buffer, whose limit is in bytes: stock counts a text's characters."""

    def extend(self, event: Message[Any]) -> None:
        if isinstance(event, TextMessage) and not event.data.isascii():
            self.length += len(event.data.encode()) - len(event.data)
        super().extend(event)


class HypercornWebSocket(WSStream):
    """hypercorn's WebSocket, which ends after it has said 1009, and when nobody answers its pings."""

    def __init__(self, *args: Any, ping_seconds: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ping_seconds = ping_seconds
        self.buffer = _ByteBuffer(self.buffer.max_length)
        self._heard = True
        self._timer: asyncio.TimerHandle | None = None
        self._pinging: asyncio.Task[None] | None = None

    async def handle(self, event: Event) -> None:
        if isinstance(event, Data):
            self._heard = True
        await super().handle(event)
        if self.closed and self._timer is not None:
            self._timer.cancel()

    async def _accept(self, message: Any) -> None:
        """The handshake is done. Engine.IO has pings of its own."""
        await super()._accept(message)
        if not self.scope["path"].startswith("/socket.io"):
            self._ping_later()

    def _ping_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self.ping_seconds, self._ping)

    def _ping(self) -> None:
        """By a timer: hypercorn's own pings are a task that keeps a connection for as long as one sleeps."""
        self._pinging = asyncio.ensure_future(self._ping_or_end())

    async def _ping_or_end(self) -> None:
        if self.closed or self.state is not ASGIWebsocketState.CONNECTED:
            return
        if self._heard:  # something, at least the pong, since the last ping
            self._heard = False
            await self._send_wsproto_event(Ping())
            self._ping_later()
            return
        await self._send_wsproto_event(CloseConnection(code=1011, reason="keepalive ping timeout"))
        await self.send(StreamClosed(stream_id=self.stream_id))

    async def _handle_events(self) -> None:
        await super()._handle_events()
        too_big = self.buffer.length > self.buffer.max_length
        if too_big and self.connection.state is ConnectionState.LOCAL_CLOSING:
            await self.send(StreamClosed(stream_id=self.stream_id))
