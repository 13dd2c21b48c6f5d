"""The WebSocket under an Engine.IO connection: reading, sending and closing it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from asgi_app.hub import SERVICE_RESTART, TOO_SLOW
from asgi_app.net.send_budget import SMALL
from asgi_app.ws.engineio.packets import PACKET_TYPES
from asgi_app.ws.transport.frames import NORMAL_CLOSURE, frame
from asgi_app.ws.transport.websocket import AcceptedWebSocket

if TYPE_CHECKING:
    from asgi_app.ws.engineio.connection import EngineConnection

log = logging.getLogger("pilotlight.engineio")


class EngineWebSocket(AcceptedWebSocket):
    """One WebSocket of a connection. It is cut when the client reads nothing for `slow_reader` seconds."""

    __slots__ = ("_code", "_connection")

    def __init__(self, connection: EngineConnection, environ: dict[str, Any]) -> None:
        slow_reader = connection.server.settings.slow_reader
        super().__init__(environ["asgi.scope"], environ["asgi.receive"], environ["asgi.send"], slow_reader)
        self._connection = connection
        self._code = NORMAL_CLOSURE

    async def wait(self) -> str | bytes:
        """Wait for the next Engine.IO packet. Raises `Gone` when the client has gone, or after `end`."""
        while True:
            received = await self.receive()
            if (message := self.packet_in(received)) is not None:
                return message

    def packet_in(self, received: str | bytes) -> str | bytes | None:
        """Return what was received if it is an Engine.IO packet."""
        if isinstance(received, bytes) or received[:1] in PACKET_TYPES:
            return received
        log.debug("dropped a message that is no Engine.IO packet")
        return None

    async def send(self, message: str | bytes) -> None:
        """Send a message. Raises `OSError` if the client does not take it."""
        if self.transport is not None and self.transport.open and len(message) <= SMALL:
            self.transport.write(frame(message))
            return
        try:
            await self._send_slowly(message)
        except TimeoutError:
            self._connection.queue.note_cut("slow_reader", f"it read nothing for {self._slow_reader:g} s")
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
        self._code = self._code if code is None else code
        self._stop_reader()

    async def close(self) -> None:
        """Send a close frame, and stop the reader."""
        closed, server = self._connection.queue.closed, self._connection.server
        code = closed.code if closed is not None else SERVICE_RESTART if server.leaving else self._code
        await self._close(code)
