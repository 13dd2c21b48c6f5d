"""hypercorn's WebSocket, mended where it does not end a connection.

A message that is too big is closed with 1009 (RFC 6455, 7.4.1); hypercorn says so, and then leaves the connection open.
"""

from __future__ import annotations

from typing import Any

from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.ws_stream import WebsocketBuffer, WSStream
from wsproto.connection import ConnectionState
from wsproto.events import Message, TextMessage


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
