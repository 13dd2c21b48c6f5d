"""Coming back on Socket.IO: the sessions of clients whose connection was cut, and the events that they missed.

Socket.IO's connection state recovery (https://socket.io/docs/v4/connection-state-recovery). The JavaScript client has
it from 4.6 on. A client gets a `pid` when it connects. It remembers the last argument of the last event as its offset,
if that is text, and sends both when it comes back. If both are known, it gets its sid and rooms back, and the events
that it missed.

The protocol appends the offset to the arguments of every event. But some handlers expect a callback in that place. So
it is an event of its own here, `_offset`, in the same write right after each event.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import re
import time
import urllib.parse
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket

from asgi_app.hub import Coalescer
from asgi_app.models.base import Actor
from asgi_app.ws.engineio.outbox import EngineOutbox
from asgi_app.ws.engineio.requests import VERSION
from asgi_app.ws.socketio.packets import event_packets

OFFSET = "_offset"  # the event; no client listens to it
UNNOTICED_SECONDS = 45.0  # until a cut is noticed, at most: Engine.IO's ping interval and timeout
ENTRIES = 5_000  # recorded events, at most; two minutes of forty a second
BYTES = 4 * 1024 * 1024  # of recorded events, at most
ENTRY_BYTES = 200  # of a recorded event besides its text, about
SUSPENDED = 2_000  # suspended sessions, at most
LEFT_ROOMS = 100  # remembered for each session: an event sent there before it left may still be missing
Take = Callable[[EngineOutbox, list[EnginePacket], EnginePacket | None], None]  # an event or answer, and its marker
NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


def asks_like_javascript(environ: dict[str, Any]) -> bool:
    """Whether the handshake is that of the standard JavaScript client, from a browser or from Node.

    Only this client gets a `pid` and offsets. Others would see the offsets: a program that counts frames, or a Python
    client that listens to every event. JavaScript sends `EIO` before `transport`, Python after it. When polling,
    JavaScript adds a time stamp. On a WebSocket, a browser sends its Origin; Node's `ws` sends no User-Agent and offers
    compression.
    """
    query = urllib.parse.parse_qsl(environ.get("QUERY_STRING", ""))
    names = [name for name, _ in query]
    if ("EIO", VERSION) not in query or "transport" not in names or names.index("EIO") > names.index("transport"):
        return False
    if ("transport", "polling") in query:
        return "t" in names
    by_node = "HTTP_USER_AGENT" not in environ and "HTTP_SEC_WEBSOCKET_EXTENSIONS" in environ
    return "HTTP_ORIGIN" in environ or by_node


class Entry(NamedTuple):
    """A recorded event: its number, when it was sent (monotonic seconds), to whom, and its messages."""

    number: int
    at: float
    room: str | None
    skipped: frozenset[str]
    messages: tuple[str | bytes, ...]
    again: bool = False  # whether it was recorded before, for the clients of this process

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        return ENTRY_BYTES + sum(map(len, self.messages))


class Recent:
    """The latest events, bounded by number, bytes and `age` (seconds). `dropped` is called with each dropped event."""

    def __init__(self, age: float, dropped: Callable[[Entry], None]) -> None:
        self._age = age
        self._dropped = dropped
        self._entries: deque[Entry] = deque()
        self._bytes = 0

    def add(self, entry: Entry) -> None:
        """Add an event with a higher number than all before."""
        self._entries.append(entry)
        self._bytes += entry.size
        while len(self._entries) > ENTRIES or self._bytes > BYTES or self._entries[0].at < entry.at - self._age:
            first = self._entries.popleft()
            self._bytes -= first.size
            self._dropped(first)

    def after(self, number: int) -> list[Entry]:
        """Return the events with a higher number, in order."""
        return list(itertools.takewhile(lambda entry: entry.number > number, reversed(self._entries)))[::-1]

    def clear(self) -> None:
        """Drop all events."""
        self._entries.clear()
        self._bytes = 0


@dataclass(slots=True, eq=False)
class RecoverableSession:
    """A client's session in a namespace. It is suspended for a while when the connection is cut."""

    sid: str
    pid: str
    queue: EngineOutbox | None  # of its connection; None while suspended
    since: int  # the lowest offset that it can resume from; what was before is not known any more
    started: bool = False  # whether it has what a new client gets
    rooms: dict[str, int] = field(default_factory=dict)  # with the number of the last event before it entered
    left: list[tuple[str, int, int]] = field(default_factory=list)  # room, number at entering, number at leaving
    actor: Actor | None = None  # when it was suspended
    kept: list[Any] = field(default_factory=list)  # what the handlers' `disconnected` returned
    timer: asyncio.TimerHandle | None = None
    claimed: bool = False  # whether a connection is about to resume it
    moved: bool = False  # whether its client comes from another process

    def was_sent(self, entry: Entry) -> bool:
        """Whether the event was for this client when it was sent."""
        if self.sid in entry.skipped:
            return False
        if entry.room is None or entry.room == self.sid:
            return True
        stays = [(entered, left) for room, entered, left in self.left if room == entry.room]
        if (entered := self.rooms.get(entry.room)) is not None:
            stays.append((entered, entry.number))
        return any(entered < entry.number <= left for entered, left in stays)

    def cancel_timer(self) -> None:
        """Stop waiting for the client; idempotent."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def leave(self, room: str, number: int) -> None:
        """Leave the room; idempotent."""
        if (entered := self.rooms.pop(room, None)) is not None:
            self.left.append((room, entered, number))
            if len(self.left) > LEFT_ROOMS:
                self.since = max(self.since, self.left.pop(0)[2])


class Recovery:
    """The recoverable sessions of a namespace, and the recent events. A client has `seconds` to come back (0: none).

    An event to several clients is recorded once. Events to one client are recorded separately, so that a client which
    asks a lot does not push out the events of all others.
    """

    def __init__(self, namespace: str, seconds: float = 0, coalescer: Coalescer | None = None) -> None:
        self.seconds = seconds
        self.number = 0
        self.sessions: dict[str, RecoverableSession] = {}  # connected, by sid
        self.suspended: dict[str, RecoverableSession] = {}
        self.describe: Callable[[str], tuple[Actor | None, list[Any]]] = lambda sid: (None, [])  # of connected clients
        self._namespace = namespace
        self._coalescer = coalescer or Coalescer()
        self._by_pid: dict[str, RecoverableSession] = {}
        self._dropped = 0
        self._shared = Recent(seconds + UNNOTICED_SECONDS, self._shared_dropped)
        self._own = Recent(seconds + UNNOTICED_SECONDS, self._own_dropped)
        self._marker: tuple[int, EnginePacket] | None = None

    def add(self, sid: str, pid: str, queue: EngineOutbox) -> RecoverableSession:
        """Add a new client's session."""
        session = self.sessions[sid] = self._by_pid[pid] = RecoverableSession(sid, pid, queue, self.number)
        return session

    def start(self, session: RecoverableSession) -> None:
        """Let the client come back from now on. It has everything that a new client gets."""
        self._coalescer.flush()  # what waits has lower numbers
        session.started = True
        if session.queue is not None:
            session.queue.enqueue([self.marker()])

    def session_by_pid(self, auth: Any) -> RecoverableSession | None:
        """Return the session, connected or suspended, of the `pid` in a client's `auth`."""
        pid = auth.get("pid") if isinstance(auth, dict) else None
        return self._by_pid.get(pid) if isinstance(pid, str) else None

    def session(self, sid: str) -> RecoverableSession | None:
        """Return the client's session, connected or suspended; None if it cannot come back."""
        return self.sessions.get(sid) or self.suspended.get(sid)

    def claim(self, auth: Any) -> tuple[RecoverableSession, int] | None:
        """Return a returning client's session and offset, to `resume` or `forget`; None if it must start anew."""
        session = self.session_by_pid(auth)
        if session is None:
            return None
        offset = auth.get("offset")
        number = int(offset) if isinstance(offset, str) and NUMBER.fullmatch(offset) else None
        return self._claim(session, number)

    def _claim(self, session: RecoverableSession, number: int | None) -> tuple[RecoverableSession, int] | None:
        if session.claimed or self.suspended.get(session.sid) is not session:
            return None
        self._coalescer.flush()  # what waits was sent while it was suspended
        if number is not None and max(self._dropped, session.since) <= number <= self.number:
            session.cancel_timer()
            session.claimed = True
            return session, number
        self.forget(session)
        return None

    async def claim_anywhere(self, auth: Any) -> tuple[RecoverableSession, int] | None:
        """Do as `claim`, also for a client of another process."""
        return self.claim(auth)

    def resume(self, session: RecoverableSession, offset: int, queue: EngineOutbox) -> list[EnginePacket]:
        """Connect the session to its new queue. Return the missed events, each with its offset."""
        self._coalescer.flush()
        del self.suspended[session.sid]
        session.queue = queue
        self.sessions[session.sid] = session
        missed: list[EnginePacket] = []
        for entry in self._missed(session, offset):
            missed += [EnginePacket(MESSAGE, message) for message in entry.messages]
            missed.append(self._offset(entry.number))
        return missed

    def _missed(self, session: RecoverableSession, offset: int) -> Iterable[Entry]:
        shared = (entry for entry in self._shared.after(offset) if session.was_sent(entry))
        own = (entry for entry in self._own.after(offset) if entry.room == session.sid)
        return heapq.merge(shared, own)

    def suspend(self, sid: str, actor: Actor | None, kept: list[Any]) -> None:
        """Keep the session of a client whose connection was cut, for a while."""
        session = self.sessions.pop(sid)
        if not session.started or session.queue is None or session.queue.is_stale:
            self._forget(session)
            return
        session.actor, session.kept, session.queue = actor, kept, None
        self.suspended[sid] = session
        self.wait_for(session)
        if len(self.suspended) > SUSPENDED:
            self.forget(next(iter(self.suspended.values())))

    def wait_for(self, session: RecoverableSession) -> None:
        """Forget the suspended session if its client does not come back in time."""
        session.claimed = False
        session.timer = asyncio.get_running_loop().call_later(self.seconds, self.forget, session)

    def end(self, sid: str) -> None:
        """Forget a client that has ended its session."""
        if (session := self.sessions.pop(sid, None)) is not None:
            self._forget(session)

    def forget(self, session: RecoverableSession) -> None:
        """Forget a client that did not come back in time, or may not resume the session."""
        session.cancel_timer()
        if self.suspended.get(session.sid) is session:
            del self.suspended[session.sid]
        self._forget(session)

    def _forget(self, session: RecoverableSession) -> None:
        if self._by_pid.get(session.pid) is session:
            del self._by_pid[session.pid]
        if not self.is_used:
            self._dropped = self.number
            self._shared.clear()
            self._own.clear()

    def entered_room(self, sid: str, room: str | None) -> None:
        """Note that the client has entered the room."""
        if (session := self.sessions.get(sid)) is not None and room is not None and room != sid:
            session.rooms.setdefault(room, self.number)

    def left_room(self, sid: str, room: str | None) -> None:
        """Note that the client has left the room."""
        if (session := self.sessions.get(sid)) is not None and room is not None:
            session.leave(room, self.number)

    def closed_room(self, room: str) -> None:
        """Remove suspended clients from a room that was closed."""
        for session in self.suspended.values():
            session.leave(room, self.number)

    @property
    def is_used(self) -> bool:
        """Whether any client can come back."""
        return bool(self._by_pid)

    def record(
        self, packets: Iterable[EnginePacket], room: str | None = None, skipped: Iterable[str] = ()
    ) -> EnginePacket:
        """Record an event as it is sent, to everybody in the room now. Return the offset packet that follows it."""
        if self.is_used:
            self._shared.add(self._entry(packets, room, frozenset(skipped)))
        return self.marker()

    def marker(self) -> EnginePacket:
        """Return the offset packet: a client that has it has everything until now."""
        if self._marker is None or self._marker[0] != self.number:
            self._marker = self.number, self._offset(self.number)
        return self._marker[1]

    def enqueue(self, session: RecoverableSession, packets: list[EnginePacket]) -> None:
        """Enqueue an event for this client only, and record it. Never blocks."""
        self._send(EngineOutbox.enqueue, session, packets)

    async def answer(self, session: RecoverableSession, packets: list[EnginePacket]) -> None:
        """Enqueue what the client asked for, and record it. Waits while the client does not read."""
        if (queue := session.queue) is not None and queue.direct is None:
            await queue.space()
        self._send(EngineOutbox.answer_nowait, session, packets)

    def _send(self, take: Take, session: RecoverableSession, packets: list[EnginePacket]) -> None:
        if self._coalescer.pending:
            self._coalescer.defer(self._send, take, session, packets)
            return
        if session.started:
            self._own.add(self._entry(packets, session.sid, frozenset()))
        if session.queue is not None:
            take(session.queue, packets, self.marker() if session.started else None)

    def refilled(self, session: RecoverableSession) -> EnginePacket:
        """Note that a snapshot replaces dropped events. Return the offset packet that follows it."""
        self.number += 1
        session.since = self.number
        return self.marker()

    def _entry(self, packets: Iterable[EnginePacket], room: str | None, skipped: frozenset[str]) -> Entry:
        self.number += 1
        return Entry(self.number, time.monotonic(), room, skipped, tuple(packet.data for packet in packets))

    def _offset(self, number: int) -> EnginePacket:
        (packet,) = event_packets(self._namespace, OFFSET, str(number))
        return packet

    def _shared_dropped(self, entry: Entry) -> None:
        self._dropped = entry.number

    def _own_dropped(self, entry: Entry) -> None:
        if (session := self.session(entry.room or "")) is not None:
            session.since = max(session.since, entry.number)
