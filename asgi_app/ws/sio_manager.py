"""Socket.IO's `emit` without a task a recipient: encoded once, put into each connection's queue, never waiting.

Stock `AsyncManager.emit` makes a task for every recipient and waits for all of them, so one client that does
not read would hold up whoever emits to its room.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import socketio
from engineio.packet import Packet as EnginePacket

from asgi_app.hub import Coalescer
from asgi_app.ws.engine import EngineOutbox, framed
from asgi_app.ws.sio_packets import event_packets


class _Room:
    """The queues of everybody in a room, found anew after somebody came or went."""

    __slots__ = ("_find", "_queues")

    def __init__(self, find: Callable[[], list[EngineOutbox]]) -> None:
        self._find = find
        self._queues: list[EngineOutbox] | None = None

    def changed(self) -> None:
        """Somebody came or went."""
        self._queues = None

    def deliver(self, events: list[list[EnginePacket]]) -> None:
        """Put the events, each in all its parts, into every queue: as one write where that is possible."""
        if self._queues is None:
            self._queues = self._find()
        joined = b"".join(framed(packet) for packets in events for packet in packets)
        straight = 0
        for queue in self._queues:
            if (direct := queue.direct) is not None:
                direct(joined)
                straight += 1
            else:
                for packets in events:
                    queue.tell(packets)
        if straight:
            self._queues[0].tally.sent += straight * len(events)  # one tally for all of them


class QueueingManager(socketio.AsyncManager):  # type: ignore[misc]  # python-socketio has no type hints
    """python-socketio's manager, whose events go straight into the queues of `ws/engine.py`.

    Also behind a manager that shares events among processes: `class Shared(AsyncRedisManager, QueueingManager)`.
    """

    def __init__(self, coalescer: Coalescer | None = None) -> None:
        super().__init__()
        self._coalescer = coalescer or Coalescer()
        self._rooms: dict[tuple[str, str | None], _Room] = {}

    def basic_enter_room(self, sid: str, namespace: str, room: str | None, eio_sid: str | None = None) -> None:
        super().basic_enter_room(sid, namespace, room, eio_sid)
        if (known := self._rooms.get((namespace, room))) is not None:
            known.changed()

    def basic_leave_room(self, sid: str, namespace: str, room: str | None) -> None:
        super().basic_leave_room(sid, namespace, room)
        if (known := self._rooms.get((namespace, room))) is not None:
            known.changed()
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
        if callback is not None:  # an ack id of its own for each recipient: python-socketio's way
            await super().emit(event, data, namespace, room, skip_sid, callback, to, **kwargs)
            return
        room = to or room
        if room not in self.rooms.get(namespace, {}):
            return
        parts = event_packets(namespace, event, *(data if isinstance(data, tuple) else () if data is None else (data,)))
        if skip_sid:
            skipped = set(skip_sid if isinstance(skip_sid, list) else [skip_sid])
            self._coalescer.send(_Room(partial(self._queues, namespace, room, skipped)).deliver, parts)
            return
        known = self._rooms.get((namespace, room))
        if known is None:
            known = self._rooms[namespace, room] = _Room(partial(self._queues, namespace, room, set()))
        self._coalescer.send(known.deliver, parts)

    def _queues(self, namespace: str, room: str | None, skipped: set[str]) -> list[EngineOutbox]:
        sockets = self.server.eio.sockets
        members = self.rooms.get(namespace, {}).get(room, {})
        connections = [sockets.get(eio_sid) for sid, eio_sid in members.items() if sid not in skipped]
        return [connection.queue for connection in connections if connection is not None and not connection.closed]
