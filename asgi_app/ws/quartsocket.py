"""Quart's WebSocket connection, with a bound on what it has read and not handled yet.

Quart's own queue is unbounded, so a client that sends faster than it is answered would fill the memory; and
it raises KeyError at an empty binary frame (`event.get("bytes") or event["text"]`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from quart.asgi import ASGIWebsocketConnection

if TYPE_CHECKING:
    from hypercorn.typing import ASGIReceiveCallable, WebsocketScope
    from quart import Quart

UNHANDLED = 16  # messages; past that the server stops reading, and TCP stops the sender


class BoundedWebsocketConnection(ASGIWebsocketConnection):
    """One WebSocket. The seam is `Quart.asgi_websocket_class`."""

    def __init__(self, app: Quart, scope: WebsocketScope) -> None:
        super().__init__(app, scope)
        self.queue: asyncio.Queue[Any] = asyncio.Queue(UNHANDLED)

    async def handle_messages(self, receive: ASGIReceiveCallable) -> None:
        while True:
            event = await receive()
            if event["type"] == "websocket.receive":
                text = event.get("text")
                await self.queue.put(text if text is not None else event.get("bytes") or b"")
            elif event["type"] == "websocket.disconnect":
                return
