"""uvicorn's WebSocket: its handshake, then a connection of ours with frames of ours, and a wire for those who want it.

Stock uvicorn parses and makes each frame by websockets' general machinery and hands messages over one by one; a
connection holds 18 KB before it has done anything, most of it for the handshake. Here all of that is let go of when
the handshake is done. And a message that is refused (too big, no UTF-8) is closed with its code: a socket that is
closed with unread bytes in it resets the connection, and the close frame is lost now and then (stock: 3 of 150 at
1 MiB + 1, 47 of 150 at 2 MiB), so what still comes is read and dropped.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Any

import websockets
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from asgi_app.hub import SERVICE_RESTART
from asgi_app.net.admission import NO_CONTEXT, Leave
from asgi_app.net.request_head import EARLY_BYTES, LINGER_SECONDS, Headers
from asgi_app.net.unread import SMALL
from asgi_app.seams import Seam
from asgi_app.ws.transport.direct import EXTENSION, Arrivals, DirectTransport
from asgi_app.ws.transport.frames import (
    ABNORMAL_CLOSURE,
    BINARY,
    CLOSE,
    GOING_AWAY,
    INTERNAL_ERROR,
    INVALID_DATA,
    NORMAL_CLOSURE,
    PING,
    PONG,
    TEXT,
    Arrived,
    Breach,
    FrameReader,
    close_code,
    close_frame,
    frame,
)

log = logging.getLogger("pilotlight.websocket")

CLOSE_SECONDS = 10.0  # for the client's close frame


SEAMS = (
    Seam(
        WebSocketsSansIOProtocol,
        "app close_sent config conn connection_lost connections data_received disconnected handle_connect "
        "handshake_complete handshake_initiated loop ping_interval ping_timeout receive run_asgi send shutdown "
        "start_keepalive transport writable",
    ),
)


class UvicornWebSocket(WebSocketsSansIOProtocol):
    """The handshake, and ASGI's `receive` and `send` for whoever does without the wire."""

    offers_wire = True

    after: Frames | None = None  # once the handshake is done
    early = b""  # what came before that
    leave: Leave | None = None  # gives back the place that the connection has

    def begin(self, target: bytes, headers: Headers) -> None:
        """Take the handshake, which has been read and checked; websockets' own reader has smaller limits."""
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        self.handle_connect(Request(target.decode(), websockets.Headers(fields)))

    def data_received(self, data: bytes) -> None:
        """What comes before the handshake is answered."""
        self.early += data
        if len(self.early) > EARLY_BYTES:
            self.transport.pause_reading()

    def start_keepalive(self) -> None:
        """The handshake is done."""
        pings = not self.scope["path"].startswith("/socket.io")  # Engine.IO has its own
        self.after = Frames(
            self.loop,
            self.transport,
            max_size=self.config.ws_max_size,
            ping_interval=(self.ping_interval or None) if pings else None,
            ping_timeout=self.ping_timeout,
            connections=self.connections,
        )
        if not self.writable.is_set():
            self.after.pause_writing()
        self.after.leave = self.leave
        self.transport.set_protocol(self.after)
        self.connections.discard(self)
        if self.offers_wire:
            self.scope["extensions"][EXTENSION] = self.after.wire  # type: ignore[assignment]
        if self.early:
            self.transport.resume_reading()
            self.after.data_received(self.early)

    def connection_lost(self, exc: Exception | None) -> None:
        """There was no handshake."""
        super().connection_lost(exc)
        self.conn.parser.close()  # a generator that holds what holds it
        if self.leave is not None:
            self.leave(exc)

    def shutdown(self) -> None:
        """uvicorn stops before the handshake is done, and answers it: what the application says now would be a second
        answer, which fails."""
        super().shutdown()
        self.disconnected = self.handshake_complete = True

    async def run_asgi(self) -> None:
        """The application's call; what the connection lives on with is a task of its own, without any of this."""
        self.app = _Call(self, self.app)
        try:
            await super().run_asgi()
        finally:
            # They hold the handshake, as it holds them: what is in a circle waits for the collector, which comes late.
            del self.app, self.scope
            if self.after is not None:
                self.conn.parser.close()

    async def receive(self) -> Any:
        return await (super().receive() if self.after is None else self.after.receive())

    async def send(self, message: Any) -> None:
        if self.after is not None:
            await self.after.send(message)
            return
        if message["type"] == "websocket.accept" and not message.get("subprotocol"):
            offered = next(iter(self.scope["subprotocols"]), None)
            message = {**message, "subprotocol": offered}  # a browser that offers some fails where none is taken
        await super().send(message)
        if self.close_sent:  # refused by an answer of HTTP; stock would log an error, that no handshake came
            self.handshake_complete = True


class PlainUvicornWebSocket(UvicornWebSocket):
    """The same without its wire: everything goes the ASGI way."""

    offers_wire = False


class _Call:
    """The application's call, whose end is not that of a connection that lives on."""

    def __init__(self, handshake: UvicornWebSocket, app: Any) -> None:
        self._handshake = handshake
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        handshake = self._handshake
        try:
            await self._app(scope, receive, send)
        finally:
            if (after := handshake.after) is not None:
                handshake.transport = _Handed()  # type: ignore[assignment]
                task = NO_CONTEXT.copy().run(handshake.loop.create_task, after.live())
                handshake.tasks.add(task)  # uvicorn waits for them when it stops
                task.add_done_callback(handshake.tasks.discard)


async def _gone(message: Any) -> None:
    """ASGI's `send`, once nobody lives on the connection."""
    raise ClientDisconnected


class _Handed:
    """The handshake's transport, once the connection has it."""

    def close(self) -> None:
        """Not by the handshake's end."""


class Frames(asyncio.Protocol):
    """A connection after its handshake.

    Its wire is open until the first word of a close, whoever says it, and not while the transport's buffer is full.
    """

    __slots__ = (
        "_arrivals",
        "_close_sent",
        "_closing",
        "_connections",
        "_lingering",
        "_loop",
        "_lost",
        "_paused",
        "_ping_interval",
        "_ping_timeout",
        "_pinged",
        "_reader",
        "_timer",
        "_transport",
        "_unanswered",
        "_writable",
        "leave",
        "wire",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: Any,
        *,
        max_size: int,
        ping_interval: float | None,
        ping_timeout: float | None,
        connections: set[Any],
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._reader = FrameReader(max_size)
        self._arrivals = Arrivals(loop, transport.pause_reading, transport.resume_reading)
        self._connections = connections
        self._ping_interval = ping_interval
        self._ping_timeout = ping_timeout
        self._pinged: bytes | None = None
        self._unanswered: bytes | None = None  # a ping that came while the client took nothing
        self._timer: asyncio.TimerHandle | None = None  # for the next ping, or its answer
        self._closing: asyncio.TimerHandle | None = None
        self._close_sent = self._lingering = self._lost = self._paused = False
        self._writable: asyncio.Future[None] | None = None
        self.leave: Leave | None = None
        self.wire = DirectTransport(transport.write, self._arrivals, self.send)
        self.wire.set(True)
        connections.add(self)
        self._ping_later()

    async def live(self) -> None:
        """What the connection does from now on; it ends with that."""
        life, self.wire.life = self.wire.life, None  # it holds the wire: a circle would wait for the collector
        try:
            if life is not None:
                await life()
        except ClientDisconnected:
            pass
        except Exception:
            log.exception("a connection failed")
        self.wire.send = _gone
        if self._closing is None:
            self._transport.close()

    # --- what comes --------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            return
        arrived, breach = self._reader.receive_data(data)
        try:
            for what in arrived:
                self._take(what)
                if what.opcode == CLOSE:
                    return  # what follows a close is discarded (1.4), also where it breaks the protocol
        except Breach as found:
            breach = found
        if breach is not None:
            self._refuse(breach)

    def _take(self, what: Arrived) -> None:
        """Raises `Breach` for a text that is no UTF-8, and for a close that must not be sent."""
        if what.opcode == PONG:
            if what.payload == self._pinged:
                self._pinged = None
                self._ping_later()
        elif what.opcode == CLOSE:
            self._closed(close_code(what.payload))
        elif what.opcode == TEXT:
            try:
                text = what.payload.decode()
            except UnicodeDecodeError:
                raise Breach(INVALID_DATA, "the text is no UTF-8") from None
            if not self._close_sent:
                self._arrivals.put(text)
        elif not self._close_sent:
            if what.opcode == BINARY:
                self._arrivals.put(what.payload)
            elif self._paused:
                self._unanswered = what.payload  # of several pings, the newest is answered (RFC 6455, 5.5.3)
            else:
                self._transport.write(frame(what.payload, PONG))

    def _closed(self, code: int) -> None:
        """The client's close frame."""
        self.wire.set(False)
        self._arrivals.end({"type": "websocket.disconnect", "code": code})
        if not self._close_sent:
            self._close_sent = True
            self._transport.write(close_frame(code))
        self._stop_waiting()
        self._transport.close()

    def _refuse(self, breach: Breach) -> None:
        """Say why, and read on for a moment, so that the client can read it."""
        self._lingering = True
        self.wire.set(False)
        self._arrivals.end({"type": "websocket.disconnect", "code": breach.code})
        if not self._close_sent:
            self._close_sent = True
            self._transport.write(close_frame(breach.code, breach.reason))
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.resume_reading()
        self._stop_waiting()
        self._closing = self._loop.call_later(LINGER_SECONDS, self._transport.close, context=NO_CONTEXT)

    async def receive(self) -> Any:
        """ASGI's `receive`."""
        message = await self._arrivals.next()
        if isinstance(message, dict):
            return message
        return {"type": "websocket.receive", "text" if isinstance(message, str) else "bytes": message}

    # --- what goes ---------------------------------------------------------------------------------------------

    async def send(self, message: Any) -> None:
        """ASGI's `send`; waits while the transport's buffer is full, with a large message also after it was written."""
        await self._until_writable()
        if self._lost or self._lingering or (self._close_sent and self._transport.is_closing()):
            raise ClientDisconnected
        if self._close_sent:
            raise RuntimeError(f"{message['type']} after websocket.close")
        if message["type"] == "websocket.send":
            text = message.get("text")
            data = message["bytes"] if text is None else text
            self._transport.write(frame(data))
            if len(data) > SMALL:
                del message, text, data
                await self._until_writable()
        elif message["type"] == "websocket.close":
            self._close(message.get("code", NORMAL_CLOSURE), message.get("reason") or "")
        else:
            raise RuntimeError(f"{message['type']} after the handshake")

    async def _until_writable(self) -> None:
        while self._paused and not self._lost:
            if self._writable is None:
                self._writable = self._loop.create_future()
            await asyncio.shield(self._writable)

    def _close(self, code: int, reason: str = "") -> None:
        if self._transport.is_closing():
            return
        self.wire.set(False)
        self._close_sent = True
        self._arrivals.end({"type": "websocket.disconnect", "code": code, "reason": reason})
        self._transport.write(close_frame(code, reason))
        self._transport.resume_reading()  # for the client's close frame
        self._closing = self._loop.call_later(CLOSE_SECONDS, self._transport.close, context=NO_CONTEXT)

    def pause_writing(self) -> None:
        self._paused = True
        self.wire.set(False)

    def resume_writing(self) -> None:
        self._paused = False
        if self._unanswered is not None and not self._close_sent:
            payload, self._unanswered = self._unanswered, None
            self._transport.write(frame(payload, PONG))
            if self._paused:
                return
        self._go_on()
        self.wire.set(not (self._close_sent or self._lost or self._transport.is_closing()))

    def _go_on(self) -> None:
        if self._writable is not None:
            self._writable.set_result(None)
            self._writable = None

    # --- pings -------------------------------------------------------------------------------------------------

    def _ping_later(self) -> None:
        self._stop_pinging()
        if self._ping_interval is not None:
            self._timer = self._loop.call_later(self._ping_interval, self._ping, context=NO_CONTEXT)

    def _ping(self) -> None:
        self._timer = None
        if self._close_sent or self._transport.is_closing():
            return
        self._pinged = random.randbytes(4)
        self._transport.write(frame(self._pinged, PING))
        if self._ping_timeout is not None:
            self._timer = self._loop.call_later(self._ping_timeout, self._went_silent, context=NO_CONTEXT)
        else:
            self._ping_later()

    def _went_silent(self) -> None:
        self._timer = None
        if not self._close_sent and not self._transport.is_closing():
            self._close(INTERNAL_ERROR, "no answer to a ping")
            self._stop_waiting()
            self._transport.close()

    def _stop_pinging(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- the end -----------------------------------------------------------------------------------------------

    def _stop_waiting(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None

    def shutdown(self) -> None:
        """uvicorn stops."""
        if not self._close_sent:
            self._close(SERVICE_RESTART)
        self._stop_waiting()
        self._transport.close()

    def eof_received(self) -> None:
        """The client sends no more: the transport closes."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self.wire.set(False)
        self._arrivals.end({"type": "websocket.disconnect", "code": GOING_AWAY if exc is None else ABNORMAL_CLOSURE})
        self._connections.discard(self)
        self._stop_pinging()
        self._stop_waiting()
        self._go_on()
        self.wire.lost()
        if self.leave is not None:
            closed = self._close_sent or self.wire.send is _gone  # by us, before
            self.leave(None if closed else exc)
