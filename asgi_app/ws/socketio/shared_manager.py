"""The manager of a process among several: events of rooms go to all processes, and come from there in one order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket

from asgi_app.hub import Coalescer, Shared, Wire
from asgi_app.telemetry.tasks import start_task
from asgi_app.ws.socketio.manager import QueueingManager, encoded, sids
from asgi_app.ws.socketio.recovery import Recovery
from asgi_app.ws.socketio.shared_recovery import Numbered, SharedRecovery
from asgi_app.ws.transport.frames import NORMAL_CLOSURE

# A sid, with the name of its process. Names of rooms that look like one are rare: 99.99 % of all sids have a capital.
SID = re.compile(r"[a-z0-9_-]{1,32}-(?=[a-z0-9_-]*[A-Z])[A-Za-z0-9_-]{20}", re.ASCII)


class SharedManager(QueueingManager):
    """A `QueueingManager` whose rooms are those of all processes, in the namespaces that have a wire."""

    def __init__(self, coalescer: Coalescer, wires: Mapping[str, Wire]) -> None:
        super().__init__(coalescer)
        self._wires = wires

    def add(self, namespace: str, recovery: Recovery) -> None:
        super().add(namespace, recovery)
        if isinstance(recovery, SharedRecovery):
            self._wires[namespace].bind(_Clients(self, namespace, recovery, self._coalescer))

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
        if callback is not None or (wire := self._wires.get(namespace)) is None:
            await super().emit(event, data, namespace, room, skip_sid, callback, to, **kwargs)
            return
        messages = tuple(packet.data for packet in encoded(namespace, event, data))
        await wire.send(Shared("event", to or room, sids(skip_sid), messages))

    async def close_room(self, room: str, namespace: str) -> None:
        if (wire := self._wires.get(namespace)) is None:
            await super().close_room(room, namespace)
        else:
            await wire.send(Shared("close", room))

    async def enter_room(self, sid: str, namespace: str, room: str, eio_sid: str | None = None) -> None:
        await super().enter_room(sid, namespace, room, eio_sid)
        await self._saved(sid, namespace)

    async def leave_room(self, sid: str, namespace: str, room: str) -> None:
        await super().leave_room(sid, namespace, room)
        await self._saved(sid, namespace)

    async def _saved(self, sid: str, namespace: str) -> None:
        """Wait until the rooms of a client are known to other processes: after a crash it goes on there."""
        session = self.recoveries[namespace].sessions.get(sid)
        if session is not None and (wire := self._wires.get(namespace)) is not None:
            await wire.saved(session.pid)

    def is_id_elsewhere(self, room: str) -> bool:
        return SID.fullmatch(room) is not None


class _Clients:
    """The clients of this process in a namespace: the `Receiver` of its wire."""

    def __init__(self, manager: SharedManager, namespace: str, recovery: SharedRecovery, coalescer: Coalescer) -> None:
        self._manager = manager
        self._namespace = namespace
        self._recovery = recovery
        self._coalescer = coalescer
        self._ending: set[Any] = set()

    def receive(self, number: int, shared: Shared, *, heard: bool, alone: bool) -> None:
        if shared.kind == "event":
            packets = Numbered(number, [EnginePacket(MESSAGE, message) for message in shared.messages], alone=alone)
            self._deliver(packets, shared, heard=heard)
            return
        self._coalescer.flush()  # what waits was sent before
        if shared.kind == "close" and shared.name is not None:
            self._recovery.note_closed(number, shared.name)
            if not heard:
                self._close(shared.name)
        else:
            self._recovery.pass_over(number)
            self._end(shared.name or "")

    def _deliver(self, packets: Numbered, shared: Shared, *, heard: bool) -> None:
        room, skipped = shared.name, shared.skipped
        if not heard and room in self._manager.rooms.get(self._namespace, {}):
            self._manager.deliver(packets, self._namespace, room, skipped)
        elif self._coalescer.pending:
            self._coalescer.defer(self._recovery.record, packets, room, skipped)
        else:
            self._recovery.record(packets, room, skipped)

    def receive_alone(self, shared: Shared) -> None:
        if shared.kind == "close" and shared.name is not None:
            self._close(shared.name)
        else:
            packets = [EnginePacket(MESSAGE, message) for message in shared.messages]
            self._manager.deliver(packets, self._namespace, shared.name, shared.skipped)

    def _close(self, room: str) -> None:
        if not self._manager.is_sid_room(self._namespace, room):
            self._manager.basic_close_room(room, self._namespace)

    def _end(self, pid: str) -> None:
        """End the connection of a client that another process has now."""
        if (session := self._recovery.give_up(pid)) is None or session.queue is None:
            return
        manager = self._manager
        eio_sid = manager.eio_sid_from_sid(session.sid, self._namespace)
        if (connection := manager.server.eio.sockets.get(eio_sid)) is not None:
            connection.queue.close(NORMAL_CLOSURE)
            closing = partial(connection.close, wait=False, abort=True, reason=manager.server.reason.TRANSPORT_CLOSE)
            start_task(self._ending, closing())

    def pass_over(self, number: int) -> None:
        self._coalescer.flush()
        self._recovery.pass_over(number)

    def jump(self, number: int) -> None:
        self._coalescer.flush()
        self._recovery.jump(number)
        self.forget_clients()

    def forget_clients(self) -> None:
        self._recovery.forget_connected()
        self._manager.find_members(self._namespace)

    def seat(self, pid: str) -> str:
        return self._recovery.seat(pid)

    def pids(self) -> Iterable[str]:
        return [session.pid for session in self._recovery.sessions.values() if session.started]
