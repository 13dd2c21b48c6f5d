"""Unsent messages of one connection: a bounded queue that conflates events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgi_app.hub.coalescer import Coalescer
from asgi_app.hub.writer import Doorbell, Writer
from asgi_app.net.send_budget import SendAccount, SendBudget
from asgi_app.telemetry.counters import Counters

SERVICE_RESTART = 1012  # RFC 6455 registry: come back
TOO_SLOW = 4008  # ours, after HTTP 408: the reader took nothing for too long; come back
TOO_FAST = 4029  # ours, after HTTP 429: far too many commands; come back, and send fewer


class Closed(Exception):
    """The connection is closed for new messages. `code` and `reason` belong into its close frame."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


LOST = Closed(SERVICE_RESTART, "")


class Kept:
    """Key of an item that an overflow does not drop."""

    __slots__ = ("size",)

    def __init__(self, size: int) -> None:
        self.size = size  # bytes


class Answer(Kept):
    """Key of an answer, whose bytes count as unread until they are handed to the network."""

    __slots__ = ()


class Backlog(Writer):
    """Events, feeds and answers that wait for one connection, in one order.

    An event replaces its unsent predecessor of the same key. More than `limit` events are all dropped, and a snapshot
    takes their place when the connection reads again: a slow reader is late, never wrong. Answers are never dropped.
    Of a feed, the backlog holds a function that returns its messages when there is room to send them.
    """

    __slots__ = (
        "_answers",
        "_coalescer",
        "_events",
        "_in_hand",
        "_limit",
        "_overflowed",
        "_taken",
        "_waiting",
        "account",
        "closed",
        "counters",
        "resyncs",
    )

    def __init__(
        self, limit: int, coalescer: Coalescer | None, counters: Counters | None, account: SendAccount | None = None
    ) -> None:
        super().__init__()
        self.account = account or SendBudget().account("")
        self.closed: Closed | None = None
        self.resyncs = 0
        self.counters = counters or Counters()
        self._coalescer = coalescer or Coalescer()
        self._limit = limit
        self._waiting: dict[object, Any] = {}
        self._events = 0  # of what waits
        self._answers = 0  # of what waits
        self._in_hand = 0  # bytes of answers that were taken, and may not be with the network yet
        self._overflowed = False
        self._taken = Doorbell()

    def close(self, code: int, reason: str = "") -> None:
        """Accept no more messages; what waits is still sent. Closing twice is no error."""
        if self.closed is None:
            self.closed = Closed(code, reason)
            self._taken.ring()
            self._wake()

    def discard(self) -> None:
        """Drop what waits, because the connection has ended: it may hold this queue in a circle."""
        self._empty()
        self.account.close()

    def drop(self) -> None:
        """Drop what waits, and take nothing more. `discard` follows, once the reader has heard of the end."""
        self.closed = self.closed or LOST
        self._overflowed = False
        self._empty()

    def _empty(self) -> None:
        self._waiting.clear()
        self._events = self._answers = 0
        self._taken.ring()

    def handed_over(self) -> None:
        """Note that the network has everything that was taken."""
        self.account.remove(self._in_hand)
        self._in_hand = 0

    def is_clear(self) -> bool:
        """Return whether nothing has to be sent before the next message."""
        return not self._waiting and not self._overflowed and self.closed is None

    def _add_event(self, key: object, event: Any) -> None:
        if self._waiting.pop(key, None) is None:
            self._events += 1
        else:
            self.counters.conflated += 1
        self._waiting[key] = event
        if self._events > self._limit:
            self.resync()
        else:
            self._wake()

    def resync(self) -> None:
        """Send a snapshot in place of the events that wait."""
        kept = {key: item for key, item in self._waiting.items() if not self._is_in_snapshot(key, item)}
        self._events -= len(self._waiting) - len(kept)
        self._waiting = kept
        self._overflowed = True
        self.resyncs += 1
        self.counters.resyncs += 1
        self._wake()

    def _is_in_snapshot(self, key: object, item: Any) -> bool:
        return not isinstance(key, Kept) and not callable(item)

    def _add_feed(self, source: object, take: Callable[[], Any]) -> None:
        self._waiting.setdefault(source, take)
        self._wake()

    def _add_answer(self, answer: Any, size: int) -> None:
        self._answers += 1
        self.account.add(size)
        self._waiting[Answer(size)] = answer
        self._wake()

    def _pop(self) -> tuple[object, Any]:
        """Take the oldest item and its key. Flush before a feed: its newest message is later than what is pending."""
        key, item = next(iter(self._waiting.items()))
        if callable(item):
            self._coalescer.flush()
        elif isinstance(key, Answer):
            self._answers -= 1
            self._in_hand += key.size
        elif not isinstance(key, Kept):
            self._events -= 1
        self._waiting.pop(key, None)  # the flush may have ended the connection, and emptied this
        return key, item
