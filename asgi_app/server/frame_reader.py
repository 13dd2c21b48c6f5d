"""RFC 6455 frames that a client sends, sans I/O: bytes in, whole messages out.

It is the server's half of section 5 (masked frames, no extensions), after a handshake that is made elsewhere.
"""

from __future__ import annotations

from typing import NamedTuple

from websockets.frames import apply_mask  # type: ignore[attr-defined]  # in C where available

from asgi_app.ws.transport.frames import (
    BINARY,
    CLOSE,
    CONT,
    FIN,
    INVALID_DATA,
    MESSAGE_TOO_BIG,
    NO_STATUS,
    PONG,
    PROTOCOL_ERROR,
    TEXT,
)

RESERVED, MASKED = 0x70, 0x80  # 5.2
SHORT_TEXTS = [bytes((FIN | TEXT, MASKED | size)) for size in range(126)]  # the beginning of a frame, by size


class Arrived(NamedTuple):
    """A whole message (TEXT, BINARY) or a control frame (CLOSE, PING, PONG), unmasked."""

    opcode: int
    payload: bytes


class Breach(Exception):
    """The client broke the protocol or a limit. `code` belongs into the close frame."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def close_code(payload: bytes) -> int:
    """Return the code of a client's close frame. Raises `Breach` for a code that must not be sent (7.4)."""
    if not payload:
        return NO_STATUS
    code = int.from_bytes(payload[:2])
    if len(payload) < 2 or not (code in (*range(1000, 1004), *range(1007, 1015)) or 3000 <= code < 5000):
        raise Breach(PROTOCOL_ERROR, "no such close code")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        raise Breach(INVALID_DATA, "the close reason is no UTF-8") from None
    return code


class FrameReader:
    """Reader that turns bytes into messages. Joins fragments, and keeps nothing over `max_size` bytes."""

    __slots__ = ("_buffer", "_fragments", "_max_size", "_needed", "_opcode")

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._buffer: bytearray | None = None  # the beginning of a frame
        self._needed = 0  # bytes of it, before it is worth reading
        self._fragments: bytearray | None = None  # the beginning of a message
        self._opcode = TEXT  # of that message

    def receive_data(self, data: bytes) -> tuple[list[Arrived], Breach | None]:
        """Return the messages that these bytes complete, and the breach that ends reading, if there is one."""
        size = len(data) - 6
        is_alone = self._buffer is None and self._fragments is None
        if is_alone and 0 <= size < 126 and size <= self._max_size and data.startswith(SHORT_TEXTS[size]):
            return [Arrived(TEXT, apply_mask(data[6:], data[2:6]))], None  # as nearly always
        arrived: list[Arrived] = []
        if self._buffer is not None:
            self._buffer += data
            if len(self._buffer) < self._needed:
                return arrived, None
            data, self._buffer = bytes(self._buffer), None
        start = 0
        try:
            while (after := self._frame_at(data, start, arrived)) is not None:
                start = after
        except Breach as breach:
            return arrived, breach
        if start < len(data):
            self._needed -= start
            self._buffer = bytearray(data[start:])
        return arrived, None

    def _frame_at(self, data: bytes, start: int, arrived: list[Arrived]) -> int | None:
        """Read the frame at `start` and return its end. If it is not complete, set `_needed` and return None."""
        body = start + 6
        if len(data) < body:
            if len(data) < start + 2:
                self._needed = start + 2
                return None
            self._check(data[start], data[start + 1])
            self._needed = body
            return None
        head, size = data[start], data[start + 1]
        self._check(head, size)
        size &= 0x7F
        if size > 125:
            width = 2 if size == 126 else 8
            body += width
            if len(data) < body:
                self._needed = body
                return None
            size = int.from_bytes(data[start + 2 : start + 2 + width])
        opcode = head & 0x0F
        if opcode < CLOSE and size + len(self._fragments or b"") > self._max_size:
            raise Breach(MESSAGE_TOO_BIG, f"a message has {self._max_size} bytes at most, the setting max_frame")
        end = body + size
        if len(data) < end:
            self._needed = end
            return None
        payload = apply_mask(data[body:end], data[body - 4 : body])
        if opcode >= CLOSE or (head & FIN and self._fragments is None):
            arrived.append(Arrived(opcode, payload))
        else:
            self._fragment(head, payload, arrived)
        return end

    def _check(self, head: int, size: int) -> None:
        """Raise `Breach` if no frame of a client can begin with these two bytes."""
        opcode = head & 0x0F
        if head & RESERVED:
            raise Breach(PROTOCOL_ERROR, "reserved bits must be 0")
        if not size & MASKED:
            raise Breach(PROTOCOL_ERROR, "a client's frames are masked")
        if opcode >= CLOSE:
            if opcode > PONG:
                raise Breach(PROTOCOL_ERROR, "no such opcode")
            if not head & FIN or size & 0x7F > 125:
                raise Breach(PROTOCOL_ERROR, "a control frame is short, and whole")
        elif opcode > BINARY:
            raise Breach(PROTOCOL_ERROR, "no such opcode")
        elif (opcode == CONT) is (self._fragments is None):
            raise Breach(PROTOCOL_ERROR, "a fragment that belongs to no message, or a message within one")

    def _fragment(self, head: int, payload: bytes, arrived: list[Arrived]) -> None:
        if self._fragments is None:
            self._opcode, self._fragments = head & 0x0F, bytearray()
        self._fragments += payload
        if head & FIN:
            arrived.append(Arrived(self._opcode, bytes(self._fragments)))
            self._fragments = None
