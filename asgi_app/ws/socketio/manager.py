"""Socket.IO's `emit` without a task for each recipient: an event is encoded once and enqueued for each connection.

python-socketio's `AsyncManager.emit` makes a task for every recipient and waits for all of them. One client that does
not read would hold up every client that emits to its room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import socketio
from engineio.packet import Packet as EnginePacket

from asgi_app.hub import Coalescer
from asgi_app.seams import Seam
from asgi_app.ws.engineio.outbox import EngineOutbox
from asgi_app.ws.engineio.packets import framed
from asgi_app.ws.socketio.packets import event_packets
from asgi_app.ws.socketio.recovery import Recovery, Take

SEAMS = (
    Seam(
        socketio.AsyncManager,
        "_generate_ack_id basic_close_room basic_enter_room basic_leave_room callbacks close_room connect disconnect "
        "eio_sid_from_sid emit enter_room get_namespaces get_participants is_sid_room leave_room pending_connect "
        "pre_connect rooms server sid_from_eio_sid trigger_callback",
    ),
)


class _Members(NamedTuple):
    """The queues of the clients in a room, separately for those with a recoverable session."""

    plain: list[EngineOutbox]
    recoverable: list[EngineOutbox]


@dataclass(slots=True, eq=False)
class _Room:
    """Everybody in a room, looked up again after somebody came or went."""

    _find: Callable[[], _Members]
    _recovery: Recovery
    _name: str | None
    _skipped: Set[str]
    _members: _Members | None = None

    def invalidate(self) -> None:
        """Forget the members, because a client came or went."""
        self._members = None

    def deliver(self, events: list[list[EnginePacket]]) -> None:
        """Enqueue the events, each with all its packets, for everybody: as one write where that is possible."""
        if self._members is None:
            self._members = self._find()
        plain, recoverable = self._members
        recovery = self._recovery
        markers = []
        if recovery.is_used:
            markers = [recovery.record(packets, self._name, self._skipped) for packets in events]
        hand_out(events, EngineOutbox.enqueue, plain, recoverable, markers)


def hand_out(
    events: list[list[EnginePacket]],
    enqueue: Take,
    plain: Iterable[EngineOutbox],
    recoverable: Iterable[EngineOutbox],
    markers: list[EnginePacket],
) -> None:
    """Write the events at once where nothing waits; `enqueue` them elsewhere.

    A marker follows each event to a client that can come back. There are none while no client can.
    """
    frames = b"".join([framed(packet) for packets in events for packet in packets])
    straight = 0
    for queue in plain:
        if (direct := queue.direct) is not None:
            direct(frames)
            straight += 1
        else:
            for packets in events:
                enqueue(queue, packets, None)
    if straight:
        queue.counters.sent += straight * len(events)  # all queues share their counters
    if not markers:
        return
    frames += framed(markers[-1])
    for queue in recoverable:
        if (direct := queue.direct) is not None:
            queue.counters.sent += len(events)
            direct(frames)
        else:
            for packets, marker in zip(events, markers, strict=True):
                enqueue(queue, packets, marker)


def encoded(namespace: str, event: str, data: Any, id: int | str = "") -> list[EnginePacket]:
    """Encode an event with data as python-socketio's `emit` takes it: a tuple is several arguments, None is none."""
    arguments = data if isinstance(data, tuple) else () if data is None else (data,)
    return event_packets(namespace, event, *arguments, id=id)


def sids(skip_sid: Any) -> frozenset[str]:
    """Return the sids in an argument `skip_sid` of python-socketio."""
    return frozenset(skip_sid if isinstance(skip_sid, list) else [skip_sid]) if skip_sid else frozenset()


class _Recoveries(dict[str, Recovery]):
    """The recovery of each namespace; by default no client can come back."""

    def __missing__(self, namespace: str) -> Recovery:
        made = self[namespace] = Recovery(namespace)
        return made


class QueueingManager(socketio.AsyncManager):  # type: ignore[misc]  # python-socketio has no type hints
    """python-socketio's manager, which enqueues events directly for the connections.

    It also works behind a manager for several processes: `class Shared(AsyncRedisManager, QueueingManager)`.
    """

    def __init__(self, coalescer: Coalescer | None = None) -> None:
        super().__init__()
        self._coalescer = coalescer or Coalescer()
        self._rooms: dict[tuple[str, str | None], _Room] = {}
        self._reused_sids: dict[tuple[str, str], str] = {}  # by Engine.IO sid and namespace
        self.recoveries = _Recoveries()

    def add(self, namespace: str, recovery: Recovery) -> None:
        """Add a namespace, before it has clients."""
        self.recoveries[namespace] = recovery

    def reuse_sid(self, eio_sid: str, namespace: str, sid: str) -> None:
        """Give the connection this sid, which its client had before, when it connects to the namespace."""
        self._reused_sids[eio_sid, namespace] = sid

    async def pre_connect(self, eio_sid: str, namespace: str) -> str | None:
        sid = self._reused_sids.pop((eio_sid, namespace), None)
        if sid is None:
            made: str | None = await super().pre_connect(eio_sid, namespace)
            return made
        for room in (None, sid):  # as python-socketio does for a new sid
            self.basic_enter_room(sid, namespace, room, eio_sid=eio_sid)
        self.pending_connect.setdefault(namespace, []).append(sid)
        return sid

    async def connect(self, sid: str, namespace: str) -> str:
        connected: str = await super().connect(sid, namespace)
        for room in (None, sid):
            if (known := self._rooms.get((namespace, room))) is not None:
                known.invalidate()
        eio_sid = self.eio_sid_from_sid(connected, namespace)
        if (connection := self.server.eio.sockets.get(eio_sid)) is not None:
            connection.outside = None
        return connected

    async def disconnect(self, sid: str, namespace: str, **kwargs: Any) -> None:
        """Disconnect the client from the namespace. It must connect to one again in time."""
        eio_sid = self.eio_sid_from_sid(sid, namespace)
        await super().disconnect(sid, namespace, **kwargs)
        connection = self.server.eio.sockets.get(eio_sid)
        joined = (self.sid_from_eio_sid(eio_sid, other) for other in list(self.get_namespaces()))
        if connection is not None and connection.outside is None and not any(joined) and not connection.elsewhere:
            self.server.eio.pinger.expect_to_join(connection)

    def basic_enter_room(self, sid: str, namespace: str, room: str | None, eio_sid: str | None = None) -> None:
        self._coalescer.flush()  # what waits was sent before
        super().basic_enter_room(sid, namespace, room, eio_sid)
        self.recoveries[namespace].entered_room(sid, room)
        if (known := self._rooms.get((namespace, room))) is not None:
            known.invalidate()

    def basic_close_room(self, room: str, namespace: str) -> None:
        self._coalescer.flush()  # what waits was sent before, also to members who are away
        super().basic_close_room(room, namespace)
        self.recoveries[namespace].closed_room(room)

    def basic_leave_room(self, sid: str, namespace: str, room: str | None) -> None:
        self._coalescer.flush()  # what waits was sent before
        super().basic_leave_room(sid, namespace, room)
        self.recoveries[namespace].left_room(sid, room)
        if (known := self._rooms.get((namespace, room))) is not None:
            known.invalidate()
            if room not in self.rooms.get(namespace, {}):
                del self._rooms[namespace, room]

    async def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Any = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: Any = None,
        **kwargs: Any,
    ) -> None:
        if callback is None:
            self.emit_here(event, data, namespace, to or room, skip_sid)
            return
        for sid, eio_sid in list(self.get_participants(namespace, to or room)):
            connection = self.server.eio.sockets.get(eio_sid)
            if connection is not None and sid not in sids(skip_sid):  # each has an ack id of its own
                connection.queue.enqueue(encoded(namespace, event, data, self._generate_ack_id(sid, callback)))

    async def trigger_callback(self, sid: str, id: int, data: list[Any]) -> None:
        """Handle an ack. Ignore one that nobody waits for; python-socketio keeps a counter under the id 0."""
        if callable(self.callbacks.get(sid, {}).get(id)):
            await super().trigger_callback(sid, id, data)

    def emit_here(self, event: str, data: Any, namespace: str, room: Any = None, skip_sid: Any = None) -> None:
        """Enqueue an event for clients of this process. Never blocks."""
        if room not in self.rooms.get(namespace, {}) and not self.recoveries[namespace].suspended:
            return
        self.deliver(encoded(namespace, event, data), namespace, room, sids(skip_sid))

    def deliver(self, packets: list[EnginePacket], namespace: str, room: str | None, skipped: Set[str]) -> None:
        """Enqueue an encoded event for clients of this process, and record it. Never blocks."""
        known = None if skipped else self._rooms.get((namespace, room))
        if known is None:
            members = partial(self._members, namespace, room, skipped)
            known = _Room(members, self.recoveries[namespace], room, skipped)
            if not skipped and room in self.rooms.get(namespace, {}):  # else all who are in it are suspended
                self._rooms[namespace, room] = known
        self._coalescer.publish(known.deliver, packets)

    def find_members(self, namespace: str) -> None:
        """Find out again who is in the rooms, and who of them can come back."""
        for (name, _), known in self._rooms.items():
            if name == namespace:
                known.invalidate()

    def is_id_elsewhere(self, room: str) -> bool:
        """Return whether this is the sid of a client of another process."""
        return False

    def _members(self, namespace: str, room: str | None, skipped: Set[str]) -> _Members:
        """Return the queues of the room, without clients that still wait for their CONNECT packet.

        A client that comes back gets what was sent before that from its recovery.
        """
        members = _Members([], [])
        sessions = self.recoveries[namespace].sessions
        not_yet = set(self.pending_connect.get(namespace, ()))
        for sid, eio_sid in self.rooms.get(namespace, {}).get(room, {}).items():
            connection = self.server.eio.sockets.get(eio_sid)
            if connection is not None and not connection.closed and sid not in skipped and sid not in not_yet:
                (members.recoverable if sid in sessions else members.plain).append(connection.queue)
        return members
