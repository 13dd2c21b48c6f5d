"""Coming back to another process than before: the seats of clients, and numbers that count on all processes.

A number is made of two: that of the last entry of the namespace's stream, which is the same on all processes, and how
many events only this process has counted since. An offset has both, and the tag of the process. The process with this
tag goes on exactly. Another one goes on after the entry of the stream, and what only one process has is sent anew.
"""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Iterable
from typing import Annotated, Any

from engineio.packet import Packet as EnginePacket
from pydantic import Field

from asgi_app.hub import Coalescer, Wire
from asgi_app.models.access import Identity, Role, RoleName
from asgi_app.models.base import Actor, Strict
from asgi_app.ws.engineio.outbox import EngineOutbox
from asgi_app.ws.socketio.packets import event_packets
from asgi_app.ws.socketio.recovery import LEFT_ROOMS, NUMBER, OFFSET, Entry, RecoverableSession, Recovery

LOCAL = 10**18  # more than the events that a process counts between two entries
CLOSED = 1_000  # closed rooms that are remembered
PID = re.compile(r"[A-Za-z0-9_-]{20,64}", re.ASCII)
PLACE = re.compile(rf"({NUMBER.pattern})\.({NUMBER.pattern})\.([A-Za-z0-9_-]{{1,16}})", re.ASCII)


class Numbered(list[EnginePacket]):
    """The packets of an event that has a number in the stream. With `alone`, it was recorded without it, too."""

    def __init__(self, number: int, packets: Iterable[EnginePacket], *, alone: bool = False) -> None:
        super().__init__(packets)
        self.number = number
        self.alone = alone


Number = Annotated[int, Field(ge=0, lt=LOCAL)]


class _Seat(Strict):
    """What a process must know to go on with a client of another one. Numbers are those of the stream."""

    namespace: str
    sid: str = Field(min_length=20, max_length=64)
    rooms: dict[str, Number]  # with the last entry before it entered
    left: list[tuple[str, Number, Number]] = Field(max_length=LEFT_ROOMS)
    since: Number
    at: Number  # the last entry before this was written
    name: str
    role: RoleName
    owner: str | None  # of a claimed name
    via: str
    kept: list[Any]


class SharedRecovery(Recovery):
    """A `Recovery` whose clients may come from another process, and go on there."""

    def __init__(self, namespace: str, seconds: float, coalescer: Coalescer, wire: Wire) -> None:
        super().__init__(namespace, seconds, coalescer)
        self._wire = wire
        self._closed: deque[tuple[int, str]] = deque()
        self._closed_after = 0  # the entry after which all closed rooms are known
        self._taking: set[str] = set()  # pids

    @property
    def is_used(self) -> bool:
        """Whether any client can come back: from another process at any time."""
        return self.seconds > 0

    # --- what comes in the stream ----------------------------------------------------------------------------

    def record(
        self, packets: Iterable[EnginePacket], room: str | None = None, skipped: Iterable[str] = ()
    ) -> EnginePacket:
        if not isinstance(packets, Numbered):
            return super().record(packets, room, skipped)
        self.pass_over(packets.number)
        if self.is_used:
            messages = tuple(packet.data for packet in packets)
            entry = Entry(self.number, time.monotonic(), room, frozenset(skipped), messages, again=packets.alone)
            self._shared.add(entry)
        return self.marker()

    def pass_over(self, number: int) -> None:
        """Note that the stream has come so far."""
        self.number = number * LOCAL

    def note_closed(self, number: int, room: str) -> None:
        """Note that the room was closed. Its members have not left it yet."""
        self.pass_over(number)
        self._closed.append((number, room))
        if len(self._closed) > CLOSED:
            self._closed_after = self._closed.popleft()[0]

    def jump(self, number: int) -> None:
        """Begin after this number: nobody can get here what was before."""
        self.number = self._dropped = number * LOCAL
        self._closed_after = number
        self._closed.clear()
        self._shared.clear()

    def forget_connected(self) -> None:
        """Forget who is connected or is about to be. They have missed something, so `recovered` would lie."""
        for sid in list(self.sessions):
            self.end(sid)
        for session in [session for session in self.suspended.values() if session.claimed]:
            self.forget(session)  # its connection ends

    # --- seats -----------------------------------------------------------------------------------------------

    def start(self, session: RecoverableSession) -> None:
        super().start(session)
        self._wire.save(session.pid)

    def suspend(self, sid: str, actor: Actor | None, kept: list[Any]) -> None:
        session = self.sessions[sid]
        super().suspend(sid, actor, kept)
        self._wire.save(session.pid)

    def entered_room(self, sid: str, room: str | None) -> None:
        super().entered_room(sid, room)
        self._save(sid)

    def left_room(self, sid: str, room: str | None) -> None:
        super().left_room(sid, room)
        self._save(sid)

    def _save(self, sid: str) -> None:
        if (session := self.sessions.get(sid)) is not None and session.started:
            self._wire.save(session.pid)

    def _forget(self, session: RecoverableSession) -> None:
        super()._forget(session)
        self._wire.save(session.pid, first=True)  # it has ended, so no other process may resume it

    def give_up(self, pid: str) -> RecoverableSession | None:
        """Drop the session of a client that another process has now; return it."""
        session = self._by_pid.pop(pid, None)
        if session is not None:
            session.cancel_timer()
            for known in (self.sessions, self.suspended):
                if known.get(session.sid) is session:
                    del known[session.sid]
        return session

    def seat(self, pid: str) -> str:
        """Return what another process must know of the client, as JSON; '' if it has ended its session."""
        if (session := self._by_pid.get(pid)) is None:
            return ""
        actor, kept = (session.actor, session.kept) if session.queue is None else self.describe(session.sid)
        if actor is None:
            return ""
        seat = _Seat.model_construct(
            namespace=self._namespace,
            sid=session.sid,
            rooms={room: entered // LOCAL for room, entered in session.rooms.items()},
            left=[(room, entered // LOCAL, left // LOCAL) for room, entered, left in session.left],
            since=session.since // LOCAL,
            at=self.number // LOCAL,
            name=actor.name,
            role=actor.identity.role.word,
            owner=actor.identity.name,
            via=actor.via,
            kept=kept,
        )
        return json.dumps(seat.model_dump())  # keeps also names that have no UTF-8 encoding: nobody reads them then

    # --- coming back -----------------------------------------------------------------------------------------

    async def claim_anywhere(self, auth: Any) -> tuple[RecoverableSession, int] | None:
        pid, offset = (auth.get("pid"), auth.get("offset")) if isinstance(auth, dict) else (None, None)
        if not isinstance(pid, str) or not PID.fullmatch(pid) or pid in self._taking:
            return None
        place = PLACE.fullmatch(offset) if isinstance(offset, str) else None
        self._taking.add(pid)
        try:
            seat = await self._wire.take(pid)
        except OSError:  # nobody else can have it, unless it was away from here: then the offset is of another process
            session = self._by_pid.get(pid)
            is_ours = place is not None and place[3] == self._wire.tag
            return self._claim_at(session, place) if session is not None and is_ours else None
        finally:
            self._taking.discard(pid)
        if seat is not None and not seat.here:
            self.give_up(pid)
        session = self._by_pid.get(pid)
        if session is None and seat is not None and not seat.here:  # else it has ended here, and Redis is not told yet
            session = self._seated(pid, seat.text)
        return None if session is None else self._claim_at(session, place)

    def _claim_at(
        self, session: RecoverableSession, place: re.Match[str] | None
    ) -> tuple[RecoverableSession, int] | None:
        """Claim the session at this offset: exactly if it is ours, else after its entry of the stream."""
        if place is None or session.claimed:
            return self._claim(session, None)
        after, local = int(place[1]), int(place[2])
        session.moved = session.moved or place[3] != self._wire.tag
        if not session.moved:
            return self._claim(session, after * LOCAL + local)
        self._coalescer.flush()
        known_after = max(self._dropped, session.since) // LOCAL  # what was lost since was for this process alone
        return self._claim(session, max(after * LOCAL, self._dropped, session.since) if after >= known_after else None)

    def _missed(self, session: RecoverableSession, offset: int) -> Iterable[Entry]:
        if not session.moved:
            return (entry for entry in super()._missed(session, offset) if not entry.again)
        return [entry for entry in self._shared.after(offset) if not entry.number % LOCAL and session.was_sent(entry)]

    def resume(self, session: RecoverableSession, offset: int, queue: EngineOutbox) -> list[EnginePacket]:
        missed = super().resume(session, offset, queue)
        self._wire.save(session.pid)
        return missed

    def _seated(self, pid: str, text: str) -> RecoverableSession | None:
        """Return the suspended session of a client of another process; None if something may be missing here."""
        try:
            seat = _Seat.model_validate_json(text)
            identity = Identity(role=Role.of(seat.role), how="another process", name=seat.owner)
            actor = Actor(name=seat.name, via=seat.via, identity=identity)
        except ValueError:
            return None
        if seat.namespace != self._namespace or seat.at < self._closed_after or self.session(seat.sid) is not None:
            return None
        session = RecoverableSession(seat.sid, pid, None, seat.since * LOCAL, started=True, moved=True)
        session.rooms = {room: entered * LOCAL for room, entered in seat.rooms.items()}
        session.left = [(room, entered * LOCAL, left * LOCAL) for room, entered, left in seat.left]
        session.actor, session.kept = actor, seat.kept
        for number, room in self._closed:
            if session.rooms.get(room, number * LOCAL) < number * LOCAL:
                session.leave(room, number * LOCAL)
        self.suspended[seat.sid] = self._by_pid[pid] = session
        return session

    def _offset(self, number: int) -> EnginePacket:
        (packet,) = event_packets(self._namespace, OFFSET, f"{number // LOCAL}.{number % LOCAL}.{self._wire.tag}")
        return packet


def recovery_of(namespace: str, seconds: float, coalescer: Coalescer, wire: Wire | None) -> Recovery:
    """Return the recovery of a namespace: with a wire, clients may come from other processes."""
    if wire is None:
        return Recovery(namespace, seconds, coalescer)
    return SharedRecovery(namespace, seconds, coalescer, wire)
