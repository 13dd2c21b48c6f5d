"""An accepted WebSocket: by the direct transport where the server offers one, otherwise by ASGI."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from asgi_app.ws.transport.direct import Gone, Handle, direct_transport

CLOSE_SECONDS = 0.2  # for the close frame of a client that takes nothing any more


class AcceptedWebSocket:
    """Base of all WebSockets. `slow_reader` is the time for a client to take a message, in seconds."""

    __slots__ = ("_ended", "_reading", "_receive", "_send", "_slow_reader", "has_gone", "transport")

    def __init__(self, scope: Mapping[str, Any], receive: Any, send: Any, slow_reader: float) -> None:
        self.transport = direct_transport(scope)
        self.has_gone = False  # whether ASGI's `receive` has said so
        self._receive: Any = receive if self.transport is None else None  # it holds the whole request
        self._send = send if self.transport is None else self.transport.send
        self._slow_reader = slow_reader
        self._reading: asyncio.Task[Any] | None = None  # the task that waits in `_receive`
        self._ended = False

    def each(self, handle: Handle, is_over: Callable[[], bool]) -> Awaitable[None]:
        """Await `handle` of each message until `is_over`, or until the client has gone."""
        return self._each_by_asgi(handle, is_over) if self.transport is None else self.transport.each(handle, is_over)

    async def _each_by_asgi(self, handle: Handle, is_over: Callable[[], bool]) -> None:
        with contextlib.suppress(OSError):
            while not is_over():
                if (work := handle(await self._next())) is not None:
                    await work

    def receive(self) -> Awaitable[str | bytes]:
        """Wait for the next message. Raises `Gone`, also after `end`."""
        return self._next() if self.transport is None else self.transport.receive()

    async def _next(self) -> str | bytes:
        """Wait for the next message by ASGI. Raises `Gone`, also after `end`."""
        if self._ended:
            raise Gone
        self._reading = asyncio.current_task()
        try:
            return await self._read()
        except asyncio.CancelledError:
            if not self._ended or self._reading is None:
                raise
            self._reading.uncancel()
            raise Gone from None
        finally:
            self._reading = None

    async def _read(self) -> str | bytes:
        event = await self._receive()
        if event["type"] == "websocket.connect":
            event = await self._receive()
        if event["type"] != "websocket.receive":
            self.has_gone = True
            raise Gone
        text: str | None = event.get("text")
        return text if text is not None else event.get("bytes") or b""

    async def _send_slowly(self, message: str | bytes) -> None:
        """Send a message by ASGI. Raises `TimeoutError` for a slow reader, and `OSError` if the client has gone."""
        kind = "text" if isinstance(message, str) else "bytes"
        async with asyncio.timeout(self._slow_reader):
            await self._send({"type": "websocket.send", kind: message})

    async def _close(self, code: int, reason: str = "") -> None:
        """Send a close frame if the client still takes it, and stop the reader."""
        with contextlib.suppress(Exception):  # closed already, or no room for the frame (`TimeoutError`)
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
        self._stop_reader()

    def _stop_reader(self) -> None:
        self._ended = True
        if self.transport is not None:
            self.transport.end()
        elif self._reading is not None:
            self._reading.cancel()
