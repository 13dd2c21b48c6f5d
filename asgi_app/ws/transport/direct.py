"""Direct transport: a server that offers it takes ready-made frames, and hands over messages as they come.

An ASGI `websocket.send` costs a coroutine, a dict and a state machine for every recipient. `websocket.receive` costs a
dict and a queue for every message, and the nested calls of an ASGI connection keep its whole request in memory. A
server that offers its transport as a scope extension (`UvicornWebSocket`) avoids all of that. Its connections may
outlive their ASGI calls. On other servers everything uses ASGI, and is only slower.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Protocol

EXTENSION = "pilotlight.transport"  # in the ASGI scope

Life = Callable[[], Awaitable[None]]  # what a connection does until it ends
Handle = Callable[[Any], Coroutine[Any, Any, None] | None]  # of a message; None if there is nothing to do


class Gone(OSError):
    """The client has gone, or was disconnected. It is an `OSError`, like every error that a disconnect raises."""


class Reader(Protocol):
    """What the server has received, for the one who reads it."""

    async def each(self, handle: Handle, is_over: Callable[[], bool]) -> None:
        """Await `handle` of each message, in their order, until one was the last, or the connection has ended."""

    async def next(self) -> Any:
        """Wait for the next message. After the last one, return the object that `end` was given."""

    def end(self, gone: Any) -> None:
        """Accept no more messages."""


class DirectTransport:
    """The transport of one connection, which the server offers.

    `write` may be called while the transport is `open`. `receive` replaces ASGI's `receive`. A `life` that is set
    before the ASGI call returns runs after it.
    """

    __slots__ = ("_arrivals", "_changed", "_ends", "is_lost", "life", "open", "send", "write")

    def __init__(
        self, write: Callable[[bytes], object], arrivals: Reader, send: Callable[[Any], Awaitable[None]]
    ) -> None:
        self.open = self.is_lost = False
        self.write = write
        self.send = send  # ASGI's, which waits while the transport is not open
        self.life: Life | None = None
        self._arrivals = arrivals
        self._changed: Callable[[], None] | None = None
        self._ends: list[Callable[[], None]] = []

    def at_end(self, done: Callable[[], None]) -> None:
        """Call `done` when the connection is lost."""
        self._ends.append(done)

    def lost(self) -> None:
        """Note that the connection is lost. Only the server calls this."""
        self.open, self.is_lost = False, True
        if self._changed is not None:
            self._changed()
        while self._ends:
            self._ends.pop()()

    def watch(self, changed: Callable[[], None] | None) -> None:
        """Call `changed` after every change of `open`, and when the connection is lost."""
        self._changed = changed

    def set(self, open: bool) -> None:
        """Set whether frames may be written. Only the server calls this."""
        if open is not self.open:
            self.open = open
            if self._changed is not None:
                self._changed()

    def end(self) -> None:
        """Let the reader have the messages that have come, and then raise `Gone`."""
        self._arrivals.end({"type": "websocket.disconnect", "code": 1006})

    def each(self, handle: Handle, is_over: Callable[[], bool]) -> Awaitable[None]:
        """Await `handle` of each message until `is_over`, or until the client has gone."""
        return self._arrivals.each(handle, is_over)

    async def receive(self) -> str | bytes:
        """Wait for the next message. Raises `Gone`."""
        message = await self._arrivals.next()
        if isinstance(message, dict):
            raise Gone
        received: str | bytes = message
        return received


def direct_transport(scope: Mapping[str, Any]) -> DirectTransport | None:
    """Return the transport that the server offers for this connection, or None."""
    transport: DirectTransport | None = (scope.get("extensions") or {}).get(EXTENSION)
    return transport


async def live_on(scope: Mapping[str, Any], life: Life) -> None:
    """Run `life` after the ASGI call has returned, if the server can do that; otherwise run it now."""
    if (transport := direct_transport(scope)) is not None:
        transport.life = life
    else:
        await life()
