"""Engine.IO 3 on the wire (https://github.com/socketio/engine.io-protocol/tree/v3), sans I/O.

Inside, all packets have the form of Engine.IO 4: text with the type in front, or bytes. Engine.IO 3 writes them so:

- in a body of text, each packet after its length in UTF-16 units and a colon. Bytes are `b4` and base64;
- in a body of bytes, each packet after 0 (text) or 1 (bytes), the decimal digits of its length in bytes, each as one
  byte, and 255. Bytes have the type 4 in front;
- on a WebSocket, bytes have the type 4 in front, too, or are `b4` and base64.

What the panel sends is ASCII, as its JSON has escapes. So whatever unit a client counts in, the length is the same.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Iterator

from engineio.packet import MESSAGE, Packet

from asgi_app.errors import BadEngineRequest, TooLarge
from asgi_app.ws.engineio.packets import MESSAGE_TYPE, PACKET_TYPES, POST_PACKETS, message_of
from asgi_app.ws.transport.frames import BINARY, FIN, frame

DIGITS = 10  # of a length
WIDTH = 2  # bytes of a UTF-16 unit
TEXT, BYTES, END = 0, 1, b"\xff"  # in a body of bytes: what a packet is, and the end of its length
BYTES_TYPE = bytes([MESSAGE])
BASE64 = "b"
BINARY_HEAD = FIN | BINARY  # first byte of a frame


def message_in(message: str | bytes) -> str | bytes | None:
    """Return a client's message as Engine.IO 4 has it; None if it is no packet."""
    if isinstance(message, bytes):
        return message[1:] if message[:1] == BYTES_TYPE else None
    if message[:1] != BASE64:
        return message if message[:1] in PACKET_TYPES else None
    with contextlib.suppress(binascii.Error, ValueError):
        return base64.b64decode(message[2:]) if message[1:2] == MESSAGE_TYPE else None
    return None


def message_out(message: str | bytes, *, as_text: bool) -> str | bytes:
    """Return a message of Engine.IO 4 for a client; `as_text` makes base64 of bytes."""
    if isinstance(message, str):
        return message
    return BASE64 + MESSAGE_TYPE + base64.b64encode(message).decode() if as_text else BYTES_TYPE + message


def frames_out(frames: bytes, *, as_text: bool) -> bytes:
    """Return whole frames of Engine.IO 4 for a client: text stays as it is, and bytes get their type."""
    if BINARY_HEAD not in frames:
        return frames
    made, at = [], 0
    while at < len(frames):
        size, body = frames[at + 1], at + 2
        if size > 125:
            width = 2 if size == 126 else 8
            size, body = int.from_bytes(frames[body : body + width]), body + width
        end = body + size
        is_bytes = frames[at] == BINARY_HEAD
        made.append(frame(message_out(frames[body:end], as_text=as_text)) if is_bytes else frames[at:end])
        at = end
    return b"".join(made)


def body_out(packets: list[Packet], *, as_text: bool) -> tuple[bytes, bool]:
    """Return the body of an answer, and whether it is text. It is where there are no bytes, or with `as_text`."""
    as_text = as_text or not any(packet.binary for packet in packets)
    messages = [message_out(message_of(packet), as_text=as_text) for packet in packets]
    if as_text:
        return "".join(f"{_units(text)}:{text}" for text in messages if isinstance(text, str)).encode(), True
    body = bytearray()
    for message in messages:
        content = message if isinstance(message, bytes) else message.encode()
        body.append(BYTES if isinstance(message, bytes) else TEXT)
        body += bytes(map(int, str(len(content)))) + END + content
    return bytes(body), False


def body_in(body: bytes) -> list[str | bytes]:
    """Return the packets in a client's body, without those that are none.

    Raises `BadEngineRequest` if a length is wrong, and `TooLarge` for too many packets.
    """
    packets: list[str | bytes] = []
    for count, message in enumerate(_of_bytes(body) if body[:1] in (b"\0", b"\1") else _of_text(body), 1):
        if count > POST_PACKETS:
            raise TooLarge(f"The body has more than {POST_PACKETS} packets. Send fewer at once.")
        if (packet := message_in(message)) is not None:
            packets.append(packet)
    return packets


def _of_text(body: bytes) -> Iterator[str]:
    text, at = body.decode(errors="replace").encode("utf-16-le"), 0
    while at < len(text):
        head = text[at : at + WIDTH * (DIGITS + 1)].decode("utf-16-le", "replace")
        digits, colon, _ = head.partition(":")
        if not (colon and digits.isascii() and digits.isdecimal()):
            raise _wrong(f"there is no length at character {at // WIDTH}")
        start = at + WIDTH * (len(digits) + 1)
        at = start + WIDTH * int(digits)
        if at > len(text):
            raise _wrong(f"the last length is {int(digits)}, but {(len(text) - start) // WIDTH} follow")
        yield _once(text[start:at].decode("utf-16-le", "replace"))


def _of_bytes(body: bytes) -> Iterator[str | bytes]:
    at = 0
    while at < len(body):
        end = body.find(END, at + 1, at + DIGITS + 2)
        digits = body[at + 1 : end] if end > 0 else b""
        if body[at] not in (TEXT, BYTES) or not digits or max(digits) > 9:
            raise _wrong(f"there is no length at byte {at}")
        start, size = end + 1, int("".join(map(str, digits)))
        if start + size > len(body):
            raise _wrong(f"the last length is {size}, but {len(body) - start} bytes follow")
        content = body[start : start + size]
        yield content if body[at] == BYTES else content.decode(errors="replace")
        at = start + size


def _once(text: str) -> str:
    """Return the packet of a client 1.x, which sends the bytes of its UTF-8 as characters, and others as they are."""
    if not text.isascii():
        with contextlib.suppress(UnicodeError):
            return text.encode("latin-1").decode()
    return text


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // WIDTH


def _wrong(why: str) -> BadEngineRequest:
    return BadEngineRequest(
        f"The body is wrong: {why}. Engine.IO 3 writes each packet after its length in UTF-16 units and a colon. "
        "Nothing of this body was taken."
    )
