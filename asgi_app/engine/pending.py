"""`Pending`: the events of this process that have not come back in the stream yet, within a bound."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque

from asgi_app.engine.room_entries import arguments
from asgi_app.engine.seats import resolve
from asgi_app.hub import Shared

BATCH, BATCH_BYTES = 100, 1024 * 1024  # of one write
MOST_BYTES = 8 * 1024 * 1024  # that wait, about; more is not read from clients until there is room


class Sent:
    """An event of ours that has not come back in the stream yet."""

    __slots__ = ("done", "fields", "number", "shared", "size")

    def __init__(self, number: int, shared: Shared, fields: list[str | bytes]) -> None:
        self.number, self.shared, self.fields = number, shared, fields
        self.size = sum(map(len, fields))
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Pending:
    """A queue of events, numbered in order from 1."""

    def __init__(self, tag: str) -> None:
        self.last = 0  # number of the last event
        self.moved_at = 0.0  # when the first of those that wait became it, by the loop's clock
        self._tag = tag
        self._events: deque[Sent] = deque()
        self._bytes = 0
        self._room = asyncio.Event()

    def __len__(self) -> int:
        return len(self._events)

    @property
    def first(self) -> int:
        """Number of the first event that waits, or that of the next one."""
        return self._events[0].number if self._events else self.last + 1

    async def room(self) -> None:
        """Wait until there is room for another event."""
        while self._bytes >= MOST_BYTES:
            self._room.clear()
            await self._room.wait()

    def add(self, shared: Shared) -> Sent:
        """Append an event."""
        if not self._events:
            self.moved_at = asyncio.get_running_loop().time()
        self.last += 1
        sent = Sent(self.last, shared, arguments(self._tag, self.last, shared))
        self._events.append(sent)
        self._bytes += sent.size
        return sent

    def batch(self, written: int) -> tuple[int, list[str | bytes]]:
        """Return arguments of a script for the next events after this number, and the number of the last of them."""
        batch: list[str | bytes] = []
        size = 0
        begin = max(written + 1 - self.first, 0)
        for sent in itertools.islice(self._events, begin, begin + BATCH):
            batch += sent.fields
            size += sent.size
            written = sent.number
            if size >= BATCH_BYTES:
                break
        return written, batch

    def came_back(self, number: int) -> None:
        """Take out the events up to this number, and let their senders go on."""
        while self._events and self._events[0].number <= number:
            resolve(self._take().done)

    def take_all(self) -> list[Sent]:
        """Take out all events. Their senders still wait."""
        return [self._take() for _ in range(len(self._events))]

    def _take(self) -> Sent:
        sent = self._events.popleft()
        self._bytes -= sent.size
        self.moved_at = asyncio.get_running_loop().time()
        self._room.set()
        return sent
