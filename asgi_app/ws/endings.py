"""The ASGI servers' WebSocket protocols, mended where they end a connection without saying why.

A message that is too big is closed with 1009 (RFC 6455, 7.4.1). uvicorn closes its socket with the rest of the
message unread, at which the kernel resets the connection, and the close frame is lost now and then (3 of 150 at
1 MiB + 1, 47 of 150 at 2 MiB); hypercorn sends 1009 and then leaves the connection open.
"""

from __future__ import annotations

from typing import Any

from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.ws_stream import WebsocketBuffer, WSStream
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from wsproto.connection import ConnectionState
from wsproto.events import Message, TextMessage

LINGER_SECONDS = 1.0  # for the client to read the close frame, while what it still sends is read and dropped


class UvicornWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, which reads on after it has refused a message, so that the client sees the code."""

    def data_received(self, data: bytes) -> None:
        if self.conn.parser_exc is None:
            super().data_received(data)

    def handle_parser_exception(self) -> None:
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
    """hypercorn's WebSocket, which ends after it has said 1009."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.buffer = _ByteBuffer(self.buffer.max_length)

    async def _handle_events(self) -> None:
        await super()._handle_events()
        too_big = self.buffer.length > self.buffer.max_length
        if too_big and self.connection.state is ConnectionState.LOCAL_CLOSING:
            await self.send(StreamClosed(stream_id=self.stream_id))
