"""Coming back on Socket.IO: what a client missed while its connection was cut, and the seat it comes back to.

Socket.IO's connection state recovery (https://socket.io/docs/v4/connection-state-recovery), which the JavaScript client
has from 4.6 on. A client is given a `pid` when it connects. It notes the last text that came as the last argument of an
event as its offset, and shows both when it comes back: where they are known, it has its sid and its rooms again, and
gets what it missed.

The protocol would have the offset as one more argument of every event. Handlers there are that take a callback in that
place, so it is an event of its own here, `_offset`, right behind each event and in the same write.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import re
import time
import urllib.parse
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket

from asgi_app.hub import Coalescer
from asgi_app.models import Actor
from asgi_app.ws.engineio.outbox import EngineOutbox
from asgi_app.ws.socketio.packets import event_packets

OFFSET = "_offset"  # the event that nobody listens to
UNNOTICED_SECONDS = 45.0  # that a cut may go unnoticed: Engine.IO's ping interval and timeout
ENTRIES = 5_000  # events that are kept, at most; two minutes of forty a second
BYTES = 4 * 1024 * 1024  # of them
ENTRY_BYTES = 200  # of an event beside its text, about
AWAY = 2_000  # seats that are kept, at most
LEFT_ROOMS = 100  # that are remembered of a seat: what was sent there before it left may still be missing
NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


def asks_like_javascript(environ: dict[str, Any]) -> bool:
    """Whether the handshake is that of the stock JavaScript client, from a browser or from Node.

    Nobody else gets a `pid`, and with it offsets: a program that counts frames, or a Python client that listens to
    everything, would see them. JavaScript's asks for `EIO` first, Python's for the transport. When polling, it adds a
    time stamp, and when not, a browser names its origin; Node's `ws` has no User-Agent, and offers compression.
    """
    query = urllib.parse.parse_qsl(environ.get("QUERY_STRING", ""))
    names = [name for name, _ in query]
    if not {"EIO", "transport"} <= set(names) or names.index("EIO") > names.index("transport"):
        return False
    if ("transport", "polling") in query:
        return "t" in names
    by_node = "HTTP_USER_AGENT" not in environ and "HTTP_SEC_WEBSOCKET_EXTENSIONS" in environ
    return "HTTP_ORIGIN" in environ or by_node


class Entry(NamedTuple):
    """An event that may have to be sent again: its number, when it was sent, to whom, and its messages, bytes too."""

    number: int
    at: float
    room: str | None
    skipped: frozenset[str]
    messages: tuple[str | bytes, ...]

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        return ENTRY_BYTES + sum(map(len, self.messages))

    def packets(self) -> list[EnginePacket]:
        """The event again."""
        return [EnginePacket(MESSAGE, message) for message in self.messages]


class Recent:
    """The last events, bounded by number, bytes and age (seconds); `dropped` is told of each that is kept no more."""

    def __init__(self, age: float, dropped: Callable[[Entry], None]) -> None:
        self._age = age
        self._dropped = dropped
        self._entries: deque[Entry] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry) -> None:
        """Keep it; numbers rise."""
        self._entries.append(entry)
        self._bytes += entry.size
        while len(self._entries) > ENTRIES or self._bytes > BYTES or self._entries[0].at < entry.at - self._age:
            first = self._entries.popleft()
            self._bytes -= first.size
            self._dropped(first)

    def after(self, number: int) -> list[Entry]:
        """Those with a higher number, in order."""
        return list(itertools.takewhile(lambda entry: entry.number > number, reversed(self._entries)))[::-1]

    def clear(self) -> None:
        """Nobody can want them any more."""
        self._entries.clear()
        self._bytes = 0


@dataclass(slots=True, eq=False)
class Seat:
    """A client's place in a namespace, which it can come back to. Kept for a while when its connection is cut."""

    sid: str
    pid: str
    queue: EngineOutbox | None  # its connection's; None while it is away
    since: int  # the number it can come back with at least: what was before is not known any more
    opened: bool = False  # whether it has what a newcomer gets
    rooms: dict[str, int] = field(default_factory=dict)  # and the number of the last event before it entered
    left: list[tuple[str, int, int]] = field(default_factory=list)  # room, entered and left
    actor: Actor | None = None  # who it was when it was cut
    kept: list[Any] = field(default_factory=list)  # what the parts of its namespace left
    timer: asyncio.TimerHandle | None = None

    def got(self, entry: Entry) -> bool:
        """Whether the event was for this client when it was sent."""
        if self.sid in entry.skipped:
            return False
        if entry.room is None or entry.room == self.sid:
            return True
        stays = [(entered, left) for room, entered, left in self.left if room == entry.room]
        if (entered := self.rooms.get(entry.room)) is not None:
            stays.append((entered, entry.number))
        return any(entered < entry.number <= left for entered, left in stays)

    def rest(self) -> None:
        """Nobody waits for its client any more; twice is no error."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def leave(self, room: str, number: int) -> None:
        """It is in this room no more; leaving twice is no error."""
        if (entered := self.rooms.pop(room, None)) is not None:
            self.left.append((room, entered, number))
            if len(self.left) > LEFT_ROOMS:
                self.since = max(self.since, self.left.pop(0)[2])


class Recovery:
    """Who can come back to a namespace within `seconds` (0: nobody), and what was sent that they may have missed.

    An event is kept once, whoever it went to. What goes to one client only is kept apart, so that one who asks a lot
    takes nothing from what all others may have missed.
    """

    def __init__(self, namespace: str, seconds: float = 0, coalescer: Coalescer | None = None) -> None:
        self.seconds = seconds
        self.number = 0
        self.seats: dict[str, Seat] = {}
        self.away: dict[str, Seat] = {}
        self._namespace = namespace
        self._coalescer = coalescer or Coalescer()
        self._by_pid: dict[str, Seat] = {}
        self._dropped = 0
        self._shared = Recent(seconds + UNNOTICED_SECONDS, self._shared_dropped)
        self._own = Recent(seconds + UNNOTICED_SECONDS, self._own_dropped)
        self._marker: tuple[int, EnginePacket] | None = None

    # --- coming and going ----------------------------------------------------------------------------------

    def sit(self, sid: str, pid: str, queue: EngineOutbox) -> Seat:
        """A newcomer that can come back."""
        seat = self.seats[sid] = self._by_pid[pid] = Seat(sid, pid, queue, self.number)
        return seat

    def opened(self, seat: Seat) -> None:
        """It has what a newcomer gets: it can come back from now on."""
        self._coalescer.flush()  # what waits has lower numbers
        seat.opened = True
        if seat.queue is not None:
            seat.queue.enqueue([self.marker()])

    def seat_of(self, auth: Any) -> Seat | None:
        """The seat of the `pid` that a client shows, there or away."""
        pid = auth.get("pid") if isinstance(auth, dict) else None
        return self._by_pid.get(pid) if isinstance(pid, str) else None

    def seat(self, sid: str) -> Seat | None:
        """The seat of the client, there or away; None for one that cannot come back."""
        return self.seats.get(sid) or self.away.get(sid)

    def claim(self, auth: Any) -> tuple[Seat, int] | None:
        """The seat that a returning client was cut from, and the number that it had; None where it cannot go on.

        `come_back` or `forget` has to follow.
        """
        seat = self.seat_of(auth)
        if seat is None or seat.sid not in self.away:
            return None
        self._coalescer.flush()  # what waits was sent while it was away
        offset = auth.get("offset")
        if isinstance(offset, str) and NUMBER.fullmatch(offset):
            number = int(offset)
            if max(self._dropped, seat.since) <= number <= self.number:
                seat.rest()
                return seat, number
        self.forget(seat)
        return None

    def come_back(self, seat: Seat, offset: int, queue: EngineOutbox) -> list[EnginePacket]:
        """The client is there again; what it missed, each event with its offset."""
        self._coalescer.flush()
        del self.away[seat.sid]
        seat.queue = queue
        self.seats[seat.sid] = seat
        shared = (entry for entry in self._shared.after(offset) if seat.got(entry))
        own = (entry for entry in self._own.after(offset) if entry.room == seat.sid)
        return [*itertools.chain.from_iterable(self._with_offset(entry) for entry in heapq.merge(shared, own))]

    def cut(self, sid: str, actor: Actor | None, kept: list[Any]) -> None:
        """The client's connection was cut: keep its seat for a while."""
        seat = self.seats.pop(sid)
        if not seat.opened or seat.queue is None or seat.queue.is_stale:
            self._forget(seat)
            return
        seat.actor, seat.kept, seat.queue = actor, kept, None
        self.away[sid] = seat
        seat.timer = asyncio.get_running_loop().call_later(self.seconds, self.forget, seat)
        if len(self.away) > AWAY:
            self.forget(next(iter(self.away.values())))

    def gone(self, sid: str) -> None:
        """The client has gone for good."""
        if (seat := self.seats.pop(sid, None)) is not None:
            self._forget(seat)

    def forget(self, seat: Seat) -> None:
        """It did not come back in time, or cannot have its seat."""
        seat.rest()
        self.away.pop(seat.sid, None)
        self._forget(seat)

    def _forget(self, seat: Seat) -> None:
        self._by_pid.pop(seat.pid, None)
        if not self._by_pid:
            self._dropped = self.number
            self._shared.clear()
            self._own.clear()

    # --- rooms ---------------------------------------------------------------------------------------------

    def entered(self, sid: str, room: str | None) -> None:
        """The client is in one more room."""
        if (seat := self.seats.get(sid)) is not None and room is not None and room != sid:
            seat.rooms.setdefault(room, self.number)

    def left(self, sid: str, room: str | None) -> None:
        """The client is in one room less."""
        if (seat := self.seats.get(sid)) is not None and room is not None:
            seat.leave(room, self.number)

    def closed(self, room: str) -> None:
        """Nobody is in the room any more, away or not."""
        for seat in self.away.values():
            seat.leave(room, self.number)

    # --- what is sent --------------------------------------------------------------------------------------

    @property
    def is_used(self) -> bool:
        """Whether there is anybody who can come back."""
        return bool(self._by_pid)

    def keep(self, packets: Iterable[EnginePacket], room: str | None = None, skipped: Iterable[str] = ()) -> None:
        """An event is sent to everybody who is in the room now; to be called when it is, not before."""
        if self._by_pid:
            self._shared.add(self._entry(packets, room, frozenset(skipped)))

    def marker(self) -> EnginePacket:
        """The packet that tells a client that it has everything until now."""
        if self._marker is None or self._marker[0] != self.number:
            self._marker = self.number, self._offset(self.number)
        return self._marker[1]

    def keep_marked(
        self, packets: Iterable[EnginePacket], room: str | None = None, skipped: Iterable[str] = ()
    ) -> EnginePacket:
        """As `keep`; the marker that goes behind it."""
        self.keep(packets, room, skipped)
        return self.marker()

    def tell(self, seat: Seat, packets: list[EnginePacket]) -> None:
        """Send an event to this client alone, and keep it; never blocks."""
        if self._coalescer.pending:
            self._coalescer.defer(self.tell, seat, packets)
            return
        if seat.opened:
            self._own.add(self._entry(packets, seat.sid, frozenset()))
        if seat.queue is not None:
            seat.queue.enqueue(packets, self.marker() if seat.opened else None)

    async def answer(self, seat: Seat, packets: list[EnginePacket]) -> None:
        """As `tell`, for what its client asked for: waits while it does not read."""
        if seat.queue is not None:
            await seat.queue.space()
        self.tell(seat, packets)

    def refilled(self, seat: Seat) -> EnginePacket:
        """The client gets a snapshot for what it was too slow for, which is not sent again; the marker behind that."""
        self.number += 1
        seat.since = self.number
        return self.marker()

    def _entry(self, packets: Iterable[EnginePacket], room: str | None, skipped: frozenset[str]) -> Entry:
        self.number += 1
        return Entry(self.number, time.monotonic(), room, skipped, tuple(packet.data for packet in packets))

    def _with_offset(self, entry: Entry) -> Iterator[EnginePacket]:
        yield from entry.packets()
        yield self._offset(entry.number)

    def _offset(self, number: int) -> EnginePacket:
        (packet,) = event_packets(self._namespace, OFFSET, str(number))
        return packet

    def _shared_dropped(self, entry: Entry) -> None:
        """What has gone to several, or may have."""
        self._dropped = entry.number

    def _own_dropped(self, entry: Entry) -> None:
        if (seat := self.seat(entry.room or "")) is not None:
            seat.since = max(seat.since, entry.number)
