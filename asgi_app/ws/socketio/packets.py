"""Socket.IO packets: the common ones read and written in one step, the others by python-socketio; strict JSON in both.

What JSON can say and the panel does not read (nested too deep, an integer of thousands of digits) is no event, but it
is one that can be answered: `unread_event` says which.

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

from asgi_app.errors import MalformedJSON, PanelError
from asgi_app.models import check_depth, too_deep
from asgi_app.seams import Seam

SEAMS = (Seam(Packet, "json reconstruct_binary"),)

JSON_SPACE = " \t\n\r"  # RFC 8259, 2
HEAD = r"(?:(/[^,?]*)(?:\?[^,]*)?,)?([0-9]{0,100})"
PLAIN_EVENT = re.compile(rf"2{HEAD}(?=\[)")
ANY_EVENT = re.compile(rf"(?:2|5[0-9]{{1,9}}-){HEAD}\[[{JSON_SPACE}]*(\"(?:[^\"\\]|\\.){{0,100}}\")?")


def _null(constant: str) -> None:
    return None


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _read(text: str, start: int) -> tuple[Any, int]:
    """The JSON value that begins there, and where it ends.

    Raises `ValueError` where there is none, and `MalformedJSON` for one that the panel does not read.
    """
    try:
        value, end = _decoder.raw_decode(text, start)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise too_deep(text[start:]) from None
    except ValueError:  # sys.get_int_max_str_digits
        raise MalformedJSON("Failed to decode JSON object: an integer has thousands of digits") from None
    check_depth(text, value)
    return value, end


_decoder = json.JSONDecoder(parse_constant=_null, parse_float=_finite)
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


class StrictJSON:
    """JSON as browsers read it (RFC 8259): Python's own would pass NaN on to clients, who end the connection at it."""

    @staticmethod
    def loads(text: str) -> Any:
        """The value, with null for what JSON cannot say (NaN, Infinity, 1e400). Raises as `_read`."""
        value, end = _read(text, len(text) - len(text.lstrip(JSON_SPACE)))
        if text[end:].strip(JSON_SPACE):
            raise ValueError("something follows the value")
        return value

    @staticmethod
    def dumps(value: Any, *, separators: tuple[str, str] = (",", ":")) -> str:
        """Raises `ValueError` for what JSON cannot say. Never any spaces: python-socketio asks for none either."""
        return _encode(value)


class StrictPacket(Packet):  # type: ignore[misc]  # python-socketio has no type hints
    """python-socketio's packet, with strict JSON."""

    json = StrictJSON

    @classmethod
    def reconstruct_binary(cls, data: Any, attachments: list[bytes]) -> Any:
        """The data with the bytes in their places.

        Raises `KeyError` for a place that names none of them, or one that was named before: what is sent on would
        have the bytes as often as they are named, and a megabyte could ask for twenty thousand.
        """
        return _with_bytes(data, dict(enumerate(attachments)))


def _with_bytes(value: Any, left: dict[Any, bytes]) -> Any:
    """The value, with what is left of the bytes in their places."""
    if isinstance(value, list):
        return [_with_bytes(item, left) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("_placeholder") and "num" in value:
        return left.pop(value["num"])
    return {key: _with_bytes(item, left) for key, item in value.items()}


class Event(NamedTuple):
    """An event as it came: the namespace ("/" is the default one), the ack id, and its name with the arguments."""

    namespace: str
    id: int | None
    data: list[Any]


def plain_event(text: str) -> Event | None:
    """The event in the text of a packet; None for any other packet, and for an event with bytes to follow.

    Raises `ValueError` where it is no JSON, and `MalformedJSON` for such JSON as the panel does not read.
    """
    if (head := PLAIN_EVENT.match(text)) is None:
        return None
    namespace, id = head.groups()
    data, end = _read(text, head.end())
    if text[end:].strip(JSON_SPACE):
        raise ValueError("something follows the event")
    return Event(namespace or "/", int(id) if id else None, data)


class UnreadEvent(NamedTuple):
    """The name of an event, where it could be found, that the panel does not read, and why."""

    name: str
    error: PanelError


def unread_event(text: str, error: PanelError) -> Event | None:
    """The event that could not be read, as one whose only datum is an `UnreadEvent`; None for another packet."""
    if (head := ANY_EVENT.match(text)) is None:
        return None
    namespace, id, quoted = head.groups()
    try:
        name = json.loads(quoted or '""')
    except ValueError:
        name = ""
    return Event(namespace or "/", int(id) if id else None, [UnreadEvent(name, error)])


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
