"""Direct transport: a server that offers it takes ready-made frames, and hands over messages as they come.

An ASGI `websocket.send` costs a coroutine, a dict and a state machine for every recipient. `websocket.receive` costs a
dict and a queue for every message, and the nested calls of an ASGI connection keep its whole request in memory. A
server that offers its transport as a scope extension (`UvicornWebSocket`) avoids all of that. Its connections may
outlive their ASGI calls. On other servers everything uses ASGI, and is only slower.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from asgi_app.telemetry.tasks import rest_of

EXTENSION = "pilotlight.transport"  # in the ASGI scope

Life = Callable[[], Awaitable[None]]  # what a connection does until it ends
Handle = Callable[[Any], Coroutine[Any, Any, None]]  # of a message; it raises nothing


class Gone(OSError):
    """The client has gone, or was disconnected. It is an `OSError`, like every error that a disconnect raises."""


class Arrivals:
    """Received messages that wait for their reader, of which there is one.

    A reader in `each` handles a message in the call of `put`, as far as that goes without waiting: no task has to wake.
    With `AHEAD` messages or `AHEAD_BYTES` waiting, it calls `full` to stop reading from the network. Once it is empty,
    it calls `free` to go on.
    """

    __slots__ = (
        "_begun", "_free", "_full", "_gone", "_handle", "_held", "_is_over", "_loop", "_messages", "_reader", "_size",
        "_task",
    )  # fmt: skip

    AHEAD = 16
    AHEAD_BYTES = 64 * 1024

    def __init__(self, loop: asyncio.AbstractEventLoop, full: Callable[[], object], free: Callable[[], object]) -> None:
        self._loop = loop  # kept, because on Python 3.11 `get_running_loop` asks the kernel for the process's id
        self._messages: list[Any] = []
        self._reader: asyncio.Future[None] | None = None
        self._gone: Any = None
        self._handle: Handle | None = None
        self._is_over: Callable[[], bool] | None = None
        self._task: asyncio.Task[Any] | None = None  # of the reader in `each`
        self._begun: tuple[Coroutine[Any, Any, None], Any] | None = None  # what it has to go on with
        self._size = 0
        self._held = False
        self._full = full
        self._free = free

    def put(self, message: Any) -> None:
        """Add a message, or have it handled at once."""
        if self._handle is not None and self._reader is not None and asyncio.current_task(self._loop) is None:
            self._begin(self._handle(message))
            return
        self._messages.append(message)
        self._size += len(message)
        if (len(self._messages) >= self.AHEAD or self._size >= self.AHEAD_BYTES) and not self._held:
            self._held = True
            self._full()
        self._wake()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this as the task of the reader until it waits. From there on the task itself does it."""
        assert self._task is not None
        assert self._is_over is not None
        asyncio._enter_task(self._loop, self._task)
        try:
            self._begun = work, work.send(None)
        except StopIteration:
            if not self._is_over():
                return
        finally:
            asyncio._leave_task(self._loop, self._task)
        self._wake()

    def end(self, gone: Any) -> None:
        """Accept no more messages. What waits can still be read; after that, `next` returns `gone`."""
        if self._gone is None:
            self._gone = gone
            self._wake()

    def _wake(self) -> None:
        if (reader := self._reader) is not None:
            self._reader = None
            if not reader.done():
                reader.set_result(None)

    async def each(self, handle: Handle, is_over: Callable[[], bool]) -> None:
        """Await `handle` of each message, in their order, until one was the last, or the connection has ended."""
        self._task, self._handle, self._is_over = asyncio.current_task(), handle, is_over
        try:
            while not is_over():
                if self._begun is not None:
                    begun, self._begun = self._begun, None
                    await rest_of(*begun)
                elif self._messages:
                    await handle(self._pop())
                elif self._gone is not None:
                    return
                else:
                    await self._arrival()
        finally:
            self._task = self._handle = self._is_over = None  # break reference cycles, so that memory is freed at once
            if self._begun is not None:  # the task was cancelled
                self._begun[0].close()
                self._begun = None

    async def next(self) -> Any:
        """Wait for the next message. After the last one, return the object that `end` was given."""
        while not self._messages:
            if self._gone is not None:
                return self._gone
            await self._arrival()
        return self._pop()

    async def _arrival(self) -> None:
        self._reader = self._loop.create_future()
        await self._reader

    def _pop(self) -> Any:
        message = self._messages.pop(0)
        self._size -= len(message)
        if self._held and not self._messages:
            self._held = False
            self._free()
        return message


class DirectTransport:
    """The transport of one connection, which the server offers.

    `write` may be called while the transport is `open`. `receive` replaces ASGI's `receive`. A `life` that is set
    before the ASGI call returns runs after it.
    """

    __slots__ = ("_arrivals", "_changed", "_ends", "life", "open", "send", "write")

    def __init__(
        self, write: Callable[[bytes], object], arrivals: Arrivals, send: Callable[[Any], Awaitable[None]]
    ) -> None:
        self.open = False
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
        while self._ends:
            self._ends.pop()()

    def watch(self, changed: Callable[[], None] | None) -> None:
        """Call `changed` after every change of `open`."""
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

    async def each(self, handle: Handle, is_over: Callable[[], bool]) -> None:
        """Await `handle` of each message until `is_over`, or until the client has gone."""
        await self._arrivals.each(handle, is_over)

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
