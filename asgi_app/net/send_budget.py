"""Send budget: bytes of answers that clients have not read yet, bounded for each connection, each address, and in all.

A large answer takes a millisecond to make and may wait for its reader for half a minute. So its maker first waits for
room. The answer counts until the network takes it. Small answers never wait, so a client that reads is not delayed by
others.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asgi_app.errors import TooMuchUnread
from asgi_app.net.address import host_of

PAGE = 256 * 1024  # bytes of JSON in a page of messages, lines or runs; a single item may be larger
LARGEST = 2 * PAGE  # bytes reserved for an answer of unknown size: a graph and a page of its log
SMALL = 16 * 1024  # bytes that need no reservation
OF_CONNECTION = PAGE  # bytes of answers that may wait before the panel stops reading from the connection
WAIT = 10.0  # seconds for room


class SendBudget:
    """The bytes that wait for readers: at most `most` in all and `most_of_one` for an address, loopback included."""

    def __init__(self, most: int = 32 * 1024 * 1024, most_of_one: int = 4 * 1024 * 1024) -> None:
        self.total = 0
        self.refused = 0
        self._most = most
        self._most_of_one = most_of_one
        self._of: Counter[str] = Counter()
        self._waiting: list[asyncio.Future[None]] = []

    def account(self, address: str) -> SendAccount:
        """Return the account of a connection from this address. It must be closed."""
        return SendAccount(self, host_of(address))

    def has_room(self, address: str, size: int) -> bool:
        """Whether so many more bytes may wait. A first answer always may."""
        mine = self._of[address]
        return (not mine or mine + size <= self._most_of_one) and (not self.total or self.total + size <= self._most)

    async def room(self, address: str, size: int) -> None:
        """Wait until there is room. Raises `TooMuchUnread` after `WAIT` seconds."""
        if self.has_room(address, size):
            return
        try:
            async with asyncio.timeout(WAIT):
                while not self.has_room(address, size):
                    free: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiting.append(free)
                    await free
        except TimeoutError:
            self.refused += 1
            raise TooMuchUnread(
                f"{address or 'Your address'} has {self._of[address]} unread bytes of {self._most_of_one} (setting "
                f"unread_per_address), all clients {self.total} of {self._most} (setting unread). "
                "Read them, or close those connections."
            ) from None

    def change(self, address: str, size: int) -> None:
        """Add so many bytes, or remove them."""
        self.total += size
        self._of[address] += size
        if size < 0:
            if self._of[address] <= 0:
                del self._of[address]
            waiting, self._waiting = self._waiting, []
            for free in waiting:
                if not free.done():
                    free.set_result(None)


class SendAccount:
    """The bytes that wait for one connection."""

    __slots__ = ("_address", "_budget", "_closed", "waits")

    def __init__(self, budget: SendBudget, address: str) -> None:
        self._budget = budget
        self._address = address
        self._closed = False
        self.waits = 0

    def add(self, size: int) -> None:
        """Count so many bytes, even if there is no room. Does nothing once closed."""
        if not self._closed:
            self.waits += size
            self._budget.change(self._address, size)

    def remove(self, size: int) -> None:
        """Note that the network has taken so many bytes."""
        if size := min(size, self.waits):  # it may be closed by now
            self.waits -= size
            self._budget.change(self._address, -size)

    def close(self) -> None:
        """Note that the connection has ended. Closing twice is no error."""
        self._closed = True
        self.remove(self.waits)

    @property
    def is_full(self) -> bool:
        """Whether this connection must read its answers before it gets more."""
        if not self.waits:
            return False
        return self.waits >= OF_CONNECTION or not self._budget.has_room(self._address, SMALL)

    @asynccontextmanager
    async def reserved(self, size: int = LARGEST) -> AsyncIterator[None]:
        """Reserve room for an answer, from its making to its sending. Raises `TooMuchUnread`."""
        await self._budget.room(self._address, size)
        self.add(size)
        try:
            yield
        finally:
            self.remove(size)
