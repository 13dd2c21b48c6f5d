"""Quart's WebSocket under our rules: who may connect, how much is read ahead, and when a client is cut.

Quart's own queue is unbounded, so a client that sends faster than it is answered would fill the memory; and
it raises KeyError at an empty binary frame (`event.get("bytes") or event["text"]`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from quart import Websocket, websocket
from quart.asgi import ASGIWebsocketConnection

from asgi_app.access import rules, visitor_of
from asgi_app.errors import BadName, ForeignOrigin, NameTaken, PanelError
from asgi_app.hub import TOO_SLOW
from asgi_app.models import Actor
from asgi_app.origins import Origins
from asgi_app.ws.wire import wire_of

if TYPE_CHECKING:
    from hypercorn.typing import ASGIReceiveCallable, WebsocketScope
    from quart import Quart

log = logging.getLogger("pilotlight.websocket")

CLOSE_SECONDS = 0.2  # for the close frame of a connection that takes nothing any more
POLICY = 1008  # RFC 6455, 7.4.1: this name will not do
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


class Socket:
    """The WebSocket of the current Quart request: accepted by our Origin rule, and cut when it is not read."""

    def __init__(self, websocket: Websocket, slow_reader: float) -> None:
        self._websocket = websocket
        self._slow_reader = slow_reader
        self.arguments = websocket.args
        self.scope = websocket.scope
        self.wire = wire_of(websocket.scope)
        self.user_agent = websocket.headers.get("User-Agent")
        self.receive: Callable[[], Awaitable[str | bytes]] = websocket.receive

    @classmethod
    async def accept(cls, origins: Origins, slow_reader: float) -> Socket:
        """Accept the current request's WebSocket, or refuse its origin (403). Raises `ForeignOrigin`."""
        headers = websocket.headers
        origin = headers.get("Origin")
        if not origins.allows(origin, scheme=websocket.scheme, host=headers.get("Host")):
            raise ForeignOrigin(origins.refusal(origin))
        current: Websocket = websocket._get_current_object()  # type: ignore[attr-defined]
        await current.accept()
        return cls(current, slow_reader)

    async def enter(
        self, via: str, name: str | None, refusal: Callable[[PanelError], str] | None = None
    ) -> Actor | None:
        """Who connects, under which name; None where it may not, which it has been told.

        Told after the handshake, since a browser shows a page nothing of a refused one: by the wire's own words where
        it has `refusal`, and by the close code.
        """
        visitor = visitor_of(self._websocket.scope)
        route = self._websocket.url_rule.rule if self._websocket.url_rule is not None else ""
        try:
            visitor.require(rules.SOCKETS.get(route, rules.CLOSED.role), f"ws {route}")
            return visitor.actor(name, self.user_agent, via)
        except PanelError as error:
            await self.refuse(error, refusal)
            return None

    async def refuse(self, error: PanelError, refusal: Callable[[PanelError], str] | None = None) -> None:
        """Close it with what is wrong."""
        if refusal is not None:
            await self.send(refusal(error))
        await self.close(code_of(error), error.title)

    async def send(self, data: str | bytes) -> bool:
        """Send it; False when the client has gone, or took nothing for `slow_reader` seconds and has been cut."""
        try:
            async with asyncio.timeout(self._slow_reader):
                await self._websocket.send(data)
        except TimeoutError:
            log.warning("cut a client of %s: it read nothing for %g s", self._websocket.path, self._slow_reader)
            await self.close(TOO_SLOW, f"nothing was read for {self._slow_reader:g} s")
            return False
        except (OSError, RuntimeError):  # uvicorn's ways of saying that the connection is closed by now
            return False
        return True

    async def close(self, code: int, reason: str) -> None:
        """Close with this code, as far as the client still takes it."""
        with contextlib.suppress(OSError, RuntimeError):  # closed by now, or no room for the frame (TimeoutError)
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._websocket.close(code, reason)


def code_of(error: PanelError) -> int:
    """The close code of a refusal: its HTTP status after 4000, but for a name."""
    return POLICY if isinstance(error, BadName | NameTaken) else 4000 + error.status
