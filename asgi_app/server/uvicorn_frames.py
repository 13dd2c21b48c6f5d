"""A WebSocket connection on uvicorn after its handshake: frames in and out, pings, backpressure, and its end.

A message that is refused (too big, no UTF-8) is closed with its code. A socket that is closed with unread bytes resets
the connection, and the close frame may be lost (uvicorn: 3 of 150 at 1 MiB + 1, 47 of 150 at 2 MiB). So what still
arrives is read and dropped.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected

from asgi_app.hub import SERVICE_RESTART
from asgi_app.net.admission import NO_CONTEXT, AdmissionQueue, Leave
from asgi_app.net.request_head import LINGER_SECONDS
from asgi_app.net.send_budget import SMALL
from asgi_app.server.arrivals import Arrivals
from asgi_app.server.frame_reader import Breach, FrameReader, close_code
from asgi_app.server.heartbeats import Heartbeats
from asgi_app.ws.transport.direct import DirectTransport
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
    close_frame,
    frame,
)

log = logging.getLogger("pilotlight.websocket")

CLOSE_SECONDS = 10.0  # for the client's close frame


async def _send_after_end(message: Any) -> None:
    """ASGI's `send` after the connection's end."""
    raise ClientDisconnected


class Frames(asyncio.Protocol):
    """A connection after its handshake. `direct` is open until a side begins to close, unless the buffer is full."""

    __slots__ = (
        "_arrivals",
        "_close_sent",
        "_closing",
        "_connections",
        "_heartbeats", "_leaving",
        "_lingering",
        "_loop",
        "_paused",
        "_pinged",
        "_reader",
        "_transport",
        "_unanswered",
        "_writable",
        "direct",
        "leave",
    )  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: Any,
        *,
        max_size: int,
        heartbeats: Heartbeats | None,
        leaving: AdmissionQueue | None,
        connections: set[Any],
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._reader = FrameReader(max_size)
        self._arrivals = Arrivals(loop, transport.pause_reading, transport.resume_reading)
        self._connections = connections
        self._heartbeats = heartbeats  # says when to ping, and until when it must be answered
        self._leaving = leaving
        self._pinged: int | None = None  # bytes that waited to be sent after the last ping; None if it has shown life
        self._unanswered: bytes | None = None  # a ping that arrived while the transport's buffer was full
        self._closing: asyncio.TimerHandle | None = None
        self._close_sent = self._lingering = self._paused = False
        self._writable: asyncio.Future[None] | None = None
        self.leave: Leave | None = None
        self.direct = DirectTransport(transport.write, self._arrivals, self.send)
        self.direct.set(True)
        connections.add(self)
        self._beat_later()

    async def live(self) -> None:
        """Run what the connection does from now on, then close it."""
        life, self.direct.life = self.direct.life, None  # break a reference cycle, so that memory is freed at once
        living = None if life is None else life()
        del life
        try:
            if living is not None:
                await living
        except ClientDisconnected:
            pass
        except Exception:
            log.exception("a connection failed")
        self.direct.send = _send_after_end
        if self._closing is None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            return
        self._pinged = None  # a part of a long message shows life, too
        arrived, breach = self._reader.receive_data(data)
        try:
            for opcode, payload in arrived:
                self._handle(opcode, payload)
                if opcode == CLOSE:
                    return  # what follows a close is discarded (1.4), also where it breaks the protocol
        except Breach as found:
            breach = found
        if breach is not None:
            self._refuse(breach)

    def _handle(self, opcode: int, payload: bytes) -> None:
        """Handle a message or a control frame. Raises `Breach` for invalid UTF-8, and for an invalid close code."""
        if opcode == TEXT:
            try:
                text = payload.decode()
            except UnicodeDecodeError:
                raise Breach(INVALID_DATA, "the text is no UTF-8") from None
            if not self._close_sent:
                self._arrivals.put(text)
        elif opcode == CLOSE:
            self._closed(close_code(payload))
        elif opcode != PONG and not self._close_sent:
            if opcode == BINARY:
                self._arrivals.put(payload)
            elif self._paused:
                self._unanswered = payload  # of several pings, the newest is answered (RFC 6455, 5.5.3)
            else:
                self._transport.write(frame(payload, PONG))

    def _closed(self, code: int) -> None:
        """Answer the client's close frame, and close."""
        self._end(code)
        self._cancel_timers()
        self._transport.close()

    def _refuse(self, breach: Breach) -> None:
        """Close with the reason. Read and drop data for a moment, so that the client can read it."""
        self._lingering = True
        self._end(breach.code, breach.reason)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.resume_reading()
        self._cancel_timers()
        self._closing = self._loop.call_later(LINGER_SECONDS, self._transport.close, context=NO_CONTEXT)

    async def receive(self) -> Any:
        """ASGI's `receive`."""
        message = await self._arrivals.next()
        if isinstance(message, dict):
            return message
        return {"type": "websocket.receive", "text" if isinstance(message, str) else "bytes": message}

    async def send(self, message: Any) -> None:
        """ASGI's `send`. Waits while the transport's buffer is full; after a large message also until it is not."""
        await self._until_writable()
        if self.direct.is_lost or self._lingering or (self._close_sent and self._transport.is_closing()):
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
        while self._paused and not self.direct.is_lost:
            if self._writable is None:
                self._writable = self._loop.create_future()
            await asyncio.shield(self._writable)

    def _close(self, code: int, reason: str = "") -> None:
        if self._transport.is_closing():
            return
        self._end(code, reason)
        self._transport.resume_reading()  # for the client's close frame
        self._closing = self._loop.call_later(CLOSE_SECONDS, self._transport.close, context=NO_CONTEXT)

    def _end(self, code: int, reason: str = "") -> None:
        """Take and hand over no more messages, and send a close frame if none was sent."""
        self.direct.set(False)
        self._arrivals.end({"type": "websocket.disconnect", "code": code, "reason": reason})
        if not self._close_sent:
            self._close_sent = True
            self._transport.write(close_frame(code, reason))

    def pause_writing(self) -> None:
        self._paused = True
        self.direct.set(False)

    def resume_writing(self) -> None:
        self._paused = False
        if self._unanswered is not None and not self._close_sent:
            payload, self._unanswered = self._unanswered, None
            self._transport.write(frame(payload, PONG))
            if self._paused:
                return
        self._wake_senders()
        self.direct.set(not (self._close_sent or self.direct.is_lost or self._transport.is_closing()))

    def _wake_senders(self) -> None:
        if self._writable is not None:
            self._writable.set_result(None)
            self._writable = None

    def _beat_later(self) -> None:
        if self._heartbeats is not None:
            self._heartbeats.later(self)

    def due(self) -> None:
        """Ping, or end a connection that has shown no life since the ping before.

        Life is any byte that arrives, and one that the client takes of what waits to be sent. What the panel does not
        read cannot arrive.
        """
        if self._close_sent or self._transport.is_closing():
            return
        waiting = self._transport.get_write_buffer_size()
        if self._arrivals.is_full and not self._paused:
            self._pinged = None
            self._beat_later()
        elif self._pinged is None or waiting < self._pinged:
            self._transport.write(frame(b"", PING))
            self._pinged = self._transport.get_write_buffer_size()
            self._beat_later()
        else:
            self._close(INTERNAL_ERROR, "no answer to a ping")
            self._cancel_timers()
            self._transport.close()

    def _cancel_timers(self) -> None:
        if self._heartbeats is not None:
            self._heartbeats.forget(self)
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None

    def shutdown(self) -> None:
        """Close the connection: uvicorn stops."""
        if not self._close_sent:
            self._close(SERVICE_RESTART)
        self._cancel_timers()
        self._transport.close()

    def eof_received(self) -> None:
        """Let the transport close: the client has closed its side."""

    def connection_lost(self, exc: Exception | None) -> None:
        self.direct.lost()
        self._connections.discard(self)
        self._cancel_timers()
        self._wake_senders()
        if self.leave is not None:
            closed = self._close_sent or self.direct.send is _send_after_end  # by the panel, before
            self.leave(None if closed else exc)
        gone = {"type": "websocket.disconnect", "code": GOING_AWAY if exc is None else ABNORMAL_CLOSURE}
        end = partial(self._arrivals.end, gone)  # wakes the reader
        if self._leaving is None or self._close_sent:  # the reader knows already
            end()
        else:
            self._leaving.enter("", end)
