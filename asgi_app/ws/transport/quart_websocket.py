"""Quart's WebSocket under our rules: who may connect, what a connection holds, and when a client is cut.

Quart reads each connection by a task of its own into a queue without a limit, so a client that sends faster than it is
answered would fill the memory; and it raises KeyError at an empty binary frame (`event.get("bytes") or event["text"]`).
Here a message is read when it is asked for. And a route may decide who comes in, and give the connection a life after
that, for which the request and its contexts are not kept: 40 KB a connection with them, 9 without.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quart import websocket
from quart.asgi import ASGIWebsocketConnection

from asgi_app.access import Visitor, permissions, visitor_of
from asgi_app.errors import BadName, ForeignOrigin, NameTaken, PanelError, TooFast
from asgi_app.hub import TOO_SLOW
from asgi_app.models import Actor
from asgi_app.net.limits import RateLimit, RefusalLog, note_cut
from asgi_app.net.origins import Origins
from asgi_app.net.proxies import address_of
from asgi_app.net.send_budget import SMALL, SendBudget
from asgi_app.seams import Seam
from asgi_app.telemetry.counters import CounterRegistry
from asgi_app.ws.transport.direct import Gone, Life, live_on, wire_of
from asgi_app.ws.transport.frames import FAULT, NORMAL, frame

if TYPE_CHECKING:
    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, WebsocketScope
    from quart import Quart

log = logging.getLogger("pilotlight.websocket")

HERE = "pilotlight.connection"  # in the ASGI scope
CLOSE_SECONDS = 0.2  # for the close frame of a connection that takes nothing any more
LINGER_SECONDS = 1.0  # for a client's close frame
POLICY = 1008  # RFC 6455, 7.4.1: this name will not do


SEAMS = (Seam(ASGIWebsocketConnection, "_create_websocket_from_scope handle_websocket queue scope"),)


class Connection(ASGIWebsocketConnection):
    """One WebSocket. The seam is `Quart.asgi_websocket_class`."""

    def __init__(self, app: Quart, scope: WebsocketScope) -> None:
        super().__init__(app, scope)
        self.life: Life | None = None
        self._over = False

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        self.receive: Any = receive
        self.asgi_send: Any = send
        self.queue = _Messages(receive)  # type: ignore[assignment]
        self.scope[HERE] = self  # type: ignore[literal-required]  # an extension of ours
        try:
            await self.handle_websocket(self._create_websocket_from_scope(self.send), self._send_after_route)
        finally:
            del self.scope[HERE]  # type: ignore[misc]  # in a circle they would wait for the collector
        if self.life is not None:
            await live_on(self.scope, self.life)

    async def send(self, event: Any) -> None:
        """To the server; closing twice is no error."""
        if self._over:
            return
        self._over = event["type"] == "websocket.close"
        await self.asgi_send(event)

    async def _send_after_route(self, event: Any) -> None:
        """What Quart has to say when the route is done: a refusal, or that it closes."""
        if self.life is None:
            with contextlib.suppress(OSError, RuntimeError):  # the client has gone, or the route has closed
                await self.send(event)


class _Messages:
    """What messages are taken from: read when they are asked for."""

    __slots__ = ("_receive", "over")

    def __init__(self, receive: Any) -> None:
        self._receive = receive
        self.over = False

    async def get(self) -> str | bytes:
        """The next message. Raises `Gone`."""
        event = await self._receive()
        if event["type"] == "websocket.connect":
            event = await self._receive()
        if event["type"] != "websocket.receive":
            self.over = True
            raise Gone
        text = event.get("text")
        return text if text is not None else event.get("bytes") or b""


@dataclass(frozen=True)
class SocketRules:
    """What holds for every WebSocket: whose pages may connect, when a slow reader is cut, how many commands it has."""

    origins: Origins
    slow_reader: float  # seconds
    command_rate: float  # commands a second
    counter_registry: CounterRegistry
    refusal_log: RefusalLog
    unread: SendBudget


class Socket:
    """An accepted WebSocket, which is cut when it is not read. It has nothing of the request that it came with."""

    __slots__ = (
        "_counters",
        "_ended",
        "_messages",
        "_name",
        "_path",
        "_reading",
        "_refusal_log",
        "_send",
        "_slow_reader",
        "_visitor",
        "client",
        "rate_limit",
        "wire",
    )

    def __init__(self, connection: Connection, path: str, wire: str, rules: SocketRules) -> None:
        self.wire = wire_of(connection.scope)
        self._send = connection.asgi_send if self.wire is None else self.wire.send
        self._messages = _Messages(connection.receive) if self.wire is None else None
        self._path = path
        self._name = wire
        self._slow_reader = rules.slow_reader
        self._counters = rules.counter_registry.of(wire)
        self._refusal_log = rules.refusal_log
        self.rate_limit = RateLimit(rules.command_rate)
        self.client = address_of(connection.scope)
        self._visitor: Visitor = visitor_of(connection.scope)
        self._reading: asyncio.Task[Any] | None = None
        self._ended = False

    @classmethod
    async def accept(cls, rules: SocketRules, wire: str) -> Socket:
        """Accept the current request's WebSocket, or refuse its origin (403). Raises `ForeignOrigin`."""
        headers = websocket.headers
        origin = headers.get("Origin")
        if not rules.origins.allows(origin, scheme=websocket.scheme, host=headers.get("Host")):
            raise ForeignOrigin(rules.origins.refusal(origin))
        await websocket.accept()
        return cls(_connection(), websocket.path, wire, rules)

    def live(self, life: Life) -> None:
        """What the connection does from now on; the route returns after this, and the request ends."""

        async def whole() -> None:
            code = NORMAL
            try:
                await life()
            except OSError:  # the client has gone
                pass
            except Exception:
                code = FAULT
                log.exception("a connection of %s failed", self._path)
            finally:
                await self.close(code, "")
                await self._hear_the_rest()

        _connection().life = whole

    async def receive(self) -> str | bytes:
        """The next message. Raises `Gone`, also once the connection was closed from here."""
        data = await (self._next() if self.wire is None else self.wire.receive())
        self._counters.received += 1
        return data

    async def _next(self) -> str | bytes:
        if self._ended:
            raise Gone
        assert self._messages is not None
        self._reading = asyncio.current_task()
        try:
            return await self._messages.get()
        except asyncio.CancelledError:
            if self._ended and (task := asyncio.current_task()) is not None:
                task.uncancel()
                raise Gone from None
            raise
        finally:
            self._reading = None

    def spend(self) -> None:
        """One command of this connection's. Raises `TooFast`."""
        try:
            self.rate_limit.spend()
        except TooFast as error:
            self._counters.refused += 1
            self._refusal_log.log(self._name, self.client, error)
            raise

    def note_too_fast(self) -> None:
        """The connection is being ended: it asked far too much."""
        self._note_cut("too_fast", "it went on sending far more commands than are taken")

    def _note_cut(self, reason: str, why: str) -> None:
        whom = f"a client of {self._path}"
        note_cut(log, self._counters, whom, why, wire=self._name, client=self.client, reason=reason)

    async def enter(self, name: str | None, refusal: Callable[[PanelError], str] | None = None) -> Actor | None:
        """Who connects, under which name; None where it may not, which it has been told.

        Told after the handshake, since a browser shows a page nothing of a refused one: by the wire's own words where
        it has `refusal`, and by the close code.
        """
        route = websocket.url_rule.rule if websocket.url_rule is not None else ""
        try:
            self._visitor.require(permissions.SOCKETS.get(route, permissions.CLOSED.role), f"ws {route}")
            return self._visitor.actor(name, websocket.headers.get("User-Agent"), self._name)
        except PanelError as error:
            await self.refuse(error, refusal)
            return None

    def staying(self, actor: Actor, close: Callable[[int, str], None]) -> AbstractContextManager[None]:
        """As long as this lasts, the connection is closed when the actor is not any more who it was."""
        return self._visitor.staying(actor, lambda error: close(code_of(error), error.title))

    async def refuse(self, error: PanelError, refusal: Callable[[PanelError], str] | None = None) -> None:
        """Close it with what is wrong."""
        if refusal is not None:
            await self.send(refusal(error))
        await self.close(code_of(error), error.title)

    async def _hear_the_rest(self) -> None:
        """hypercorn sees the client's close frame only behind what it sent before: that is taken and dropped."""
        if self._messages is not None and not self._messages.over:
            with contextlib.suppress(OSError):  # `Gone`, or it took too long (`TimeoutError`)
                async with asyncio.timeout(LINGER_SECONDS):
                    while True:
                        await self._messages.get()

    async def send(self, data: str | bytes) -> bool:
        """Send it; False when the client has gone, or took nothing for `slow_reader` seconds and has been cut.

        Something large is sent once the network has nearly all of it: until then it is the caller's, and counts.
        """
        if self.wire is not None and self.wire.open and len(data) <= SMALL:
            self.wire.write(frame(data))
            return True
        try:
            async with asyncio.timeout(self._slow_reader):
                await self._send({"type": "websocket.send", "text" if isinstance(data, str) else "bytes": data})
        except TimeoutError:
            self._note_cut("slow_reader", f"it read nothing for {self._slow_reader:g} s")
            await self.close(TOO_SLOW, f"nothing was read for {self._slow_reader:g} s")
            return False
        except (OSError, RuntimeError):  # uvicorn's ways of saying that the connection is closed by now
            return False
        return True

    async def close(self, code: int, reason: str) -> None:
        """Close with this code, as far as the client still takes it; who reads hears of it. Twice is no error."""
        if self._ended:
            return
        self._ended = True
        with contextlib.suppress(OSError, RuntimeError):  # closed by now, or no room for the frame (TimeoutError)
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
        if self.wire is not None:
            self.wire.end()
        elif self._reading is not None:
            self._reading.cancel()


def _connection() -> Connection:
    """That of the current Quart request."""
    scope: Any = websocket.scope
    connection: Connection = scope[HERE]
    return connection


def code_of(error: PanelError) -> int:
    """The close code of a refusal: its HTTP status after 4000, but for a name."""
    return POLICY if isinstance(error, BadName | NameTaken) else 4000 + error.status
