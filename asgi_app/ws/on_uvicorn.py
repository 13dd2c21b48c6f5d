"""uvicorn's WebSocket: its handshake, our frames, and a wire for those who want it.

Stock uvicorn parses and makes each frame by websockets' general machinery and hands messages over one by one; a
connection holds 18 KB before it has done anything, most of it for the handshake. Here everything that only the
handshake needs is let go of when it is done. And a message that is refused (too big, no UTF-8) is closed with its code:
a socket that is closed with unread bytes in it resets the connection, and the close frame is lost now and then (stock:
3 of 150 at 1 MiB + 1, 47 of 150 at 2 MiB), so what still comes is read and dropped.
"""

from __future__ import annotations

import random
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from asgi_app.ws.frames import (
    BINARY,
    CLOSE,
    FAULT,
    GOING,
    NO_UTF8,
    NORMAL,
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
from asgi_app.ws.wire import OFFER, Arrivals, Wire

LINGER_SECONDS = 1.0  # for the client to read why, while what it still sends is read and dropped
RESTART = 1012  # RFC 6455 registry, "service restart"


class UvicornWebSocket(WebSocketsSansIOProtocol):
    """One WebSocket on uvicorn. Its wire is open from the end of the handshake to the first word of a close, whoever
    says it, and not while the transport's buffer is full.
    """

    offers_wire = True

    wire: Wire
    reader: FrameReader | None = None  # once the handshake is done
    lingering = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.arrivals = Arrivals(self.loop, transport.pause_reading, transport.resume_reading)
        self.wire = Wire(transport.write, self.arrivals)
        self.early = b""

    # --- the handshake: uvicorn's ------------------------------------------------------------------------------

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent and self.offers_wire:  # else the handshake was refused
            self.scope["extensions"][OFFER] = self.wire  # type: ignore[assignment]

    def start_keepalive(self) -> None:
        """The handshake is done: only frames from now on. Engine.IO has pings of its own."""
        self.reader = FrameReader(self.config.ws_max_size)
        del self.conn, self.request, self.response, self.queue
        if not self.scope["path"].startswith("/socket.io"):
            super().start_keepalive()
        self.wire.set(self.writable.is_set())
        if self.early:
            early, self.early = self.early, b""
            self.data_received(early)

    async def run_asgi(self) -> None:
        if self.reader is None:
            self.app = _Living(self)
        await super().run_asgi()

    # --- what comes --------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self.reader is None:
            if self.handshake_initiated:
                self.early += data  # sent before the answer
            else:
                super().data_received(data)
            return
        if self.lingering:
            return
        arrived, breach = self.reader.receive_data(data)
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
            if what.payload == self.pending_ping_payload:
                self._answered()
        elif what.opcode == CLOSE:
            self._closed(close_code(what.payload))
        elif what.opcode == TEXT:
            try:
                text = what.payload.decode()
            except UnicodeDecodeError:
                raise Breach(NO_UTF8, "the text is no UTF-8") from None
            if not self.close_sent:
                self.arrivals.put(text)
        elif not self.close_sent:
            if what.opcode == BINARY:
                self.arrivals.put(what.payload)
            else:
                self.transport.write(frame(what.payload, PONG))

    def _closed(self, code: int) -> None:
        """The client's close frame."""
        self.wire.set(False)
        if not self.close_sent:
            self.close_sent = True
            self.arrivals.end({"type": "websocket.disconnect", "code": code})
            self.transport.write(close_frame(code))
        self.stop_close_timer()
        self.transport.close()

    def _refuse(self, breach: Breach) -> None:
        """Say why, and read on for a moment, so that the client can read it."""
        self.lingering = True
        self.wire.set(False)
        self.arrivals.end({"type": "websocket.disconnect", "code": breach.code})
        if not self.close_sent:
            self.close_sent = True
            self.transport.write(close_frame(breach.code, breach.reason))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.transport.resume_reading()
        self.stop_close_timer()
        self.close_timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)

    async def receive(self) -> Any:
        """ASGI's `receive`."""
        if self.reader is None:
            return await super().receive()
        message = await self.arrivals.next()
        if isinstance(message, dict):
            return message
        return {"type": "websocket.receive", "text" if isinstance(message, str) else "bytes": message}

    # --- what goes ---------------------------------------------------------------------------------------------

    async def send(self, message: Any) -> None:
        """ASGI's `send`."""
        if self.reader is None:
            await super().send(message)
            if self.close_sent:  # refused by an answer of HTTP; stock would log an error, that no handshake came
                self.handshake_complete = True
            return
        if not self.writable.is_set():
            await self.writable.wait()
        if self.disconnected or self.lingering or (self.close_sent and self.transport.is_closing()):
            raise ClientDisconnected
        if self.close_sent:
            raise RuntimeError(f"{message['type']} after websocket.close")
        if message["type"] == "websocket.send":
            text = message.get("text")
            self.transport.write(frame(message["bytes"] if text is None else text))
        elif message["type"] == "websocket.close":
            self._close(message.get("code", NORMAL), message.get("reason") or "")
        else:
            raise RuntimeError(f"{message['type']} after the handshake")

    def _close(self, code: int, reason: str = "") -> None:
        if self.transport.is_closing():
            return
        self.wire.set(False)
        self.close_sent = True
        self.arrivals.end({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(close_frame(code, reason))
        self.transport.resume_reading()  # for the client's close frame
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.wire.set(False)

    def resume_writing(self) -> None:
        super().resume_writing()
        self.wire.set(
            self.reader is not None and not (self.close_sent or self.disconnected or self.transport.is_closing())
        )

    # --- pings -------------------------------------------------------------------------------------------------

    def send_keepalive_ping(self) -> None:
        self.ping_timer = None
        if self.close_sent or self.transport.is_closing():
            return
        self.pending_ping_payload = random.randbytes(4)
        self.ping_sent_at = self.loop.time()
        self.transport.write(frame(self.pending_ping_payload, PING))
        if self.ping_timeout is not None:
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)
        else:
            self.schedule_ping()

    def _answered(self) -> None:
        self.last_ping_rtt = self.loop.time() - self.ping_sent_at
        self.pending_ping_payload = None
        if self.pong_timer is not None:
            self.pong_timer.cancel()
            self.pong_timer = None
            self.schedule_ping()

    def keepalive_timeout(self) -> None:
        self.pong_timer = None
        if not self.close_sent and not self.transport.is_closing():
            self._close(FAULT, "no answer to a ping")
            self.stop_close_timer()
            self.transport.close()

    # --- the end -----------------------------------------------------------------------------------------------

    def stop_close_timer(self) -> None:
        """Nothing more to wait for."""
        if self.close_timer is not None:
            self.close_timer.cancel()
            self.close_timer = None

    def shutdown(self) -> None:
        if self.reader is None:
            super().shutdown()
            return
        self.stop_keepalive()
        if not self.close_sent:
            self._close(RESTART)
        self.stop_close_timer()
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.wire.set(False)
        self.arrivals.end({"type": "websocket.disconnect", "code": GOING if exc is None else 1006})
        if self.reader is not None:
            self.queue = _Nowhere()  # type: ignore[assignment]
        super().connection_lost(exc)


class PlainUvicornWebSocket(UvicornWebSocket):
    """The same without its wire: everything goes the ASGI way."""

    offers_wire = False


class _Living:
    """The application, and then what the connection lives on with: the request is not kept for that."""

    def __init__(self, connection: UvicornWebSocket) -> None:
        self._connection = connection
        self._app = connection.app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)
        if (life := self._connection.wire.life) is not None:
            del scope, receive, send, self._connection.scope
            await life()


class _Nowhere:
    """uvicorn's queue, after the handshake."""

    def put_nowait(self, event: Any) -> None:
        """Nobody reads there."""
