"""A connection to Redis for what is asked often: commands go out at once, and are answered in their order.

redis-py connects it, with TLS and its user. What redis-py does around each command takes longer than Redis itself, so
the commands go past it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import hiredis
import redis.asyncio
from redis.asyncio.connection import AbstractConnection

from asgi_app.seams import Seam

Hear = Callable[[bytes, bytes], None]  # takes a channel, and what was published there
SEAMS = (Seam(AbstractConnection, "_writer"),)


class Connection(asyncio.Protocol):
    """A connection that tries nothing twice. It ends where an answer takes longer than `within` (seconds).

    `hear` takes what is published, and must not raise.
    """

    def __init__(self, under: AbstractConnection, within: float, hear: Hear | None = None) -> None:
        """Take over a connection of redis-py that nobody else uses."""
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._under = under  # closes the socket when it is forgotten
        self._within = within
        self._hear = hear
        self._parser = hiredis.Reader(replyError=_refusal)
        self._asked: deque[tuple[float, asyncio.Future[Any]]] = deque()  # each with the time until which it may wait
        self._alarm: asyncio.TimerHandle | None = None
        assert under._writer is not None, "it is not connected"
        self._transport = cast(asyncio.Transport, under._writer.transport)
        self._transport.set_protocol(self)

    @classmethod
    async def open(cls, client: redis.asyncio.Redis, within: float, hear: Hear | None = None) -> Connection:
        """Return a new connection to where the client connects. Raises `redis.RedisError`, `OSError`."""
        under = client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        await under.connect()
        return cls(under, within, hear)

    def ask(self, *words: str | int) -> asyncio.Future[Any]:
        """Send a command. The future has its answer, or a `redis.RedisError`."""
        due, answer = self._loop.time() + self._within, self._loop.create_future()
        if self._transport.is_closing():
            answer.set_exception(redis.ConnectionError("the connection has ended"))
            return answer
        self._asked.append((due, answer))
        self._transport.write(hiredis.pack_command(words))  # type: ignore[arg-type]  # any number of words
        if self._alarm is None:
            self._alarm = self._loop.call_at(due, self._check)
        return answer

    async def close(self) -> None:
        """End the connection."""
        self._end(redis.ConnectionError("the connection was closed"))
        await self._under.disconnect(nowait=True)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed(data)
            while (said := self._parser.gets()) is not False:
                self._take(said)
        except hiredis.HiredisError as error:
            self._end(redis.ConnectionError(f"this is not Redis: {error}"))

    def connection_lost(self, error: Exception | None) -> None:
        self._end(redis.ConnectionError("the connection has ended"))

    def _take(self, said: Any) -> None:
        if self._hear is not None and isinstance(said, list) and said[:1] == [b"message"]:
            self._hear(said[1], said[2])
        elif self._asked:
            _, answer = self._asked.popleft()
            if answer.done():  # nobody waits any more
                return
            if isinstance(said, redis.RedisError):
                answer.set_exception(said)
            else:
                answer.set_result(said)

    def _check(self) -> None:
        """End the connection if the oldest command has waited too long."""
        self._alarm = None
        if not self._asked:
            return
        due, _ = self._asked[0]
        if due <= self._loop.time():
            self._end(redis.TimeoutError("no answer"))
        else:
            self._alarm = self._loop.call_at(due, self._check)

    def _end(self, error: redis.RedisError) -> None:
        self._transport.abort()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        asked, self._asked = self._asked, deque()
        if not self.ended.done():
            self.ended.set_exception(error)
            self.ended.exception()  # nobody has to ask
        for _, answer in asked:
            if not answer.done():
                answer.set_exception(error)


def _refusal(text: str) -> redis.RedisError:
    """Return the error in a reply."""
    kind, _, what = text.partition(" ")
    if kind in ("NOAUTH", "NOPERM", "WRONGPASS"):
        return redis.exceptions.NoPermissionError(what)
    return redis.ResponseError(what if kind == "ERR" else text)
