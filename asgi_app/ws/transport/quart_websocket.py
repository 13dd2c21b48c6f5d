"""Quart's WebSocket under our rules: who may connect, what a connection holds, and when a client is cut.

Quart reads each connection in a task of its own, into an unbounded queue: a client that sends faster than it is
answered would fill the memory. And it raises KeyError at an empty binary frame (`event.get("bytes") or event["text"]`).
Here a message is read when it is asked for. A route decides who may connect, and may give the connection a `life` that
goes on without the request and its contexts: 40 KB a connection with them, 9 without.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from quart import Blueprint, websocket
from quart.asgi import ASGIWebsocketConnection
from quart_cors import cors_exempt

from asgi_app.access import Staying, Visitor, permissions, visitor_of
from asgi_app.errors import BadName, ForeignOrigin, InternalError, NameTaken, PanelError, TooFast
from asgi_app.hub import TOO_SLOW
from asgi_app.models.base import Actor
from asgi_app.net.limits import RateLimit, RefusalLog, note_cut
from asgi_app.net.origins import Origins
from asgi_app.net.problem_response import as_response, send_response
from asgi_app.net.proxies import address_of
from asgi_app.net.send_budget import SMALL, SendBudget
from asgi_app.seams import Seam
from asgi_app.settings import Settings
from asgi_app.telemetry.counters import CounterRegistry
from asgi_app.telemetry.logs import event
from asgi_app.ws.transport.direct import Life, live_on
from asgi_app.ws.transport.frames import INTERNAL_ERROR, NORMAL_CLOSURE, POLICY_VIOLATION, frame
from asgi_app.ws.transport.websocket import AcceptedWebSocket

if TYPE_CHECKING:
    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, WebsocketScope
    from quart import Quart

log = logging.getLogger("pilotlight.websocket")

HERE = "pilotlight.connection"  # in the ASGI scope
SOCKETS = "pilotlight.sockets"  # in Quart's extensions: the routes without a variable in their path, by path
LINGER_SECONDS = 1.0  # for a client's close frame

SEAMS = (Seam(ASGIWebsocketConnection, "_create_websocket_from_scope app handle_websocket scope"),)


class QuartConnection(ASGIWebsocketConnection):
    """One WebSocket as Quart sees it (`Quart.asgi_websocket_class`)."""

    def __init__(self, app: Quart, scope: WebsocketScope) -> None:
        super().__init__(app, scope)
        self.life: Life | None = None
        self._was_accepted = self._over = False

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        self.receive: Any = receive
        self.asgi_send: Any = send
        self.scope[HERE] = self  # type: ignore[literal-required]  # an extension of ours
        try:
            answer: Answer | None = self.app.extensions.get(SOCKETS, {}).get(self.scope["path"])
            if answer is None:
                await self.handle_websocket(self._create_websocket_from_scope(self.send), self._send_after_route)
            else:
                await self._ask(answer)
        finally:
            del self.scope[HERE]  # type: ignore[misc]  # breaks a reference cycle, so that memory is freed at once
        if self.life is not None:
            await live_on(self.scope, self.life)

    async def _ask(self, answer: Answer) -> None:
        """Do what Quart does around a route, without its contexts: they take more CPU than the rest of a connection."""
        try:
            await answer(self)
            await self._send_after_route({"type": "websocket.close", "code": NORMAL_CLOSURE})
        except PanelError as error:
            await self._refuse(error)
        except OSError:  # the client has gone
            pass
        except Exception:
            path = self.scope["path"]
            log.exception("%s failed", path, extra=event("fault", path=path))
            await self._refuse(InternalError())

    async def _refuse(self, error: PanelError) -> None:
        if self._was_accepted:
            await self._send_after_route({"type": "websocket.close", "code": INTERNAL_ERROR})
        else:
            with contextlib.suppress(OSError):
                await send_response(self.scope, self.send, as_response(error.problem()))

    @cached_property
    def headers(self) -> dict[str, str]:
        """The headers of the handshake by their names in lower case: of one that is there twice, the first value."""
        headers = reversed([*self.scope["headers"]])
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}

    @cached_property
    def arguments(self) -> dict[str, str]:
        """The query, in the same way."""
        query = self.scope["query_string"].decode("latin-1")
        return dict(reversed(parse_qsl(query, keep_blank_values=True, errors="replace")))

    async def send(self, message: Any) -> None:
        """Send an event to the server. Closing twice is no error."""
        if self._over:
            return
        self._over = message["type"] == "websocket.close"
        self._was_accepted |= message["type"] == "websocket.accept"
        await self.asgi_send(message)

    async def _send_after_route(self, message: Any) -> None:
        """Send what Quart sends after the route: a refusal, or a close."""
        if self.life is None:
            with contextlib.suppress(OSError, RuntimeError):  # the client has gone, or the route has closed
                await self.send(message)


Answer = Callable[[QuartConnection], Awaitable[None]]  # to a handshake. Raises the `PanelError` of a refusal


def add_socket(routes: Blueprint, path: str, answer: Answer) -> None:
    """Add a WebSocket at this path, which has no variable."""

    async def socket() -> None:
        await answer(connection_of_route())

    routes.add_websocket(path, endpoint=path.strip("/"), view_func=cors_exempt(socket))
    routes.record(lambda state: state.app.extensions.setdefault(SOCKETS, {}).update({path: answer}))


@dataclass(frozen=True)
class SocketRules:
    """Rules for every WebSocket: which origins may connect, when a slow reader is cut, how many commands it takes."""

    settings: Settings
    origins: Origins
    counter_registry: CounterRegistry
    refusal_log: RefusalLog
    unread: SendBudget


class Socket(AcceptedWebSocket):
    """An accepted WebSocket, which is cut when the client does not read. It holds nothing of its request."""

    __slots__ = ("_counters", "_path", "_refusal_log", "_via", "_visitor", "client", "is_closed", "rate_limit")

    def __init__(self, connection: QuartConnection, via: str, rules: SocketRules) -> None:
        super().__init__(connection.scope, connection.receive, connection.asgi_send, rules.settings.slow_reader)
        self._path = connection.scope["path"]
        self._via = via
        self._counters = rules.counter_registry.of(via)
        self._refusal_log = rules.refusal_log
        self.rate_limit = RateLimit(rules.settings.command_rate)
        self.client = address_of(connection.scope)
        self._visitor: Visitor = visitor_of(connection.scope)
        self.is_closed = False

    @classmethod
    async def accept(cls, connection: QuartConnection, rules: SocketRules, via: str) -> Socket:
        """Accept the WebSocket. Raises `ForeignOrigin` (403)."""
        origin, host = connection.headers.get("origin"), connection.headers.get("host")
        if not rules.origins.allows(origin, scheme=connection.scope["scheme"], host=host):
            raise ForeignOrigin(rules.origins.refusal(origin))
        await connection.send({"type": "websocket.accept"})
        return cls(connection, via, rules)

    def live(self, connection: QuartConnection, life: Life) -> None:
        """Run `life` on this connection when the route has returned, and its request has ended."""
        connection.life = partial(self._live, life)

    async def _live(self, life: Life) -> None:
        code = NORMAL_CLOSURE
        try:
            await life()
        except OSError:  # the client has gone
            pass
        except Exception:
            code = INTERNAL_ERROR
            log.exception("a connection of %s failed", self._path)
        finally:
            await self.close(code, "")
            await self._drop_the_rest()

    def heard(self) -> None:
        """Count a message that `each` or `receive` gave."""
        self._counters.received += 1

    def spend(self) -> None:
        """Count one command of this connection. Raises `TooFast`."""
        try:
            self.rate_limit.spend()
        except TooFast as error:
            self._counters.refused += 1
            self._refusal_log.log(self._via, self.client, error)
            raise

    def note_cut(self, reason: str, why: str) -> None:
        """Count and log that the panel ends this connection."""
        whom = f"a client of {self._path}"
        note_cut(log, self._counters, whom, why, wire=self._via, client=self.client, reason=reason)

    async def enter(
        self,
        connection: QuartConnection,
        route: str,
        name: str | None,
        refusal: Callable[[PanelError], str] | None = None,
    ) -> Actor | None:
        """Return who connects by this route, under which name; None if the connection was refused.

        It is refused after the handshake, because a browser shows a page nothing of a refused handshake. The client
        gets a close code, and before it the message that `refusal` makes.
        """
        try:
            self._visitor.require(permissions.SOCKETS.get(route, permissions.CLOSED.role), f"ws {route}")
            return self._visitor.actor(name, connection.headers.get("user-agent"), self._via)
        except PanelError as error:
            await self.refuse(error, refusal)
            return None

    def staying(self, actor: Actor, close: Callable[[int, str], None]) -> Staying:
        """Close the connection when the actor loses its identity, for as long as this context lasts."""
        return self._visitor.access.live.connected(actor, lambda error: close(code_of(error), error.title))

    async def refuse(self, error: PanelError, refusal: Callable[[PanelError], str] | None = None) -> None:
        """Send the refusal, and close with its code."""
        if refusal is not None:
            await self.send(refusal(error))
        await self.close(code_of(error), error.title)

    async def _drop_the_rest(self) -> None:
        """Read and drop what the client sent before its close frame, which hypercorn sees only after that."""
        if self.transport is None and not self.has_gone:
            with contextlib.suppress(OSError):  # `Gone`, or it took too long (`TimeoutError`)
                async with asyncio.timeout(LINGER_SECONDS):
                    while True:
                        await self._read()

    async def send(self, data: str | bytes) -> bool:
        """Send a message. Return False if the client has gone, or was cut because it read nothing for `slow_reader` s.

        A large message returns when the network has nearly all of it: until then, its bytes are the caller's to count.
        """
        if self.transport is not None and self.transport.open and len(data) <= SMALL:
            self.transport.write(frame(data))
            return True
        try:
            await self._send_slowly(data)
        except TimeoutError:
            self.note_cut("slow_reader", f"it read nothing for {self._slow_reader:g} s")
            await self.close(TOO_SLOW, f"nothing was read for {self._slow_reader:g} s")
            return False
        except (OSError, RuntimeError):  # uvicorn raises these when the connection is closed
            return False
        return True

    async def close(self, code: int, reason: str) -> None:
        """Close with this code if the client still takes it, and stop the reader. Closing twice is no error."""
        if not self.is_closed:
            self.is_closed = True
            await self._close(code, reason)


def connection_of_route() -> QuartConnection:
    """Return the connection of the route that Quart runs."""
    scope: Any = websocket.scope
    connection: QuartConnection = scope[HERE]
    return connection


def code_of(error: PanelError) -> int:
    """Return the close code of a refusal: 4000 plus its HTTP status, or 1008 for a name that is not accepted."""
    return POLICY_VIOLATION if isinstance(error, BadName | NameTaken) else 4000 + error.status
