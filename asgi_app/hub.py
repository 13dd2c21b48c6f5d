"""Fan-out: who gets what, encoded once, through one bounded and conflating `Outbox` a connection.

No rule and no transport lives here. A `Message` is one event and its encodings; a `Channel` hands it to
every subscriber; a `Feed` is for what is numbered and must not be conflated (a room's messages, a run's log); an
`Outbox` holds what one connection has not sent yet. Nothing here awaits a slow reader: `offer` never blocks, and what
a reader was too slow for is replaced by one snapshot, or told as a gap, when it reads again.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import operator
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar, cast

from asgi_app.tally import Histogram, Tally

T = TypeVar("T")

log = logging.getLogger("pilotlight.hub")

Deliver = Callable[[list[Any]], None]  # hands on items that come together, in order

LONG_FANOUT = 0.0002  # seconds; a shorter one is no reason for the next message to wait
LEAST_PAUSE = 0.0005  # seconds

GOING_AWAY = 1012  # RFC 6455 registry, "service restart": come back
TOO_FAST = 4029  # ours, after 429: far more commands than are taken; come back, slower
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


class Burst:
    """Messages that go to the same subscribers at the same time: their bytes are joined once a wire format."""

    __slots__ = ("_joined", "messages")

    def __init__(self, messages: list[Message]) -> None:
        self.messages = messages
        self._joined: dict[Any, bytes] = {}

    def joined(self, codec: Callable[[Message], bytes]) -> bytes:
        """All of them as `codec` makes them, one after the other."""
        try:
            return self._joined[codec]
        except KeyError:
            made = self._joined[codec] = b"".join(message.encoded(codec) for message in self.messages)
            return made


class Coalescer:
    """Joins what is sent to many while they are still busy with what was sent before; a lone message goes at once.

    After a fan-out that took a while, what comes within the next quarter of that time (0.5 ms at least) waits, and then
    goes out together: one write a connection for all of it. Order is kept across everything that is sent by way of
    one coalescer, so there is one for all connections of a process.
    """

    def __init__(self) -> None:
        self.pending: list[tuple[Deliver, Any]] = []
        self.joined = 0  # messages that waited for others
        self.fanouts = Histogram()
        self._free_at = 0.0

    def send(self, deliver: Deliver, item: Any) -> None:
        """Have `deliver` called with the item, and with those that came before and after it, if it has to wait."""
        if self.pending:
            self.pending.append((deliver, item))
            return
        now = time.perf_counter()
        if now < self._free_at:
            self.pending.append((deliver, item))
            asyncio.get_running_loop().call_later(self._free_at - now, self.flush)
            return
        deliver([item])
        self._took(time.perf_counter() - now)

    def behind(self, deliver: Deliver, item: Any) -> bool:
        """Where something waits, put this behind it; for what goes to one connection only, and is sent at once else."""
        if self.pending:
            self.pending.append((deliver, item))
            return True
        return False

    def flush(self) -> None:
        """Send what waits now."""
        if not self.pending:
            return
        began = time.perf_counter()
        pending, self.pending = self.pending, []
        self.joined += len(pending)
        for deliver, run in itertools.groupby(pending, operator.itemgetter(0)):
            deliver([item for _, item in run])
        self._took(time.perf_counter() - began)

    def _took(self, seconds: float) -> None:
        self.fanouts.note(seconds)
        if seconds > LONG_FANOUT:
            self._free_at = time.perf_counter() + max(LEAST_PAUSE, seconds / 4)


class Subscriber(Protocol):
    """Takes messages without blocking: an `Outbox`, or something in front of one."""

    def offer(self, message: Message) -> None: ...
    def offer_all(self, burst: Burst) -> None: ...


class Channel:
    """Everybody who is to get the same messages. `publish` is the only way out of the panel."""

    def __init__(self, coalescer: Coalescer | None = None) -> None:
        self._subscribers: dict[Subscriber, None] = {}
        self._coalescer = coalescer or Coalescer()

    def __len__(self) -> int:
        return len(self._subscribers)

    def join(self, subscriber: Subscriber) -> None:
        """From now on the subscriber gets what is published."""
        self._subscribers[subscriber] = None

    def leave(self, subscriber: Subscriber) -> None:
        """The subscriber gets nothing more; leaving twice is no error."""
        self._subscribers.pop(subscriber, None)

    def publish(self, message: Message) -> None:
        """Hand the message to every subscriber, at once or with those that come right after it."""
        self._coalescer.send(self.deliver, message)

    def deliver(self, messages: list[Message]) -> None:
        """Hand them to every subscriber now; one that fails is logged, and costs the others nothing."""
        burst = Burst(messages)
        lone = messages[0] if len(messages) == 1 else None
        for subscriber in self._subscribers:
            try:
                if lone is not None:
                    subscriber.offer(lone)
                else:
                    subscriber.offer_all(burst)
            except Exception:
                log.exception("a subscriber failed at %s", messages[0].key)


class Inbox(Subscriber, Protocol):
    """What a connection is to the panel: takes events, and is told when a feed it follows has more."""

    def due(self, follower: Follower) -> None:
        """The follower has messages. They are taken from it when the connection can send them. Never blocks."""

    def close(self, code: int, reason: str) -> None: ...


class Wire(Protocol):
    """A connection's own transport, where the server offers it: takes ready-made bytes while it is `open`."""

    open: bool
    write: Callable[[bytes], object]

    def watch(self, changed: Callable[[], None] | None) -> None: ...


class _Item(NamedTuple):
    position: int
    number: int
    size: int
    message: Message


class Feed:
    """A stream of numbered items that nothing can stand in for: a room's messages, a run's log.

    An item is kept until everybody who follows has taken it, and no more than `keep` bytes of them: so a feed whose
    readers keep up holds nothing, and one that is too slow for that is told which numbers it missed. `gap(since, upto)`
    is the message that says so: a silent hole there never is. `again()` is what has to be said again behind a gap.
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
        self.followers: set[Follower] = set()
        self._gap = gap
        self._again = again
        self._keep = keep
        self._tail: deque[_Item] = deque()
        self._bytes = 0
        self._behind = 0

    def append(self, message: Message, *, count: int = 1, size: int = 512) -> None:
        """Hand the message to all who follow; it has `count` items in it, and is about `size` bytes."""
        if self.followers:
            self._tail.append(_Item(self.position, self.next, size, message))
            self._bytes += size
            while self._bytes > self._keep and len(self._tail) > 1:
                self._bytes -= self._tail.popleft().size
        self.position += 1
        self.next += count
        # All are behind before the first is told: it may take the item at once, and be the last who needs it, else.
        for follower in [follower for follower in self.followers if follower.falls_behind()]:
            follower.ring()

    def follow(self, name: str, inbox: Inbox, *, held: bool = False) -> Follower:
        """Have the inbox get all that is appended from now on; while `held`, it waits."""
        follower = Follower(name, self, inbox, held)
        self.followers.add(follower)
        return follower

    # `Follower` is the only one who calls these two.
    def since(self, position: int, number: int) -> list[Message]:
        """What was appended from there on, behind a gap where some of it is not kept."""
        messages = [item.message for item in self._tail if item.position >= position]
        first = self._tail[0] if self._tail else None
        if first is None or first.position > position:
            messages[:0] = [self._gap(number, first.number if first else self.next), *self._again()]
        return messages

    def behind(self, change: int) -> None:
        """So many more followers have not taken what there is."""
        self._behind += change
        if self._behind == 0:
            self._tail.clear()
            self._bytes = 0


class Follower:
    """One connection's place in a feed."""

    rev = 0  # as `Message.rev`: an outbox that overflows keeps it

    def __init__(self, name: str, feed: Feed, inbox: Inbox, held: bool) -> None:
        self.name = name
        self._feed = feed
        self._inbox = inbox
        self._held = held
        self._position = feed.position
        self._number = feed.next
        self._rung = False

    @property
    def has_all(self) -> bool:
        """Whether everything that came was taken."""
        return not self._rung

    def falls_behind(self) -> bool:
        """There is more to take; whether that is news."""
        if self._rung:
            return False
        self._rung = True
        self._feed.behind(1)
        return True

    def ring(self) -> None:
        """Have the connection take it."""
        if not self._held:
            self._inbox.due(self)

    def release(self) -> None:
        """What waited may be taken now."""
        self._held = False
        if self._rung:
            self._inbox.due(self)

    def messages(self) -> list[Message]:
        """All that came since the last time."""
        if not self._rung:
            return []
        messages = self._feed.since(self._position, self._number)
        self._position, self._number = self._feed.position, self._feed.next
        self._rung = False
        self._feed.behind(-1)
        return messages

    def leave(self) -> None:
        """Follow no more; leaving twice is no error."""
        self._feed.followers.discard(self)
        if self._rung:
            self._rung = False
            self._feed.behind(-1)


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
    while `limit` of them are unsent, which stops reading from a client that does not read its answers. Of a feed it
    holds only that there is more (`due`), and takes the messages when it is taken itself.
    """

    def __init__(
        self,
        snapshot: Callable[[], Message],
        *,
        limit: int = 256,
        coalescer: Coalescer | None = None,
        tally: Tally | None = None,
    ) -> None:
        self._snapshot = snapshot
        self._tally = tally or Tally()
        self._limit = limit
        self._coalescer = coalescer or Coalescer()
        self._wire: Wire | None = None
        self._event_bytes: Callable[[Message], bytes] = _no_bytes
        self._answer_bytes: Callable[[Message], bytes] = _no_bytes
        self._direct: Callable[[bytes], object] | None = (
            None  # set while nothing waits, is being sent, or is in the way
        )
        self._parked = False
        self._waiting: dict[object, Message | Follower] = {}
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
        if self._coalescer.behind(self._offer_each, message):
            return
        if (direct := self._direct) is not None:
            self._tally.sent += 1
            direct(message.encoded(self._event_bytes))
            return
        if self._closed or (self._overflowed and message.rev):
            return  # the snapshot that is due will have it
        key: object = message.key if message.key is not None else message
        if self._waiting.pop(key, None) is None:
            self._events += 1
        else:
            self._tally.conflated += 1
        self._waiting[key] = message
        if self._events > self._limit:
            self._overflow()
        self._ready.set()

    def offer_all(self, burst: Burst) -> None:
        """Take events that come together. Never blocks."""
        if (direct := self._direct) is not None:
            self._tally.sent += len(burst.messages)
            direct(burst.joined(self._event_bytes))
        else:
            self._offer_each(burst.messages)

    def _offer_each(self, messages: list[Message]) -> None:
        for message in messages:
            self.offer(message)

    def due(self, follower: Follower) -> None:
        """A feed has more. Never blocks."""
        if self._coalescer.behind(self._due_each, follower):
            return
        if (direct := self._direct) is not None:
            for message in follower.messages():
                self._tally.sent += 1
                direct(message.encoded(self._event_bytes))
        elif self._closed is None:
            self._waiting.setdefault(follower, follower)
            self._ready.set()

    def _due_each(self, followers: list[Follower]) -> None:
        for follower in followers:
            self.due(follower)

    async def answer(self, message: Message) -> None:
        """Take an answer; waits while too many of them are unsent."""
        while self._answers >= self._limit and self._closed is None:
            self._taken.clear()
            await self._taken.wait()
        if not self._coalescer.behind(self._answer_each, message):
            self._answer_each([message])

    def _answer_each(self, messages: list[Message]) -> None:
        for message in messages:
            if (direct := self._direct) is not None:
                self._tally.sent += 1
                direct(message.encoded(self._answer_bytes))
            elif self._closed is None:
                self._answers += 1
                self._waiting[message] = message
                self._ready.set()

    async def take(self) -> list[Message]:
        """Everything that waits, in order, as soon as there is anything. Raises `Closed` once closed and empty."""
        while not self._waiting and not self._overflowed:
            if self._closed is not None:
                raise self._closed
            self._ready.clear()
            await self._park()
        if any(isinstance(waiting, Follower) for waiting in self._waiting.values()):
            self._coalescer.flush()  # a feed has its newest already; what was sent before that comes first
        messages: list[Message] = []
        for waiting in self._waiting.values():
            messages.extend([waiting] if isinstance(waiting, Message) else waiting.messages())
        if self._overflowed:
            messages.append(self._snapshot())
            self._overflowed = False
        self._waiting.clear()
        self._events = self._answers = 0
        self._taken.set()
        self._tally.sent += len(messages)
        return messages

    def close(self, code: int, reason: str) -> None:
        """No more messages; what waits is still taken. Closing twice is no error."""
        if self._closed is None:
            self._closed = Closed(code, reason)
            self._direct = None
            self._ready.set()
            self._taken.set()

    def attach(
        self, wire: Wire | None, event_bytes: Callable[[Message], bytes], answer_bytes: Callable[[Message], bytes]
    ) -> None:
        """Send straight to this wire whenever nothing waits and whoever takes from here is waiting for more."""
        if wire is not None:
            self._wire, self._event_bytes, self._answer_bytes = wire, event_bytes, answer_bytes
            wire.watch(self._look)

    def detach(self) -> None:
        """The connection is over."""
        if self._wire is not None:
            self._wire.watch(None)
            self._wire = self._direct = None

    async def _park(self) -> None:
        self._parked = True
        self._look()
        try:
            await self._ready.wait()
        finally:
            self._parked = False
            self._direct = None

    def _look(self) -> None:
        free = self._parked and not self._waiting and not self._overflowed and self._closed is None
        self._direct = self._wire.write if free and self._wire is not None and self._wire.open else None

    def _overflow(self) -> None:
        self._waiting = {key: waiting for key, waiting in self._waiting.items() if not waiting.rev}
        self._events = 0
        self._overflowed = True
        self.resyncs += 1
        self._tally.resyncs += 1


def _no_bytes(message: Message) -> bytes:
    raise AssertionError("no wire is attached")
