"""Feeds: numbered streams that must not be conflated, such as a room's messages or a run's log."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from asgi_app.hub.message import Message, Subscriber


class Reader(Protocol):
    """Reader of feeds, which is notified when one of them has more."""

    def due(self, cursor: Cursor) -> None:
        """Take the cursor's messages as soon as the connection can send them. Never blocks."""


class Inbox(Subscriber, Reader, Protocol):
    """The queue of a session: takes events, and what is in the feeds that it follows."""

    def close(self, code: int, reason: str) -> None: ...

    def restart(self) -> None:
        """Have the client connect again."""


class _Item(NamedTuple):
    position: int
    number: int
    size: int
    message: Message


class Feed:
    """A stream of numbered items, each kept until every follower has taken it, up to `keep` bytes in all.

    A feed whose followers keep up holds nothing. A follower that is too slow gets `gap(since, upto)`, a message with
    the numbers that it missed: there is no silent gap. The messages of `again()` follow, for state that a gap may hide.
    """

    def __init__(
        self,
        gap: Callable[[int, int], Message],
        *,
        next: int = 0,
        keep: int = 256 * 1024,
        again: Callable[[], list[Message]] = list,
    ) -> None:
        self.next = next
        self.position = 0
        self.cursors: set[Cursor] = set()
        self._gap = gap
        self._again = again
        self._keep = keep
        self._tail: deque[_Item] = deque()
        self._bytes = 0
        self._behind = 0

    def append(self, message: Message, *, count: int = 1, size: int = 512) -> None:
        """Send the message to all followers. It holds `count` items, and is about `size` bytes long."""
        if self.cursors:
            self._tail.append(_Item(self.position, self.next, size, message))
            self._bytes += size
            while self._bytes > self._keep and len(self._tail) > 1:
                self._bytes -= self._tail.popleft().size
        self.position += 1
        self.next += count
        # Mark all cursors first: the first reader may take the item at once, and would free it as the last in need.
        for cursor in [cursor for cursor in self.cursors if cursor.falls_behind()]:
            cursor.report()

    def follow(self, name: str, reader: Reader, *, held: bool = False) -> Cursor:
        """Send the reader everything that is appended from now on. A `held` cursor waits for its `release`."""
        cursor = Cursor(name, self, reader, held)
        self.cursors.add(cursor)
        return cursor

    # Only `Cursor` calls the next three.
    def size_since(self, position: int) -> int:
        """Return how many bytes are kept from this position on."""
        return sum(item.size for item in self._tail if item.position >= position)

    def since(self, position: int, number: int) -> list[Message]:
        """Return the messages from this position on, after a gap if some of them are not kept."""
        messages = [item.message for item in self._tail if item.position >= position]
        first = self._tail[0] if self._tail else None
        if first is None or first.position > position:
            messages[:0] = [self._gap(number, first.number if first else self.next), *self._again()]
        return messages

    def count_behind(self, change: int) -> None:
        """Change the number of cursors that have something to take. Keep nothing when there are none."""
        self._behind += change
        if self._behind == 0:
            self._tail.clear()
            self._bytes = 0


class Cursor:
    """One follower's position in a feed."""

    def __init__(self, name: str, feed: Feed, reader: Reader, held: bool) -> None:
        self.name = name
        self._feed = feed
        self._reader = reader
        self._held = held
        self._position = feed.position
        self._number = feed.next
        self._is_behind = False

    @property
    def has_all(self) -> bool:
        """Whether all messages have been taken."""
        return not self._is_behind

    @property
    def size(self) -> int:
        """How many bytes wait to be taken, about."""
        return self._feed.size_since(self._position) if self._is_behind else 0

    def falls_behind(self) -> bool:
        """Note that there is more to take. Return whether this is new."""
        if self._is_behind:
            return False
        self._is_behind = True
        self._feed.count_behind(1)
        return True

    def report(self) -> None:
        """Let the reader know that there is more, unless the cursor is held."""
        if not self._held:
            self._reader.due(self)

    def release(self) -> None:
        """End the hold: the reader may take what waits."""
        self._held = False
        if self._is_behind:
            self._reader.due(self)

    def messages(self) -> list[Message]:
        """Take everything since the last call."""
        if not self._is_behind:
            return []
        messages = self._feed.since(self._position, self._number)
        self._position, self._number = self._feed.position, self._feed.next
        self._is_behind = False
        self._feed.count_behind(-1)
        return messages

    def leave(self) -> None:
        """Stop following. Leaving twice is no error."""
        self._feed.cursors.discard(self)
        if self._is_behind:
            self._is_behind = False
            self._feed.count_behind(-1)
