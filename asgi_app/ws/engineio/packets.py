"""Engine.IO packets as the messages and frames of a WebSocket (https://github.com/socketio/engine.io-protocol)."""

from __future__ import annotations

from engineio.packet import MESSAGE, PING, Packet

from asgi_app.ws.transport.frames import frame

MESSAGE_TYPE = str(MESSAGE)
PACKET_TYPES = tuple("0123456b")
SEPARATOR = "\x1e"  # between the packets of a body
POST_PACKETS = 10_000  # in one body; the smallest has two bytes with its separator
PING_PACKET = Packet(PING)


def framed(packet: Packet) -> bytes:
    """Return the packet as a WebSocket frame. It is made once, whatever the number of connections."""
    made: bytes | None = packet.__dict__.get("frame")
    if made is None:
        data = packet.data
        is_text = packet.packet_type == MESSAGE and isinstance(data, str)
        made = packet.frame = frame(MESSAGE_TYPE + data if is_text else message_of(packet))  # `encode` caches its text
    return made


def message_of(packet: Packet) -> str | bytes:
    """Return the packet as a WebSocket message. Bytes skip `encode`, which would cache them; a poll needs base64."""
    message: str | bytes = packet.data if packet.binary else packet.encode()
    return message
