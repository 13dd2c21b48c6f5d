"""Socket.IO's `emit` without a task a recipient: encoded once, put into each connection's queue, never waiting.

Stock `AsyncManager.emit` makes a task for every recipient and waits for all of them, so one client that does
not read would hold up whoever emits to its room.
"""

from __future__ import annotations

from typing import Any

import socketio
from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket
from socketio.packet import EVENT, Packet


def packets(namespace: str, event: str, *arguments: Any) -> list[EnginePacket]:
    """An event as Engine.IO packets: one, and one more for each of the bytes objects in it."""
    encoded = Packet(EVENT, namespace=namespace, data=[event, *arguments]).encode()
    return [EnginePacket(MESSAGE, part) for part in (encoded if isinstance(encoded, list) else [encoded])]


class QueueingManager(socketio.AsyncManager):  # type: ignore[misc]  # python-socketio has no type hints
    """python-socketio's manager, whose events go straight into the queues of `ws/engine.py`."""

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
        parts = packets(namespace, event, *(data if isinstance(data, tuple) else () if data is None else (data,)))
        skipped = skip_sid if isinstance(skip_sid, list) else [skip_sid]
        sockets = self.server.eio.sockets
        if namespace not in self.rooms:
            return
        for sid, eio_sid in self.get_participants(namespace, to or room):
            connection = sockets.get(eio_sid)
            if connection is not None and not connection.closed and sid not in skipped:
                connection.queue.tell(parts)
