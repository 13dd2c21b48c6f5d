"""The connections of a namespace's rooms to Redis, apart from those of the lights: one that waits, others that ask."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

import redis
import redis.asyncio

from asgi_app.engine.link import ANSWER, BLOCK, Lost, client, lost
from asgi_app.engine.room_entries import (
    ADD,
    HISTORY,
    KEPT,
    TAKE,
    WRITE,
    Entry,
    arguments,
    entry_of,
    key_of,
    seat_key,
)
from asgi_app.hub import Shared

MOST = 1000  # entries of one read
CHUNK = 200  # entries of one read of the history
TAKING = 16  # clients that are taken over at the same time, each on a connection
LEAVE = 2.0  # seconds for closing


class RoomLink:
    """Connections to Redis. Every method but `close` raises `Lost`. It can be used again after that.

    `tag` is the process, to the others. Seats expire after `kept` seconds.
    """

    def __init__(self, url: str, password: str | None, namespace: str, tag: str, kept: float) -> None:
        self._asking = client(url, password)
        self._waiting = client(url, password, waits=True)
        self._taking = asyncio.Semaphore(TAKING)
        self._untaken = 0  # clients that could not be taken over, because the link was lost
        self._stream = key_of(namespace)
        self._tag = tag
        self._expiry = int(kept * 1000)  # ms

    async def close(self) -> None:
        """Close the connections."""
        for one in (self._asking, self._waiting):
            with contextlib.suppress(redis.RedisError, OSError, TimeoutError):
                async with asyncio.timeout(LEAVE):
                    await one.aclose()

    async def drop_idle(self) -> None:
        """Close idle connections: after a loss, each of them may have ended, and would be a loss of its own."""
        for one in (self._asking, self._waiting):
            with contextlib.suppress(redis.RedisError, OSError, TimeoutError):
                await one.connection_pool.disconnect(inuse_connections=False)

    async def newest(self) -> int:
        """Return the last number in the stream, or 0."""
        found = await self._do(self._asking.xrevrange(self._stream, count=1))
        return entry_of(*found[0]).number if found else 0

    async def has_instead(self, last: Entry) -> bool:
        """Return whether the stream has another past than one with this entry: Redis went back, and has gone on since.

        What is only trimmed is no other past.
        """
        found = await self._do(self._asking.xrevrange(self._stream, last.id, "-", count=1))
        return bool(found) and entry_of(*found[0]) != last

    async def history(self) -> list[Entry]:
        """Return the last entries, as far back as there is no hole, and no more than a process keeps."""
        found: list[Entry] = []
        size, before = 0, "+"
        while len(found) < KEPT and size < HISTORY:
            chunk = await self._do(self._asking.xrevrange(self._stream, before, "-", count=CHUNK))
            for entry in (entry_of(*one) for one in chunk):
                if found and entry.number < found[-1].number - 1:
                    return found[::-1]
                if not found or entry.number < found[-1].number:
                    found.append(entry)
                    size += entry.size
            if len(chunk) < CHUNK:
                break
            before = f"({chunk[-1][0].decode()}"
        return found[::-1]

    async def read(self, after: str) -> list[Entry]:
        """Return the entries after this id, as soon as there are any; an empty list after some seconds."""
        try:
            async with asyncio.timeout(BLOCK + ANSWER):
                said = await self._do(self._waiting.xread({self._stream: after}, MOST, int(BLOCK * 1000)))
        except TimeoutError:
            raise Lost(f"Redis has not answered for {ANSWER:g} s") from None
        if not said:
            return []
        found = said[self._stream.encode()][0] if isinstance(said, dict) else said[0][1]
        return [entry_of(*one) for one in found]

    async def add(self, above: int, most: int, entries: Sequence[str | bytes]) -> None:
        """Add entries, in the form of `arguments`, with numbers above this one. Keep about so many in the stream."""
        await self._run(ADD, [self._stream], above, most, *entries)

    async def begin(self, above: int) -> None:
        """Add an entry that says nothing, so that the stream has a number above this one."""
        await self.add(above, KEPT, arguments(self._tag, 0, None))

    async def take(self, pid: str, above: int) -> tuple[str, str, int] | None:
        """Take over a client: return whose it was, its seat, and the number of the entry that says so (0: it was ours).

        None: there is no such client.
        """
        moved = arguments(self._tag, 0, Shared("moved", pid))
        keys, before = [seat_key(pid), self._stream], self._untaken
        async with self._taking:
            if self._untaken != before:  # a crowd would wait for `ANSWER` again and again
                raise Lost("Redis cannot be reached")
            try:
                said = await self._run(TAKE, keys, self._tag, self._expiry, above, KEPT, *moved)
            except Lost:
                self._untaken += 1
                raise
        try:
            return None if said is None else (said[0].decode(), said[1].decode(), int(said[2]))
        except ValueError:
            return None

    async def write(self, seats: Mapping[str, str]) -> None:
        """Write seats, by pid, but those that another process has."""
        await self._run(WRITE, [seat_key(pid) for pid in seats], self._tag, self._expiry, *seats.values())

    async def _run(self, script: str, keys: Sequence[str], *values: Any) -> Any:
        return await self._do(self._asking.eval(script, len(keys), *keys, *values))

    @staticmethod
    async def _do(answer: Awaitable[Any]) -> Any:
        try:
            return await answer
        except (redis.RedisError, OSError) as error:
            raise lost(error) from None
