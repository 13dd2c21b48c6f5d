"""What clients have asked for and not read yet, in bytes: bounded for a connection, for an address, and in all.

A page of messages is made in a millisecond and may wait for its reader for half a minute. So whoever makes something
large waits here first, until there is room for it, and what is made counts until it is handed over to the network.
Small answers never wait for others: a connection that reads what it asks for goes on, whatever its neighbours do.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asgi_app.errors import TooMuchUnread
from asgi_app.net.address import host_of

PAGE = 256 * 1024  # bytes of JSON in a page: of messages, of lines, of runs; a single item may be larger
LARGEST = 2 * PAGE  # bytes of an answer, as far as one can know before it is made: a graph and a page of its log
SMALL = 16 * 1024  # bytes that are made and sent without asking
OF_CONNECTION = PAGE  # bytes of answers that may wait, before nothing more is read
WAIT = 10.0  # seconds for room


class SendBudget:
    """The bytes that wait for their readers. `most` of all, `most_of_one` address; loopback is one like others."""

    def __init__(self, most: int = 32 * 1024 * 1024, most_of_one: int = 4 * 1024 * 1024) -> None:
        self.total = 0
        self.refused = 0
        self._most = most
        self._most_of_one = most_of_one
        self._of: Counter[str] = Counter()
        self._waiting: list[asyncio.Future[None]] = []

    def account(self, address: str) -> SendAccount:
        """That of a connection from this address, which counts as its host. It must be closed."""
        return SendAccount(self, host_of(address))

    def has_room(self, address: str, size: int) -> bool:
        """Whether so many bytes more may wait; what nothing else waits beside always may."""
        mine = self._of[address]
        return (not mine or mine + size <= self._most_of_one) and (not self.total or self.total + size <= self._most)

    async def room(self, address: str, size: int) -> None:
        """Wait until there is room. Raises `TooMuchUnread` where there is none for a long time."""
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
                f"{address or 'your address'} has {self._of[address]} bytes of answers waiting that nobody reads, of "
                f"{self._most_of_one} (setting unread_per_address), and all clients {self.total} of {self._most} "
                "(setting unread); read them, or close those connections"
            ) from None

    def change(self, address: str, size: int) -> None:
        """So many bytes more, or less."""
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
    """What waits for one connection."""

    __slots__ = ("_address", "_closed", "_unread", "waits")

    def __init__(self, unread: SendBudget, address: str) -> None:
        self._unread = unread
        self._address = address
        self._closed = False
        self.waits = 0

    def add(self, size: int) -> None:
        """So many bytes wait from now on; nobody is asked. Once closed, nothing counts any more."""
        if not self._closed:
            self.waits += size
            self._unread.change(self._address, size)

    def remove(self, size: int) -> None:
        """So many were handed over to the network."""
        if size := min(size, self.waits):  # it may be closed by now
            self.waits -= size
            self._unread.change(self._address, -size)

    def close(self) -> None:
        """The connection is over; twice is no error."""
        self._closed = True
        self.remove(self.waits)

    @property
    def is_full(self) -> bool:
        """Whether this connection has answers to read before it gets more."""
        if not self.waits:
            return False
        return self.waits >= OF_CONNECTION or not self._unread.has_room(self._address, SMALL)

    @asynccontextmanager
    async def reserved(self, size: int = LARGEST) -> AsyncIterator[None]:
        """Room for something that is about to be made and sent. Raises `TooMuchUnread`."""
        await self._unread.room(self._address, size)
        self.add(size)
        try:
            yield
        finally:
            self.remove(size)
