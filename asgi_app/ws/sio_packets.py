"""Socket.IO packets: the common ones read and written in one step, the others by python-socketio; strict JSON in both.

The text of a packet is `<type>[/namespace,][ack id]<JSON array>` (https://github.com/socketio/socket.io-protocol).
python-socketio looks through its data for bytes and makes a JSON codec anew each time: 25 µs of an echo's 60.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NamedTuple

from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket
from socketio.packet import ACK, EVENT, Packet

from asgi_app.seams import Seam

SEAMS = (Seam(Packet, "json"),)

JSON_SPACE = " \t\n\r"  # RFC 8259, 2
PLAIN_EVENT = re.compile(r"2(?:(/[^,?]*)(?:\?[^,]*)?,)?([0-9]{0,100})(?=\[)")


def _null(constant: str) -> None:
    return None


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


_decoder = json.JSONDecoder(parse_constant=_null, parse_float=_finite)
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


class StrictJSON:
    """JSON as browsers read it (RFC 8259): Python's own would pass NaN on to clients, who end the connection at it."""

    @staticmethod
    def loads(text: str) -> Any:
        """The value, with null for what JSON cannot say (NaN, Infinity, 1e400). Raises `ValueError`."""
        return _decoder.decode(text)

    @staticmethod
    def dumps(value: Any, *, separators: tuple[str, str] = (",", ":")) -> str:
        """Raises `ValueError` for what JSON cannot say. Never any spaces: python-socketio asks for none either."""
        return _encode(value)


class StrictPacket(Packet):  # type: ignore[misc]  # python-socketio has no type hints
    """python-socketio's packet, with strict JSON."""

    json = StrictJSON


class Event(NamedTuple):
    """An event as it came: the namespace ("/" is the default one), the ack id, and its name with the arguments."""

    namespace: str
    id: int | None
    data: list[Any]


def plain_event(text: str) -> Event | None:
    """The event in the text of a packet; None for any other packet, and for an event with bytes to follow.

    Raises `ValueError` where it is no JSON.
    """
    if (head := PLAIN_EVENT.match(text)) is None:
        return None
    namespace, id = head.groups()
    data, end = _decoder.raw_decode(text, head.end())
    if text[end:].strip(JSON_SPACE):
        raise ValueError("something follows the event")
    return Event(namespace or "/", int(id) if id else None, data)


def event_packets(namespace: str, event: str, *arguments: Any) -> list[EnginePacket]:
    """An event as Engine.IO packets: one, and one more for each of the bytes objects in it."""
    return _packets(EVENT, namespace, "", [event, *arguments])


def ack_packets(namespace: str, id: int, answer: Any) -> list[EnginePacket]:
    """The ack with this answer: a tuple is several arguments, None is none."""
    arguments = list(answer) if isinstance(answer, tuple) else [] if answer is None else [answer]
    return _packets(ACK, namespace, str(id), arguments)


def _packets(kind: int, namespace: str, id: str, data: list[Any]) -> list[EnginePacket]:
    try:
        text = _encode(data)
    except TypeError:  # there are bytes in it
        packet = StrictPacket(kind, namespace=namespace, id=int(id) if id else None, data=data)
        parts = packet.encode()
        return [EnginePacket(MESSAGE, part) for part in (parts if isinstance(parts, list) else [parts])]
    return [EnginePacket(MESSAGE, f"{kind}{id}{text}" if namespace == "/" else f"{kind}{namespace},{id}{text}")]
