"""`Arrivals`: what a client has sent, until its connection reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from asgi_app.telemetry.tasks import rest_of
from asgi_app.ws.transport.direct import Handle


async def _raised(error: Exception) -> None:
    raise error


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

    @property
    def is_full(self) -> bool:
        """Whether nothing more is read from the network until they are read."""
        return self._held

    def put(self, message: Any) -> None:
        """Add a message, or have it handled at once."""
        if self._handle is not None and self._reader is not None and asyncio.current_task(self._loop) is None:
            self._begin(self._handle, message)
            return
        self._messages.append(message)
        self._size += len(message)
        if (len(self._messages) >= self.AHEAD or self._size >= self.AHEAD_BYTES) and not self._held:
            self._held = True
            self._full()
        self._wake()

    def _begin(self, handle: Handle, message: Any) -> None:
        """Handle this as the task of the reader until it waits. From there on the task itself does it."""
        assert self._task is not None
        assert self._is_over is not None
        asyncio._enter_task(self._loop, self._task)
        try:
            if (work := handle(message)) is not None:
                self._begun = work, work.send(None)
        except StopIteration:
            pass
        except Exception as error:
            self._begun = _raised(error), None
        finally:
            asyncio._leave_task(self._loop, self._task)
        if self._begun is not None or self._is_over():
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
            while True:
                if self._begun is not None:
                    begun, self._begun = self._begun, None
                    await rest_of(*begun)
                elif is_over():
                    return
                elif self._messages:
                    if (work := handle(self._pop())) is not None:
                        await work
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

    def _arrival(self) -> asyncio.Future[None]:
        self._reader = self._loop.create_future()
        return self._reader

    def _pop(self) -> Any:
        message = self._messages.pop(0)
        self._size -= len(message)
        if self._held and not self._messages:
            self._held = False
            self._free()
        return message
