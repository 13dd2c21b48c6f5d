"""hypercorn's WebSocket, with fixes for how connections end.

hypercorn closes a message that is too big with 1009 (RFC 6455, 7.4.1), but leaves the connection open. A client that
breaks the protocol gets no close frame. And its pings are a task for each connection, which keeps a closed connection
in memory until it has slept.
"""

from __future__ import annotations

import asyncio
from typing import Any

from hypercorn.protocol.events import Data, Event, StreamClosed
from hypercorn.protocol.ws_stream import ASGIWebsocketState, FrameTooLargeError, WebsocketBuffer, WSStream
from wsproto.connection import ConnectionState
from wsproto.events import CloseConnection, Message, Ping, TextMessage

from asgi_app.net.admission import NO_CONTEXT
from asgi_app.seams import Seam
from asgi_app.ws.transport.frames import MESSAGE_TOO_BIG

SEAMS = (
    Seam(WebsocketBuffer, "extend length"),
    Seam(
        WSStream,
        "_accept _handle_events _send_error_response _send_wsproto_event app_put app_send buffer closed config "
        "handle send state stream_id",
    ),
)


class _ByteBuffer(WebsocketBuffer):
    """hypercorn's message buffer with a limit in bytes. hypercorn counts the characters of a text."""

    def extend(self, event: Message[Any]) -> None:
        if isinstance(event, TextMessage) and not event.data.isascii():
            self.length += len(event.data.encode()) - len(event.data)
        super().extend(event)


class HypercornWebSocket(WSStream):
    """hypercorn's WebSocket, which says why it ends, and then ends; also if pings are not answered."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.ping_seconds: float = self.config.ping_seconds  # type: ignore[attr-defined]  # our configuration
        self.buffer = _ByteBuffer(self.buffer.max_length)
        self.failed = False  # the client broke the protocol, and was told so
        self._heard = True
        self._is_full = False  # the application is behind: what the client sends waits
        self._decided = asyncio.Event()  # the handshake was accepted or refused
        self._timer: asyncio.TimerHandle | None = None
        self._pinging: asyncio.Task[None] | None = None

    async def handle(self, event: Event) -> None:
        if isinstance(event, Data):
            self._heard = True
            if self.state is ASGIWebsocketState.HANDSHAKE:  # data before the response: read nothing more until then
                await self._decided.wait()
        await super().handle(event)
        if self.closed:
            self._decided.set()
        if self.closed and self._timer is not None:
            self._timer.cancel()

    async def app_send(self, message: Any) -> None:
        await super().app_send(message)
        if message is None or self.state is not ASGIWebsocketState.HANDSHAKE:
            self._decided.set()

    async def _accept(self, message: Any) -> None:
        """Accept the handshake. Engine.IO has its own pings."""
        self.handshake.extensions = None  # no compression, as on uvicorn: 64 KiB can inflate to 64 MiB
        subprotocol = message.get("subprotocol") or next(iter(self.scope["subprotocols"]), None)
        accepted: Any = {**message, "subprotocol": subprotocol}  # a browser that offers some fails if none is chosen
        await super()._accept(accepted)
        if not self.scope["path"].startswith("/socket.io"):
            self._ping_later()

    def _ping_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self.ping_seconds, self._ping, context=NO_CONTEXT)

    def _ping(self) -> None:
        """Ping from a timer."""
        self._pinging = asyncio.ensure_future(self._ping_or_end())

    async def _ping_or_end(self) -> None:
        if self.closed or self.state is not ASGIWebsocketState.CONNECTED:
            return
        if self._heard or self._is_full:  # something arrived since the last ping, at least its pong
            self._heard = False
            await self._send_wsproto_event(Ping())
            self._ping_later()
            return
        await self._send_wsproto_event(CloseConnection(code=1011, reason="keepalive ping timeout"))
        await self.send(StreamClosed(stream_id=self.stream_id))

    async def _send_error_response(self, status_code: int) -> None:
        """End the stream, too. hypercorn would wait for ever for an application that was never called."""
        await super()._send_error_response(status_code)
        if status_code in (400, 404):
            await self.send(StreamClosed(stream_id=self.stream_id))

    async def _handle_events(self) -> None:
        """Do the same as hypercorn, but say why a connection that breaks the protocol ends (RFC 6455, 7.1.7)."""
        assert self.app_put is not None
        for event in self.connection.events():
            if isinstance(event, Message):
                try:
                    self.buffer.extend(event)
                except FrameTooLargeError:
                    most = self.buffer.max_length
                    await self._fail(MESSAGE_TOO_BIG, f"a message has {most} bytes at most, the setting max_frame")
                    return
                if event.message_finished:
                    self._is_full = True
                    await self.app_put(self.buffer.to_message())
                    self._is_full, self._heard = False, True
                    self.buffer.clear()
            elif isinstance(event, Ping):
                await self._send_wsproto_event(event.response())
            elif isinstance(event, CloseConnection):
                if self.connection.state is ConnectionState.OPEN:  # from wsproto, not from the client
                    await self._fail(event.code, event.reason or "")
                    return
                if self.connection.state is ConnectionState.REMOTE_CLOSING:
                    await self._send_wsproto_event(event.response())
                await self.send(StreamClosed(stream_id=self.stream_id))
                return

    async def _fail(self, code: int, reason: str) -> None:
        self.failed = True
        await self._send_wsproto_event(CloseConnection(code=code, reason=reason))
        await self.send(StreamClosed(stream_id=self.stream_id))
