"""Fan-out: who gets what, encoded once, through one bounded and conflating `Outbox` a connection.

No rule and no transport lives here. A `Message` is one event and its encodings; a `Channel` hands it to
every subscriber; an `Outbox` holds what one connection has not sent yet. Nothing here awaits a slow reader:
`offer` never blocks, and what a reader was too slow for is replaced by one snapshot when it reads again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

T = TypeVar("T")

log = logging.getLogger("pilotlight.hub")

GOING_AWAY = 1012  # RFC 6455 registry, "service restart": come back
TOO_SLOW = 4008  # ours, after 408: the reader took nothing for too long; come back


class Message:
    """One thing to send: an event with its `rev` and conflation `key`, or an answer with neither.

    `encoded` caches what a wire makes of it, so that an event is serialised once a wire format, whatever
    the number of connections.
    """

    __slots__ = ("_encodings", "data", "key", "rev")

    def __init__(self, data: dict[str, Any], *, rev: int = 0, key: str | None = None) -> None:
        self.data = data
        self.rev = rev
        self.key = key
        self._encodings: dict[Any, Any] = {}

    def encoded(self, codec: Callable[[Message], T]) -> T:
        """What `codec` makes of this message: computed at the first call, the same object ever after."""
        try:
            return cast(T, self._encodings[codec])
        except KeyError:
            made = self._encodings[codec] = codec(self)
            return made


class Subscriber(Protocol):
    """Takes messages without blocking: an `Outbox`, or something in front of one."""

    def offer(self, message: Message) -> None: ...


class Channel:
    """Everybody who is to get the same messages. `publish` is the only way out of the panel."""

    def __init__(self) -> None:
        self._subscribers: dict[Subscriber, None] = {}

    def __len__(self) -> int:
        return len(self._subscribers)

    def join(self, subscriber: Subscriber) -> None:
        """From now on the subscriber gets what is published."""
        self._subscribers[subscriber] = None

    def leave(self, subscriber: Subscriber) -> None:
        """The subscriber gets nothing more; leaving twice is no error."""
        self._subscribers.pop(subscriber, None)

    def publish(self, message: Message) -> None:
        """Hand the message to every subscriber; one that fails is logged, and costs the others nothing."""
        for subscriber in self._subscribers:
            try:
                subscriber.offer(message)
            except Exception:
                log.exception("a subscriber failed at %s", message.key)


class Closed(Exception):
    """The outbox was closed: `code` and `reason` are what the connection's close frame should say."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Outbox:
    """What one connection has not sent yet: events, which may be conflated or dropped, and answers.

    An event with a key replaces its unsent predecessor and goes to the end, so that revisions stay in order.
    When more than `limit` events wait, all of them are dropped and one snapshot takes their place when the
    connection reads again: a slow reader is late, never wrong. Answers are never dropped; `answer` waits
    while `limit` of them are unsent, which stops reading from a client that does not read its answers.
    """

    def __init__(self, snapshot: Callable[[], Message], *, limit: int = 256) -> None:
        self._snapshot = snapshot
        self._limit = limit
        self._waiting: dict[object, Message] = {}
        self._events = 0
        self._answers = 0
        self._overflowed = False
        self._closed: Closed | None = None
        self._ready = asyncio.Event()
        self._taken = asyncio.Event()
        self.resyncs = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def offer(self, message: Message) -> None:
        """Take an event. Never blocks."""
        if self._closed or self._overflowed:
            return  # the snapshot that is due will have it
        key: object = message.key if message.key is not None else message
        if self._waiting.pop(key, None) is None:
            self._events += 1
        self._waiting[key] = message
        if self._events > self._limit:
            self._overflow()
        self._ready.set()

    async def answer(self, message: Message) -> None:
        """Take an answer; waits while too many of them are unsent."""
        while self._answers >= self._limit and self._closed is None:
            self._taken.clear()
            await self._taken.wait()
        if self._closed is None:
            self._answers += 1
            self._waiting[message] = message
            self._ready.set()

    async def take(self) -> list[Message]:
        """Everything that waits, in order, as soon as there is anything. Raises `Closed` once closed and empty."""
        while not self._waiting and not self._overflowed:
            if self._closed is not None:
                raise self._closed
            self._ready.clear()
            await self._ready.wait()
        messages = list(self._waiting.values())
        if self._overflowed:
            messages.append(self._snapshot())
            self._overflowed = False
        self._waiting.clear()
        self._events = self._answers = 0
        self._taken.set()
        return messages

    def close(self, code: int, reason: str) -> None:
        """No more messages; what waits is still taken. Closing twice is no error."""
        if self._closed is None:
            self._closed = Closed(code, reason)
            self._ready.set()
            self._taken.set()

    def _overflow(self) -> None:
        self._waiting = {key: message for key, message in self._waiting.items() if not message.rev}
        self._events = 0
        self._overflowed = True
        self.resyncs += 1
