"""Quart's WebSocket under our rules: who may connect, how much is read ahead, and when a client is cut.

Quart's own queue is unbounded, so a client that sends faster than it is answered would fill the memory; and
it raises KeyError at an empty binary frame (`event.get("bytes") or event["text"]`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quart import Websocket, websocket
from quart.asgi import ASGIWebsocketConnection

from asgi_app.errors import ForeignOrigin, TooFast
from asgi_app.hub import TOO_SLOW
from asgi_app.journal import event
from asgi_app.limits import Allowance, Complaints
from asgi_app.origins import Origins
from asgi_app.proxies import address_of
from asgi_app.tally import Tallies
from asgi_app.ws.wire import wire_of

if TYPE_CHECKING:
    from hypercorn.typing import ASGIReceiveCallable, WebsocketScope
    from quart import Quart

log = logging.getLogger("pilotlight.websocket")

CLOSE_SECONDS = 0.2  # for the close frame of a connection that takes nothing any more
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


@dataclass(frozen=True)
class SocketRules:
    """What holds for every WebSocket: whose pages may connect, when a slow reader is cut, how many commands it has."""

    origins: Origins
    slow_reader: float  # seconds
    command_rate: float  # commands a second
    tallies: Tallies
    complaints: Complaints


class Socket:
    """The WebSocket of the current Quart request: accepted by our Origin rule, and cut when it is not read."""

    def __init__(self, websocket: Websocket, wire: str, rules: SocketRules) -> None:
        self._websocket = websocket
        self._wire = wire
        self._slow_reader = rules.slow_reader
        self._tally = rules.tallies.of(wire)
        self._complaints = rules.complaints
        self.allowance = Allowance(rules.command_rate)
        self.client = address_of(websocket.scope)
        self.arguments = websocket.args
        self.wire = wire_of(websocket.scope)
        self.user_agent = websocket.headers.get("User-Agent")

    @classmethod
    async def accept(cls, rules: SocketRules, wire: str) -> Socket:
        """Accept the current request's WebSocket, or refuse its origin (403). Raises `ForeignOrigin`."""
        headers = websocket.headers
        origin = headers.get("Origin")
        if not rules.origins.allows(origin, scheme=websocket.scheme, host=headers.get("Host")):
            raise ForeignOrigin(rules.origins.refusal(origin))
        current: Websocket = websocket._get_current_object()  # type: ignore[attr-defined]
        await current.accept()
        return cls(current, wire, rules)

    async def receive(self) -> str | bytes:
        """The next message."""
        data: str | bytes = await self._websocket.receive()
        self._tally.received += 1
        return data

    def spend(self) -> None:
        """One command of this connection's. Raises `TooFast`."""
        try:
            self.allowance.spend()
        except TooFast as error:
            self._tally.refused += 1
            self._complaints.tell(self._wire, self.client, error)
            raise

    def note_cut(self) -> None:
        """The connection is being ended: it asked far too much."""
        self._tally.cut += 1
        log.warning(
            "cut a client of %s: it went on sending far more commands than are taken",
            self._websocket.path,
            extra=event("client_cut", wire=self._wire, client=self.client, reason="too_fast"),
        )

    async def send(self, data: str | bytes) -> bool:
        """Send it; False when the client has gone, or took nothing for `slow_reader` seconds and has been cut."""
        try:
            async with asyncio.timeout(self._slow_reader):
                await self._websocket.send(data)
        except TimeoutError:
            self._tally.cut += 1
            log.warning(
                "cut a client of %s: it read nothing for %g s",
                self._websocket.path,
                self._slow_reader,
                extra=event("client_cut", wire=self._wire, client=self.client, reason="slow_reader"),
            )
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
