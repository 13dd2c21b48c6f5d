"""The backlog of one native connection, which takes messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from asgi_app.hub.backlog import SERVICE_RESTART, Backlog, Closed
from asgi_app.hub.coalescer import Coalescer
from asgi_app.hub.feed import Cursor
from asgi_app.hub.message import Burst, Message, text_of
from asgi_app.net.send_budget import SMALL, SendAccount
from asgi_app.telemetry.counters import Counters


class Codecs(NamedTuple):
    """The codecs whose bytes go straight to the transport: of an event, of joined events, and of an answer."""

    event: Callable[[Message], bytes]
    burst: Callable[[list[Message]], bytes]
    answer: Callable[[Message], bytes]


class Outbox(Backlog):
    """Messages that wait for one connection.

    `answer` waits while `limit` answers are unread, or as many bytes as the account allows. Until then nothing more is
    read from a client that does not read its answers.
    """

    __slots__ = ("_snapshot", "codecs")

    def __init__(
        self,
        snapshot: Callable[[], Message],
        *,
        limit: int = 256,
        coalescer: Coalescer | None = None,
        counters: Counters | None = None,
        account: SendAccount | None = None,
    ) -> None:
        super().__init__(limit, coalescer, counters, account)
        self._snapshot = snapshot
        self.codecs = Codecs(_no_bytes, _no_bytes, _no_bytes)  # to be set before a transport is attached

    def __len__(self) -> int:
        return len(self._waiting)

    def offer(self, message: Message) -> None:
        """Take an event. Never blocks."""
        if self._coalescer.pending:
            self._coalescer.defer(self.offer, message)
        elif (direct := self.direct) is not None:
            self.counters.sent += 1
            direct(message.encoded(self.codecs.event))
        elif self.closed is None and not (self._overflowed and message.rev):  # else the due snapshot has it
            self._add_event(message.key if message.key is not None else message, message)

    def offer_all(self, burst: Burst) -> None:
        """Take events that were published together, where the channel could not write them at once. Never blocks."""
        for message in burst.messages:
            self.offer(message)

    def due(self, cursor: Cursor) -> None:
        """Take the messages of a feed once they can be sent. Never blocks."""
        if self._coalescer.pending:
            self._coalescer.defer(self.due, cursor)
        elif (direct := self.direct) is not None:
            for message in cursor.messages():
                self.counters.sent += 1
                direct(message.encoded(self.codecs.event))
        elif self.closed is None:
            self._add_feed(cursor, cursor.messages)

    def discard(self) -> None:
        """Drop what waits, and take nothing more, because the connection has ended."""
        self.closed = self.closed or Closed(SERVICE_RESTART, "")
        super().discard()

    def restart(self) -> None:
        """Have the client connect again."""
        self.close(SERVICE_RESTART, "restarting")

    async def answer(self, message: Message) -> None:
        """Take an answer. Wait while too many answers are unread, or too many bytes of them."""
        while self._answers and (self._answers >= self._limit or self.account.is_full) and self.closed is None:
            await self._taken.wait()
        if self._coalescer.pending:
            self._coalescer.defer(self._answer, message)
        else:
            self._answer(message)

    def _answer(self, message: Message) -> None:
        size = len(message.encoded(text_of))
        if (direct := self.direct) is not None and size <= SMALL:
            self.counters.sent += 1
            direct(message.encoded(self.codecs.answer))
        elif self.closed is None:
            self._add_answer(message, size)

    async def take(self) -> list[Message]:
        """Take messages as soon as there are any. Raises `Closed` once closed and empty."""
        while not (messages := self.take_now()):
            await self.ready.wait()
        return messages

    @property
    def due_size(self) -> int:
        """How many bytes the next feed has to send, about."""
        return next((key.size for key in self._waiting if isinstance(key, Cursor)), 0)

    def take_now(self) -> list[Message]:
        """Take the oldest messages: about 16 KiB, or all of one feed. Raises `Closed` once closed and empty."""
        self.handed_over()
        if not self._waiting and not self._overflowed:
            if self.closed is not None:
                raise Closed(self.closed.code, self.closed.reason)  # that one would keep what it went through
            return []
        messages: list[Message] = []
        size = 0
        while self._waiting and size < SMALL:
            key = next(iter(self._waiting))
            if isinstance(key, Cursor):
                if messages and key.size > SMALL:  # it goes out alone
                    break
                size += key.size
                messages += self._pop()[1]()
            else:
                messages.append(self._pop()[1])
                size += len(messages[-1].encoded(text_of))
        if self._overflowed and not self._waiting:
            messages.append(self._snapshot())
            self._overflowed = False
        self._taken.ring()
        self.counters.sent += len(messages)
        return messages

    def _is_in_snapshot(self, key: object, item: Any) -> bool:
        return super()._is_in_snapshot(key, item) and item.rev > 0


def _no_bytes(message: object) -> bytes:
    raise AssertionError("no transport is attached")
