"""One connection's output: straight to its transport while nothing waits, by a task otherwise."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

log = logging.getLogger("pilotlight.hub")

LEAVE_SECONDS = 0.3  # for the last write when a connection ends


class Transport(Protocol):
    """A server's own transport, where the server offers it: takes frames while it is `open`."""

    open: bool
    is_lost: bool
    write: Callable[[bytes], object]

    def watch(self, changed: Callable[[], None] | None) -> None: ...


class Doorbell:
    """Alarm for the tasks that wait for it. Unlike `asyncio.Event` it has no memory, which would take a kilobyte."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] | None = None

    def ring(self) -> None:
        """Wake all tasks that wait now."""
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            for future in waiting:
                if not future.done():
                    future.set_result(None)

    async def wait(self) -> None:
        """Wait for the next ring."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._waiting is None:
            self._waiting = []
        self._waiting.append(future)
        await future


class Writer:
    """Writer of one connection's frames.

    `direct` takes frames while nothing waits, nothing is being written and the transport is open; otherwise it is None.
    The writing task exists only while something waits, so a connection that keeps up has none.
    """

    __slots__ = ("_again", "_corked", "_drain", "_draining", "_transport", "direct", "ready")

    def __init__(self) -> None:
        self.direct: Callable[[bytes], object] | None = None
        self._transport: Transport | None = None
        self._drain: Callable[[], Coroutine[Any, Any, None]] | None = None
        self._draining: asyncio.Task[None] | None = None
        self._again = False
        self._corked: list[bytes] | None = None
        self.ready = Doorbell()  # rings when something waits; others may ring it, too

    def is_clear(self) -> bool:
        """Return whether nothing has to be sent before the next message."""
        raise NotImplementedError

    def drop(self) -> None:
        """Take nothing more: the connection is lost, and its reader will hear of it in its turn."""
        raise NotImplementedError

    def attach(
        self,
        drain: Callable[[], Coroutine[Any, Any, None]],
        transport: Transport | None = None,
        *,
        has_opening: bool = False,
    ) -> None:
        """Begin to write. Whenever something waits, `drain` runs as a task; it returns when nothing waits any more.

        It runs at once if it has an opening of its own to send. `direct` writes to the transport, if the server offers
        one.
        """
        self._drain = drain
        self._transport = transport
        if transport is not None:
            transport.watch(self._update_direct)
        if has_opening or not self.is_clear():
            self._wake()
        else:
            self._update_direct()

    async def detach(self) -> None:
        """Stop writing, because the connection has ended."""
        self._drain = None
        if self._transport is not None:
            self._write_corked()
            self._transport.watch(None)
            self._transport = self.direct = None
        if self._draining is not None:  # it may be sending the reason of the end
            _, pending = await asyncio.wait([self._draining], timeout=LEAVE_SECONDS)
            for draining in pending:
                draining.cancel()
                await asyncio.wait([draining])

    def cork(self) -> None:
        """Collect direct frames until `uncork`, so that an event and its acknowledgement are one write."""
        if self.direct is not None and self._corked is None:
            self._corked = []
            self.direct = self._corked.append

    def uncork(self) -> None:
        """Write the collected frames. Do nothing without `cork` before, or if something had to wait meanwhile."""
        if self._corked is not None and self._transport is not None:
            self.direct = self._transport.write  # before the write, which may fill the transport
            self._write_corked()

    def _wake(self) -> None:
        """Have the task write what waits; direct frames must not overtake it."""
        if self.direct is not None:
            self._write_corked()
            self.direct = None
        if self._draining is not None:
            self._again = True  # the task may have looked for the last time already
        elif self._drain is not None:
            self._draining = asyncio.ensure_future(self._drain())
            self._draining.add_done_callback(self._drained)
        self.ready.ring()

    def _drained(self, task: asyncio.Task[None]) -> None:
        again, self._again, self._draining = self._again, False, None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a connection failed", exc_info=error)
        elif again:
            self._wake()
        else:
            self._update_direct()

    def _update_direct(self) -> None:
        self._write_corked()
        transport = self._transport
        if transport is not None and transport.is_lost:
            self.direct = None
            self.drop()
            return
        is_free = transport is not None and transport.open and self._draining is None and self.is_clear()
        self.direct = transport.write if is_free and transport is not None else None

    def _write_corked(self) -> None:
        frames, self._corked = self._corked, None
        if frames and self._transport is not None and not self._transport.is_lost:
            self._transport.write(frames[0] if len(frames) == 1 else b"".join(frames))
