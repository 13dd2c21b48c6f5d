"""Socket.IO's `emit` without a task a recipient: encoded once, put into each connection's queue, never waiting.

Stock `AsyncManager.emit` makes a task for every recipient and waits for all of them, so one client that does
not read would hold up whoever emits to its room.
"""

from __future__ import annotations

import json
import math
from typing import Any

import socketio
from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket
from socketio.packet import EVENT, Packet


class StrictJSON:
    """JSON as browsers read it (RFC 8259): Python's own would pass NaN on to clients, who end the connection at it."""

    @staticmethod
    def loads(text: str | bytes) -> Any:
        """The value, with null for what JSON cannot say (NaN, Infinity, 1e400). Raises `ValueError`."""
        return json.loads(text, parse_constant=_null, parse_float=_finite)

    @staticmethod
    def dumps(value: Any, **options: Any) -> str:
        """Raises `ValueError` for what JSON cannot say."""
        return json.dumps(value, allow_nan=False, **options)


def _null(constant: str) -> None:
    return None


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


class StrictPacket(Packet):  # type: ignore[misc]
    """python-socketio's packet, with strict JSON."""

    json = StrictJSON


def packets(namespace: str, event: str, *arguments: Any) -> list[EnginePacket]:
    """An event as Engine.IO packets: one, and one more for each of the bytes objects in it."""
    encoded = StrictPacket(EVENT, namespace=namespace, data=[event, *arguments]).encode()
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
