"""`Stream`: one connection of a client between a guest and the keeper, as ASGI events in both directions."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

Event = dict[str, Any]
Put = Callable[[list[Any]], None]

WINDOW = 64 * 1024  # bytes of one stream on their way in each direction, which the other side has not taken
WINDOWS = 2 * 1024 * 1024  # the same of all streams of one guest
PIECE = 32 * 1024  # bytes of a body in one event
OPEN, DATA, TOOK, END = "open", "data", "took", "end"  # kinds of items: [stream, kind, value]


class Broken(ConnectionResetError):
    """The other side is lost. The text says why."""


def size_of(event: Event) -> int:
    """Return about how many bytes the event takes."""
    return 64 + sum(len(event.get(name) or ()) for name in ("body", "bytes", "text"))


def pieces(event: Event) -> Iterator[Event]:
    """Yield the event; the body of an answer in pieces."""
    body = event.get("body", b"")
    if event["type"] != "http.response.body" or len(body) <= PIECE:
        yield event
        return
    for start in range(0, len(body), PIECE):
        more = event.get("more_body", False) or start + PIECE < len(body)
        yield {**event, "body": body[start : start + PIECE], "more_body": more}


class Flow:
    """What all streams to one process have on their way, and the streams that wait because that is too much."""

    def __init__(self) -> None:
        self.ahead = 0
        self._waiting: set[asyncio.Event] = set()

    def add(self, size: int) -> None:
        """Note so many bytes more, or less."""
        self.ahead += size
        if size < 0 and self.ahead < WINDOWS:
            waiting, self._waiting = self._waiting, set()
            for ring in waiting:
                ring.set()

    def has_room(self, ring: asyncio.Event) -> bool:
        """Return whether more may be sent; else `ring` is set when it may."""
        if self.ahead < WINDOWS:
            return True
        self._waiting.add(ring)
        return False


class Stream:
    """A connection with this number. `put` enqueues an item for the other process."""

    def __init__(self, number: int, put: Put, flow: Flow) -> None:
        self.number = number
        self.broken: str | None = None  # why the other process is lost
        self._put = put
        self._flow = flow
        self._ahead = 0  # bytes that the other side has not taken
        self._owed = 0  # bytes that we have taken, and not said so
        self._events: deque[Event] = deque()
        self._has_ended = self._is_over = False
        self._ring = asyncio.Event()  # something has changed

    async def send(self, event: Event) -> None:
        """Send an event. Waits while the other side takes nothing. Raises `Broken`, also once it has ended."""
        await self._until(lambda: self._is_over or (self._ahead < WINDOW and self._flow.has_room(self._ring)))
        if self._is_over:
            raise Broken("The other side has ended the connection")
        self._count(size_of(event))
        self._put([self.number, DATA, event])

    async def receive(self) -> Event | None:
        """Return the next event; None after the last one. Say `took` when it is used. Raises `Broken`."""
        await self._until(lambda: bool(self._events) or self._is_over)
        return self._events.popleft() if self._events else None

    def took(self, event: Event) -> None:
        """Let the other side send as much again."""
        self._owed += size_of(event)
        if self._owed >= WINDOW // 4 and self.broken is None:
            self._put([self.number, TOOK, self._owed])
            self._owed = 0

    def _count(self, size: int) -> None:
        self._ahead += size
        self._flow.add(size)

    async def _until(self, holds: Callable[[], bool]) -> None:
        while self.broken is None and not holds():
            self._ring.clear()
            await self._ring.wait()
        if self.broken is not None:
            raise Broken(self.broken)

    def take(self, kind: str, value: Any) -> None:
        """Take an item from the other side. Raises `ValueError` for what is none."""
        if kind == DATA:
            self._events.append(value)
        elif kind == TOOK:
            self._count(-int(value))
        elif kind == END:
            self._is_over = True
            self._count(-self._ahead)
        else:
            raise ValueError(f"a stream has no {kind!r}")
        self._ring.set()

    def end(self) -> None:
        """Send nothing more; a second call does nothing."""
        if not self._has_ended and self.broken is None:
            self._put([self.number, END, None])
        self._has_ended = True
        self._count(-self._ahead)

    def lose(self, reason: str) -> None:
        """The other process is lost."""
        self.broken = reason
        self._count(-self._ahead)
        self._ring.set()
