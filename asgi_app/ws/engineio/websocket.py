"""The WebSocket under an Engine.IO connection: reading, sending and closing it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from asgi_app.hub import SERVICE_RESTART, TOO_SLOW
from asgi_app.net.unread import SMALL
from asgi_app.ws.engineio.packets import PACKET_TYPES
from asgi_app.ws.transport.direct import DirectTransport, Gone, direct_transport, live_on
from asgi_app.ws.transport.frames import NORMAL_CLOSURE, frame

if TYPE_CHECKING:
    from asgi_app.ws.engineio.connection import EngineConnection
    from asgi_app.ws.engineio.server import EngineServer

log = logging.getLogger("pilotlight.engineio")

CLOSE_SECONDS = 0.2  # for the close frame of a client that takes nothing any more


class EngineWebSocket:
    """One WebSocket of a connection. It is cut when the client reads nothing for `slow_reader` seconds.

    It lives on after the ASGI call has returned, if the server can do that.
    """

    __slots__ = ("_code", "_connection", "_over", "_reading", "_receive", "_send", "_server", "transport")

    def __init__(self, connection: EngineConnection) -> None:
        self._connection = connection
        self._server: EngineServer = connection.server
        self._code = NORMAL_CLOSURE
        self._reading: asyncio.Task[Any] | None = None  # the task that waits in ASGI's `receive`
        self._over = False
        self._receive: Any = None
        self._send: Any = None
        self.transport: DirectTransport | None = None

    async def open(self, environ: dict[str, Any]) -> None:
        """Accept the handshake, and run the connection on this WebSocket."""
        scope = environ["asgi.scope"]
        await environ["asgi.send"]({"type": "websocket.accept"})
        self.transport = direct_transport(scope)
        if self.transport is None:
            self._receive, self._send = environ["asgi.receive"], environ["asgi.send"]
        else:
            self._send = self.transport.send
        await live_on(scope, self._live)

    async def _live(self) -> None:
        await self._connection.live(self)

    async def wait(self) -> str | bytes:
        """Wait for the next Engine.IO packet. Raises `Gone` when the client has gone, or after `end`."""
        while True:
            message = await (self._message() if self.transport is None else self.transport.receive())
            if isinstance(message, bytes) or message[:1] in PACKET_TYPES:
                return message
            log.debug("dropped a message that is no Engine.IO packet")

    async def _message(self) -> str | bytes:
        """Wait for the next message by ASGI's `receive`."""
        if self._over:
            raise Gone
        self._reading = asyncio.current_task()
        try:
            event = await self._receive()
        except asyncio.CancelledError:
            if not self._over or self._reading is None:
                raise
            self._reading.uncancel()
            raise Gone from None
        finally:
            self._reading = None
        if event["type"] != "websocket.receive":
            raise Gone
        message: str | bytes | None = event.get("bytes")
        text: str = event.get("text") or ""
        return text if message is None else message

    async def send(self, message: str | bytes) -> None:
        """Send a message. Raises `OSError` if the client does not take it."""
        if self.transport is not None and self.transport.open and len(message) <= SMALL:
            self.transport.write(frame(message))
            return
        kind = "text" if isinstance(message, str) else "bytes"
        try:
            async with asyncio.timeout(self._server.slow_reader):
                await self._send({"type": "websocket.send", kind: message})
        except TimeoutError:
            why = f"it read nothing for {self._server.slow_reader:g} s"
            self._connection.queue.note_cut("slow_reader", why)
            self.end(TOO_SLOW)
            raise

    async def send_all(self, messages: list[str | bytes]) -> None:
        """Send messages that belong together, in one write if possible."""
        if self.transport is not None and self.transport.open and sum(map(len, messages)) <= SMALL:
            self.transport.write(b"".join(map(frame, messages)))
            return
        for message in messages:
            await self.send(message)

    def end(self, code: int | None = None) -> None:
        """Stop the reader, which then closes the WebSocket with this code."""
        self._over = True
        self._code = self._code if code is None else code
        if self.transport is not None:
            self.transport.end()
        elif self._reading is not None:
            self._reading.cancel()

    async def close(self) -> None:
        """Send a close frame, and stop the reader."""
        closed = self._connection.queue.closed
        code = closed.code if closed is not None else SERVICE_RESTART if self._server.leaving else self._code
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._send({"type": "websocket.close", "code": code})
        self.end()
