"""uvicorn's WebSocket handshake, which hands the connection over to `uvicorn_frames.py`.

uvicorn parses and makes each frame with websockets' general code, and hands over messages one by one. A connection
takes 18 KB before it has done anything, most of it for the handshake. Here all of that is freed after the handshake.
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
from asgi_app.telemetry.tasks import start_task
from asgi_app.ws.transport.direct import EXTENSION

SEAMS = (
    Seam(
        WebSocketsSansIOProtocol,
        "app close_sent config conn connection_lost connections data_received disconnected handle_connect "
        "handshake_complete handshake_initiated loop ping_interval receive run_asgi send shutdown "
        "start_keepalive transport writable",
    ),
)


class UvicornWebSocket(WebSocketsSansIOProtocol):
    """The handshake, and ASGI's `receive` and `send` for applications that do not use the direct transport."""

    offers_transport = True

    after: Frames | None = None  # the connection after the handshake
    early = b""  # what arrived before that
    leave: Leave | None = None  # gives back the connection's place

    def begin(self, target: bytes, headers: Headers) -> None:
        """Take a handshake that was read and checked. websockets' own parser has smaller limits."""
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        self.handle_connect(Request(target.decode(), websockets.Headers(fields)))

    def data_received(self, data: bytes) -> None:
        """Keep what arrives before the handshake is answered."""
        self.early += data
        if len(self.early) > EARLY_BYTES:
            self.transport.pause_reading()

    def start_keepalive(self) -> None:
        """Hand the connection over: the handshake is done."""
        pings = not self.scope["path"].startswith("/socket.io")  # Engine.IO has its own
        self.after = Frames(
            self.loop,
            self.transport,
            max_size=self.config.ws_max_size,
            ping_seconds=(self.ping_interval or None) if pings else None,
            connections=self.connections,
        )
        if not self.writable.is_set():
            self.after.pause_writing()
        self.after.leave = self.leave
        self.transport.set_protocol(self.after)
        self.connections.discard(self)
        if self.offers_transport:
            self.scope["extensions"][EXTENSION] = self.after.direct  # type: ignore[assignment]
        if self.early:
            self.transport.resume_reading()
            self.after.data_received(self.early)

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up a connection that was lost before the end of the handshake."""
        super().connection_lost(exc)
        self.conn.parser.close()  # a generator in a reference cycle
        if self.leave is not None:
            self.leave(exc)

    def shutdown(self) -> None:
        """uvicorn stops, and refuses the handshake itself: a second response, from the application, would fail."""
        super().shutdown()
        self.disconnected = self.handshake_complete = True

    async def run_asgi(self) -> None:
        """Call the application. Afterwards the connection runs in a task that holds no reference to the call."""
        self.app = _Call(self, self.app)
        try:
            await super().run_asgi()
        finally:
            # Break reference cycles, so that memory is freed at once.
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
            message = {**message, "subprotocol": offered}  # a browser that offers some fails if none is chosen
        await super().send(message)
        if self.close_sent:  # refused by an HTTP response; uvicorn would log a missing handshake
            self.handshake_complete = True


class PlainUvicornWebSocket(UvicornWebSocket):
    """A `UvicornWebSocket` without the direct transport: everything goes through ASGI."""

    offers_transport = False


class _Call:
    """The application's call. The connection may outlive it."""

    def __init__(self, handshake: UvicornWebSocket, app: Any) -> None:
        self._handshake = handshake
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        handshake = self._handshake
        try:
            await self._app(scope, receive, send)
        finally:
            if (after := handshake.after) is not None:
                handshake.transport = _HandedOver()  # type: ignore[assignment]
                NO_CONTEXT.copy().run(start_task, handshake.tasks, after.live())  # uvicorn waits for these at its stop


class _HandedOver:
    """Stands for the transport after it was handed over."""

    def close(self) -> None:
        """Do nothing: the end of the call does not close the connection."""
