"""RFC 6455 frames that the panel sends. One that is the same for all connections is made once."""

from __future__ import annotations

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA  # 5.2
FIN = 0x80

# Close codes, 7.4.1
NORMAL_CLOSURE, GOING_AWAY, PROTOCOL_ERROR, NO_STATUS, ABNORMAL_CLOSURE = 1000, 1001, 1002, 1005, 1006
INVALID_DATA, POLICY_VIOLATION, MESSAGE_TOO_BIG, INTERNAL_ERROR = 1007, 1008, 1009, 1011


def frame(payload: str | bytes, opcode: int | None = None) -> bytes:
    """Return a whole frame, not masked. Without `opcode`, a str makes a text frame and bytes make a binary one."""
    if isinstance(payload, str):
        data, head = payload.encode(), FIN | (TEXT if opcode is None else opcode)
    else:
        data, head = payload, FIN | (BINARY if opcode is None else opcode)
    size = len(data)
    if size < 126:
        return bytes((head, size)) + data
    if size < 65536:
        return bytes((head, 126)) + size.to_bytes(2) + data
    return bytes((head, 127)) + size.to_bytes(8) + data


def close_frame(code: int, reason: str = "") -> bytes:
    """Return a close frame. A reason that is too long for it (5.5: 125 bytes in all) is cut."""
    if code == NO_STATUS:
        return frame(b"", CLOSE)
    return frame(code.to_bytes(2) + reason.encode()[:123].decode(errors="ignore").encode(), CLOSE)
