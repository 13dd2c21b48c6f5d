"""A WebSocket's wire: ready-made frames straight to the transport, on servers that offer it.

An ASGI `websocket.send` costs a coroutine, a dict and a state machine for every recipient, and `websocket.receive` a
dict and a queue for every message; and the nested calls that an ASGI connection lives in keep its whole request. A
server that offers its wire as a scope extension (`UvicornWebSocket`) spares all of that: frames are written as
they are, messages come as they are, and a connection may live on after its ASGI call has returned. On another server
everything goes the ASGI way, only slower.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

OFFER = "pilotlight.wire"  # the ASGI scope extension

log = logging.getLogger("pilotlight.websocket")

Life = Callable[[], Awaitable[None]]


class Gone(OSError):
    """The client has gone, or was sent away. (What is raised at a disconnect is an `OSError` everywhere.)"""


class Arrivals:
    """Messages on their way to the one who reads them, who must not wait for two at once.

    `full` and `free` tell the server to stop reading, and to go on, when `AHEAD` messages wait, or `AHEAD_BYTES`.
    """

    __slots__ = ("_free", "_full", "_gone", "_held", "_loop", "_messages", "_reader", "_size")

    AHEAD = 16
    AHEAD_BYTES = 64 * 1024

    def __init__(self, loop: asyncio.AbstractEventLoop, full: Callable[[], object], free: Callable[[], object]) -> None:
        self._loop = loop  # not asked for each time: Python 3.11 asks the kernel for the process's id to say which
        self._messages: list[Any] = []
        self._reader: asyncio.Future[None] | None = None
        self._gone: Any = None
        self._size = 0
        self._held = False
        self._full = full
        self._free = free

    def put(self, message: Any) -> None:
        """One more."""
        self._messages.append(message)
        self._size += len(message)
        if (len(self._messages) >= self.AHEAD or self._size >= self.AHEAD_BYTES) and not self._held:
            self._held = True
            self._full()
        self._wake()

    def end(self, gone: Any) -> None:
        """Nothing more will come; what waits can still be read, and `gone` is kept for whoever asks why."""
        if self._gone is None:
            self._gone = gone
            self._wake()

    def _wake(self) -> None:
        if (reader := self._reader) is not None:
            self._reader = None
            if not reader.done():
                reader.set_result(None)

    async def next(self) -> Any:
        """The next message; what `end` was told, once there is none."""
        while not self._messages:
            if self._gone is not None:
                return self._gone
            self._reader = self._loop.create_future()
            await self._reader
        message = self._messages.pop(0)
        self._size -= len(message)
        if self._held and not self._messages:
            self._held = False
            self._free()
        return message


class Apart:
    """What one connection has asked that waits for somebody else: answered in tasks of their own, `AT_MOST` at once."""

    __slots__ = ("_tasks",)

    AT_MOST = 16

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] | None = None  # most connections never need any

    async def answer(self, answering: Coroutine[Any, Any, None]) -> None:
        """Begin it, and do not wait for it, but where too many wait already."""
        if self._tasks is None:
            self._tasks = set()
        if len(self._tasks) >= self.AT_MOST:
            await answering
            return
        task = asyncio.create_task(answering)
        self._tasks.add(task)
        task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        assert self._tasks is not None
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("an answer failed", exc_info=error)

    def cancel(self) -> None:
        """The connection has ended."""
        for task in self._tasks or ():
            task.cancel()


class Wire:
    """One connection's transport. `write` may be called while `open`; `watch` tells when that may have changed.

    `receive` gives the client's messages: whoever has the wire reads here, and no more by the ASGI `receive`. A `life`
    that is set before the ASGI call returns is what the connection lives on with.
    """

    __slots__ = ("_arrivals", "_changed", "_ends", "life", "open", "send", "write")

    def __init__(
        self, write: Callable[[bytes], object], arrivals: Arrivals, send: Callable[[Any], Awaitable[None]]
    ) -> None:
        self.open = False
        self.write = write
        self.send = send  # ASGI's, which waits while the wire is not open
        self.life: Life | None = None
        self._arrivals = arrivals
        self._changed: Callable[[], None] | None = None
        self._ends: list[Callable[[], None]] = []

    def at_end(self, done: Callable[[], None]) -> None:
        """Call this once the connection is lost."""
        self._ends.append(done)

    def lost(self) -> None:
        """For the server's protocol: the connection is."""
        while self._ends:
            self._ends.pop()()

    def watch(self, changed: Callable[[], None] | None) -> None:
        """Call this after every change of `open`."""
        self._changed = changed

    def set(self, open: bool) -> None:
        """For the server's protocol: whether the handshake is done, nobody has closed, and the transport takes more."""
        if open is not self.open:
            self.open = open
            if self._changed is not None:
                self._changed()

    def end(self) -> None:
        """Whoever reads gets what has come, and then `Gone`."""
        self._arrivals.end({"type": "websocket.disconnect", "code": 1006})

    async def receive(self) -> str | bytes:
        """The next message. Raises `Gone`."""
        message = await self._arrivals.next()
        if isinstance(message, dict):
            raise Gone
        received: str | bytes = message
        return received


def wire_of(scope: Mapping[str, Any]) -> Wire | None:
    """What the server offers for this connection."""
    wire: Wire | None = (scope.get("extensions") or {}).get(OFFER)
    return wire


async def live_on(scope: Mapping[str, Any], life: Life) -> None:
    """Go on with `life` after the ASGI call has returned, where the server can; else now."""
    if (wire := wire_of(scope)) is not None:
        wire.life = life
    else:
        await life()
