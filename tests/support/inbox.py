"""The client's side of a socket: everything that has arrived, and a wait for more."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

TIMEOUT = 30.0  # seconds for anything to arrive; on an idle machine it takes milliseconds


class Inbox:
    """What arrived, in order, each with its name: an event's name, or `connect` and `disconnect`."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._arrived: deque[tuple[str, Any]] = deque()
        self._ring = asyncio.Event()
        self._failure: str | None = None
        self.latest: dict[str, Any] = {}

    def put(self, name: str, content: Any) -> None:
        """Something arrived."""
        self.latest[name] = content
        self._arrived.append((name, content))
        self._ring.set()

    def fail(self, why: str) -> None:
        """Nothing will arrive any more: every wait ends with this."""
        self._failure = why
        self._ring.set()

    async def next(
        self, name: str, where: Callable[[Any], bool] = lambda content: True, timeout: float = TIMEOUT
    ) -> Any:
        """The first of this name for which `where` holds, taken out; the test fails if none comes in time."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    for index, (arrived, content) in enumerate(self._arrived):
                        if arrived == name and where(content):
                            del self._arrived[index]
                            return content
                    if self._failure:
                        raise AssertionError(f"{self._owner}: {self._failure}")
                    self._ring.clear()
                    await self._ring.wait()
        except TimeoutError:
            raise AssertionError(f"{self._owner} got no {name} like that, but {list(self._arrived)}") from None

    def take(self, name: str) -> list[Any]:
        """All of this name that arrived so far, taken out."""
        taken = [content for arrived, content in self._arrived if arrived == name]
        self._arrived = deque(entry for entry in self._arrived if entry[0] != name)
        return taken


class SocketIOClient:
    """A client of any Socket.IO library: the same face for JavaScript's and for Python's.

    Events carry the list of their arguments; so do acks.
    """

    def __init__(self, owner: str) -> None:
        self.inbox = Inbox(owner)

    async def emit(self, event: str, *args: Any) -> None:
        """Send an event that wants no ack."""
        raise NotImplementedError

    async def ask(self, event: str, *args: Any) -> list[Any]:
        """Send an event and wait for its ack."""
        raise NotImplementedError

    async def disconnect(self) -> None:
        """Leave."""
        raise NotImplementedError

    async def next(self, event: str, where: Callable[[Any], bool] = lambda args: True) -> list[Any]:
        """The arguments of the next event of this name for which `where(arguments)` holds."""
        args: list[Any] = await self.inbox.next(event, where)
        return args

    def last(self, event: str, default: Any = None) -> Any:
        """The first argument of the newest event of this name, taken out or not."""
        args = self.inbox.latest.get(event)
        return args[0] if args else default

    async def caught_up(self) -> None:
        """Wait until everything that the panel sent so far is here: its answer comes after it."""
        await self.ask("is anything on its way?")

    async def arrived(self, event: str) -> list[Any]:
        """The first argument of each event of this name that the panel sent until now, taken out."""
        await self.caught_up()
        return [args[0] for args in self.inbox.take(event)]
