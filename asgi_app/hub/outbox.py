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
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import pydantic_core

from asgi_app.net.unread import SMALL, Account, Unread
from asgi_app.telemetry.counters import Histogram, Tally

T = TypeVar("T")

log = logging.getLogger("pilotlight.hub")

Deliver = Callable[[list[Any]], None]  # hands on items that come together, in order

LONG_FANOUT = 0.0002  # seconds; a shorter one is no reason for the next message to wait
LEAST_PAUSE = 0.0005  # seconds
LEAVE_SECONDS = 0.3  # for what is being written when a connection ends

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

    @classmethod
    def of_answer(cls, data: dict[str, Any]) -> Message:
        """An answer as its text alone: what waits for a reader is not there twice."""
        message = cls({})
        message._encodings[text_of] = pydantic_core.to_json(data).decode()
        return message

    def encoded(self, codec: Callable[[Message], T]) -> T:
        """What `codec` makes of this message: computed at the first call, the same object ever after."""
        try:
            return cast(T, self._encodings[codec])
        except KeyError:
            made = self._encodings[codec] = codec(self)
            return made


def text_of(message: Message) -> str:
    """The message as JSON: the text that native clients get, and what its size is measured by."""
    return pydantic_core.to_json(message.data).decode()


class Burst:
    """Messages that go to the same subscribers at the same time: their bytes are made once a wire format."""

    __slots__ = ("_made", "messages")

    def __init__(self, messages: list[Message]) -> None:
        self.messages = messages
        self._made: dict[Any, bytes] = {}

    def joined(self, codec: Callable[[Message], bytes]) -> bytes:
        """All of them as `codec` makes them, one after the other."""
        try:
            return self._made[codec]
        except KeyError:
            made = self._made[codec] = b"".join(message.encoded(codec) for message in self.messages)
            return made

    def newest(self, codec: Callable[[list[Message]], bytes]) -> bytes:
        """Those of them that no later one replaces, as `codec` makes them together."""
        try:
            return self._made[codec]
        except KeyError:
            newest: dict[object, Message] = {}
            for message in self.messages:
                key: object = message if message.key is None else message.key
                newest.pop(key, None)
                newest[key] = message
            made = self._made[codec] = codec(list(newest.values()))
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

    # `Follower` is the only one who calls these three.
    def size_since(self, position: int) -> int:
        """How many bytes were appended from there on, as far as they are kept."""
        return sum(item.size for item in self._tail if item.position >= position)

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

    @property
    def size(self) -> int:
        """About how many bytes it has to take."""
        return self._feed.size_since(self._position) if self._rung else 0

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


class Bell:
    """Wakes whoever waits for it. (`asyncio.Event` remembers that it rang, and takes a kilobyte for that.)"""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] | None = None

    def ring(self) -> None:
        """Wake all who wait now."""
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            for future in waiting:
                if not future.done():
                    future.set_result(None)

    async def wait(self) -> None:
        """Return once it rings."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._waiting is None:
            self._waiting = []
        self._waiting.append(future)
        await future


class Outlet:
    """The way out of one connection: straight to its wire while nothing waits, else by a task that writes what waits.

    `direct` takes ready-made bytes while that is right: nothing waits, nothing is being written, the wire is open. The
    task is there only as long as there is something to write, so a connection that keeps up has none.
    """

    __slots__ = (
        "_again",
        "_coalescer",
        "_corked",
        "_drain",
        "_draining",
        "_ready",
        "_taken",
        "_wire",
        "direct",
    )

    def __init__(self, coalescer: Coalescer | None) -> None:
        self.direct: Callable[[bytes], object] | None = None
        self._coalescer = coalescer or Coalescer()
        self._wire: Wire | None = None
        self._drain: Callable[[], Coroutine[Any, Any, None]] | None = None
        self._draining: asyncio.Task[None] | None = None
        self._again = False
        self._corked: list[bytes] | None = None
        self._ready = Bell()
        self._taken = Bell()

    def is_clear(self) -> bool:
        """Whether nothing waits, and nothing is in the way of what comes next."""
        raise NotImplementedError

    def attach(self, drain: Callable[[], Coroutine[Any, Any, None]], wire: Wire | None = None) -> None:
        """From now on have `drain` write what waits, whenever something does; it returns when nothing does.

        The wire, where the server offers one, is what `direct` writes to.
        """
        self._drain = drain
        self._wire = wire
        if wire is not None:
            wire.watch(self._look)
        self._stir()

    async def detach(self) -> None:
        """The connection is over: nothing more is written."""
        self._drain = None
        if self._wire is not None:
            self._write_corked()
            self._wire.watch(None)
            self._wire = self.direct = None
        if self._draining is not None:  # it may be saying why the connection ends
            _, pending = await asyncio.wait([self._draining], timeout=LEAVE_SECONDS)
            for draining in pending:
                draining.cancel()
                await asyncio.wait([draining])

    def cork(self) -> None:
        """Gather what is sent straight to the wire until `uncork`: an event and its ack are one write."""
        if self.direct is not None and self._corked is None:
            self._corked = []
            self.direct = self._corked.append

    def uncork(self) -> None:
        """Write what was gathered."""
        if self._corked is not None:
            self._look()

    def _stir(self) -> None:
        """Something waits now."""
        if self.direct is not None:
            self._write_corked()
            self.direct = None
        if self._draining is not None:
            self._again = True  # it may be at its end already
        elif self._drain is not None:
            self._draining = asyncio.ensure_future(self._drain())
            self._draining.add_done_callback(self._drained)
        self._ready.ring()

    def _drained(self, task: asyncio.Task[None]) -> None:
        again, self._again, self._draining = self._again, False, None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a connection failed", exc_info=error)
        elif again:
            self._stir()
        else:
            self._look()

    def _look(self) -> None:
        """Whether what comes next may go straight to the wire."""
        self._write_corked()
        free = self._wire is not None and self._wire.open and self._draining is None and self.is_clear()
        self.direct = self._wire.write if free and self._wire is not None else None

    def _write_corked(self) -> None:
        frames, self._corked = self._corked, None
        if frames and self._wire is not None:
            self._wire.write(frames[0] if len(frames) == 1 else b"".join(frames))


class _Answer(NamedTuple):
    """An answer that waits in an outbox."""

    message: Message
    size: int  # bytes

    @property
    def rev(self) -> int:
        """As `Message.rev`: an outbox that overflows keeps it."""
        return 0


class Outbox(Outlet):
    """What one connection has not sent yet: events, which may be conflated or dropped, and answers.

    An event with a key replaces its unsent predecessor and goes to the end, so that revisions stay in order.
    When more than `limit` events wait, all of them are dropped and one snapshot takes their place when the
    connection reads again: a slow reader is late, never wrong. Answers are never dropped; `answer` waits
    while `limit` of them are unsent, or so many bytes that its account is full, which stops reading from a client that
    does not read its answers. Of a feed it holds only that there is more (`due`), and takes the messages when it is
    taken itself.
    """

    __slots__ = (
        "_answer_bytes",
        "_answers",
        "_burst_bytes",
        "_closed",
        "_event_bytes",
        "_events",
        "_in_hand",
        "_limit",
        "_overflowed",
        "_snapshot",
        "_tally",
        "_waiting",
        "account",
        "resyncs",
    )

    def __init__(
        self,
        snapshot: Callable[[], Message],
        *,
        limit: int = 256,
        coalescer: Coalescer | None = None,
        tally: Tally | None = None,
        account: Account | None = None,
    ) -> None:
        super().__init__(coalescer)
        self.account = account or Unread().account("")
        self._in_hand = 0  # bytes of answers that were taken, and may not be sent yet
        self._snapshot = snapshot
        self._tally = tally or Tally()
        self._limit = limit
        self._event_bytes: Callable[[Message], bytes] = _no_bytes
        self._burst_bytes: Callable[[list[Message]], bytes] = _no_bytes
        self._answer_bytes: Callable[[Message], bytes] = _no_bytes
        self._waiting: dict[object, Message | Follower | _Answer] = {}
        self._events = 0
        self._answers = 0
        self._overflowed = False
        self._closed: Closed | None = None
        self.resyncs = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def offer(self, message: Message) -> None:
        """Take an event. Never blocks."""
        if self._coalescer.behind(self._offer_each, message):
            return
        if (direct := self.direct) is not None:
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
        self._stir()

    def offer_all(self, burst: Burst) -> None:
        """Take events that come together. Never blocks."""
        if (direct := self.direct) is not None:
            self._tally.sent += len(burst.messages)
            direct(burst.newest(self._burst_bytes))
        else:
            self._offer_each(burst.messages)

    def _offer_each(self, messages: list[Message]) -> None:
        for message in messages:
            self.offer(message)

    def due(self, follower: Follower) -> None:
        """A feed has more. Never blocks."""
        if self._coalescer.behind(self._due_each, follower):
            return
        if (direct := self.direct) is not None:
            for message in follower.messages():
                self._tally.sent += 1
                direct(message.encoded(self._event_bytes))
        elif self._closed is None:
            self._waiting.setdefault(follower, follower)
            self._stir()

    def _due_each(self, followers: list[Follower]) -> None:
        for follower in followers:
            self.due(follower)

    async def answer(self, message: Message) -> None:
        """Take an answer; waits while too many of them are unsent, or too much."""
        while (self._answers >= self._limit or self.account.is_full) and self._answers and self._closed is None:
            await self._taken.wait()
        if not self._coalescer.behind(self._answer_each, message):
            self._answer_each([message])

    def _answer_each(self, messages: list[Message]) -> None:
        for message in messages:
            size = len(message.encoded(text_of))
            if (direct := self.direct) is not None and size <= SMALL:
                self._tally.sent += 1
                direct(message.encoded(self._answer_bytes))
            elif self._closed is None:
                self._answers += 1
                self.account.add(size)
                self._waiting[message] = _Answer(message, size)
                self._stir()

    async def take(self) -> list[Message]:
        """Everything that waits, in order, as soon as there is anything. Raises `Closed` once closed and empty."""
        while not (messages := self.take_now()):
            await self._ready.wait()
        return messages

    @property
    def due_size(self) -> int:
        """About how many bytes the next one of its feeds has for it."""
        return next((waiting.size for waiting in self._waiting.values() if isinstance(waiting, Follower)), 0)

    def handed_over(self) -> None:
        """What was taken is with the network by now: it waits here no longer."""
        self.account.remove(self._in_hand)
        self._in_hand = 0

    def take_now(self) -> list[Message]:
        """What waits, in order, a little of it, or all of a feed. Raises `Closed` once closed and empty."""
        self.handed_over()
        if not self._waiting and not self._overflowed:
            if self._closed is not None:
                raise self._closed
            return []
        if any(isinstance(waiting, Follower) for waiting in self._waiting.values()):
            self._coalescer.flush()  # a feed has its newest already; what was sent before that comes first
        messages: list[Message] = []
        size = 0
        while self._waiting and size < SMALL:
            key, waiting = next(iter(self._waiting.items()))
            if isinstance(waiting, Follower):
                if messages and waiting.size > SMALL:  # it comes alone
                    break
                size += waiting.size
                messages.extend(waiting.messages())
                del self._waiting[key]
                continue
            del self._waiting[key]
            if isinstance(waiting, _Answer):
                self._answers -= 1
                self._in_hand += waiting.size
                waiting = waiting.message
            else:
                self._events -= 1
            messages.append(waiting)
            size += len(waiting.encoded(text_of))
        if self._overflowed and not self._waiting:
            messages.append(self._snapshot())
            self._overflowed = False
        self._taken.ring()
        self._tally.sent += len(messages)
        return messages

    def close(self, code: int, reason: str) -> None:
        """No more messages; what waits is still taken. Closing twice is no error."""
        if self._closed is None:
            self._closed = Closed(code, reason)
            self._taken.ring()
            self._stir()

    def encode_with(
        self,
        event_bytes: Callable[[Message], bytes],
        burst_bytes: Callable[[list[Message]], bytes],
        answer_bytes: Callable[[Message], bytes],
    ) -> None:
        """How an event, events that come together, and an answer become the bytes that go straight to the wire."""
        self._event_bytes, self._burst_bytes, self._answer_bytes = event_bytes, burst_bytes, answer_bytes

    def is_clear(self) -> bool:
        """Whether nothing waits, and nothing is in the way of what comes next."""
        return not self._waiting and not self._overflowed and self._closed is None

    def _overflow(self) -> None:
        self._waiting = {key: waiting for key, waiting in self._waiting.items() if not waiting.rev}
        self._events = sum(isinstance(waiting, Message) for waiting in self._waiting.values())
        self._overflowed = True
        self.resyncs += 1
        self._tally.resyncs += 1


def _no_bytes(message: object) -> bytes:
    raise AssertionError("no wire is attached")
