"""uvicorn's WebSocket: its handshake, then a connection of ours with frames of ours, and a wire for those who want it.

Stock uvicorn parses and makes each frame by websockets' general machinery and hands messages over one by one; a
connection holds 18 KB before it has done anything, most of it for the handshake. Here all of that is let go of when
the handshake is done. And a message that is refused (too big, no UTF-8) is closed with its code: a socket that is
closed with unread bytes in it resets the connection, and the close frame is lost now and then (stock: 3 of 150 at
1 MiB + 1, 47 of 150 at 2 MiB), so what still comes is read and dropped.
"""

from __future__ import annotations

from typing import Any

import websockets
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from asgi_app.net.admission import NO_CONTEXT, Leave
from asgi_app.net.request_head import EARLY_BYTES, Headers
from asgi_app.seams import Seam
from asgi_app.server.uvicorn_frames import Frames
from asgi_app.ws.transport.direct import OFFER

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
            self.scope["extensions"][OFFER] = self.after.wire  # type: ignore[assignment]
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


class _Handed:
    """The handshake's transport, once the connection has it."""

    def close(self) -> None:
        """Not by the handshake's end."""
