"""Socket.IO packets with strict JSON: common ones are read and written in one step, the others by python-socketio.

The text of a packet is `<type>[/namespace,][ack id]<JSON array>` (https://github.com/socketio/socket.io-protocol).
python-socketio searches its data for bytes and makes a JSON codec each time: 25 µs of an echo's 60.

The panel does not read all valid JSON: it may be nested too deep, or have an integer of thousands of digits.
`unread_event` finds out which event that was, so that it can be refused.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket
from socketio.packet import ACK, BINARY_EVENT, EVENT, Packet

from asgi_app.errors import PanelError
from asgi_app.models.strict_json import JSON_SPACE, StrictJSON, encode, read
from asgi_app.seams import Seam

SEAMS = (Seam(Packet, "json reconstruct_binary"),)

HEAD = r"(?:(/[^,?]*)(?:\?[^,]*)?,)?([0-9]{0,100})"
PLAIN_EVENT = re.compile(rf"(?:2|50-){HEAD}(?=\[)")  # parsers deliver a binary event without attachments at once
ANY_EVENT = re.compile(rf"(?:2|5[0-9]{{1,9}}-){HEAD}\[[{JSON_SPACE}]*(\"(?:[^\"\\]|\\.){{0,100}}\")?")


class StrictPacket(Packet):  # type: ignore[misc]  # python-socketio has no type hints
    """python-socketio's packet, with strict JSON."""

    json = StrictJSON

    @classmethod
    def reconstruct_binary(cls, data: Any, attachments: list[bytes]) -> Any:
        """Return the data with the bytes in place of their placeholders.

        Raises `KeyError` for a placeholder of unknown bytes, or of bytes that were used before: a megabyte of
        placeholders could repeat the bytes twenty thousand times.
        """
        return _with_bytes(data, dict(enumerate(attachments)))


def _with_bytes(value: Any, left: dict[Any, bytes]) -> Any:
    """Replace the placeholders. `left` has the bytes that were not used yet."""
    if isinstance(value, list):
        return [_with_bytes(item, left) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("_placeholder") and "num" in value:
        return left.pop(value["num"])
    return {key: _with_bytes(item, left) for key, item in value.items()}


# A received event: the namespace ("/" by default), the ack id, and the event's name and arguments.
Event = tuple[str, int | None, list[Any]]


def plain_event(text: str) -> Event | None:
    """Return the event in a packet's text; None for another packet, and for an event with attachments.

    Raises `ValueError` for invalid JSON, and `MalformedJSON` for JSON that the panel does not read.
    """
    if (head := PLAIN_EVENT.match(text)) is None:
        return None
    namespace, id = head.groups()
    data, end = read(text, head.end())
    if text[end:].strip(JSON_SPACE):
        raise ValueError("something follows the event")
    return namespace or "/", int(id) if id else None, data


class UnreadEvent(NamedTuple):
    """The name of an event that the panel does not read, if it could be found, and the reason."""

    name: str
    error: PanelError


def unread_event(text: str, error: PanelError) -> Event | None:
    """Return the event with an `UnreadEvent` in place of its name and arguments; None for another packet."""
    if (head := ANY_EVENT.match(text)) is None:
        return None
    namespace, id, quoted = head.groups()
    try:
        name = json.loads(quoted or '""')
    except ValueError:
        name = ""
    return namespace or "/", int(id) if id else None, [UnreadEvent(name, error)]


def unread_binary(begun: Packet | None, error: PanelError) -> Event | None:
    """Return the event whose attachments are not read as `unread_event` does; None for another packet."""
    if begun is None or begun.packet_type != BINARY_EVENT:
        return None
    name = begun.data[0] if begun.data and isinstance(begun.data[0], str) else ""
    return begun.namespace or "/", begun.id, [UnreadEvent(name, error)]


def event_packets(namespace: str, event: str, *arguments: Any, id: int | str = "") -> list[EnginePacket]:
    """Encode an event as Engine.IO packets: one, and one more for each bytes object in it. `id` asks for an ack."""
    return _packets(EVENT, namespace, str(id), [event, *arguments])


def ack_packets(namespace: str, id: int, answer: Any) -> list[EnginePacket]:
    """Encode an ack: a tuple has several arguments, None has none."""
    arguments = list(answer) if isinstance(answer, tuple) else [] if answer is None else [answer]
    return _packets(ACK, namespace, str(id), arguments)


def _packets(kind: int, namespace: str, id: str, data: list[Any]) -> list[EnginePacket]:
    try:
        text = encode(data)
    except TypeError:  # there are bytes in it
        packet = StrictPacket(kind, namespace=namespace, id=int(id) if id else None, data=data)
        parts = packet.encode()
        return [EnginePacket(MESSAGE, part) for part in (parts if isinstance(parts, list) else [parts])]
    return [EnginePacket(MESSAGE, f"{kind}{id}{text}" if namespace == "/" else f"{kind}{namespace},{id}{text}")]
