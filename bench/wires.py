"""What is said on each wire: how a client connects, what asks for an update, and how an update is recognised."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

ENGINEIO = "/socket.io/?EIO=4&transport=websocket"
PAD = "x" * 50  # makes `my_response` longer than the panel's own events of that name


def frame(payload: bytes) -> bytes:
    """A text frame as a client sends it (RFC 6455, 5.2), masked with zeros: work for the server only."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, 0x80 | size, 0, 0, 0, 0)) + payload
    return b"\x81\xfe" + size.to_bytes(2, "big") + b"\0\0\0\0" + payload


def upgrade(path: str) -> bytes:
    """The request that opens a WebSocket."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def request(method: str, path: str, body: bytes = b"") -> bytes:
    """A request over a connection that is kept; a body is JSON."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body


@dataclass(frozen=True)
class Wire:
    """One way to ask for an update and to hear of it.

    `ask(i)` is what the sender says for the i-th update, `mark(i)` is what identifies it, and `heard(payload)` is
    the mark of the update in what a client gets, or None where that is no update.
    """

    name: str
    path: str
    ask: Callable[[int], bytes]
    mark: Callable[[int], int]
    heard: Callable[[bytes], int | None]
    namespace: bytes = b""  # of Socket.IO, with its comma: b"/panel,"

    @property
    def engineio(self) -> bool:
        """Whether it is Socket.IO's, with its handshake and pings."""
        return self.path.startswith("/socket.io")


def level(i: int) -> int:
    """The level of the i-th update, percent: two digits, and never that of the one before."""
    return 10 + i % 90


def _heard_led(payload: bytes) -> int | None:
    return int(json.loads(payload[2:])[1]["level"]) if payload.startswith(b'42["led",') else None


def _heard_response(payload: bytes) -> int | None:
    if not payload.startswith(b'42["my_response",'):
        return None
    data = json.loads(payload[2:])[1]["data"]
    return int(data[:8]) if data.endswith(PAD) else None


def _heard_live(payload: bytes) -> int | None:
    message = json.loads(payload)
    events = [event for event in message.get("events", []) if event["event"] == "light_changed"]
    return int(events[-1]["state"]["level"]) if events else None


def _heard_ack(payload: bytes) -> int | None:
    return int(payload[2:].partition(b"[")[0]) if payload.startswith(b"43") else None


def _same(i: int) -> int:
    return i


LED = Wire("led", ENGINEIO, lambda i: b'42["led",{"level":%d}]' % level(i), level, _heard_led)
BROADCAST = Wire(
    "my_response",
    ENGINEIO,
    lambda i: b'42["my_broadcast_event",{"data":"%08d%s"}]' % (i, PAD.encode()),
    _same,
    _heard_response,
)
ECHO = Wire(
    "my_event",
    ENGINEIO,
    lambda i: b'42%d["my_event",{"data":"%08d%s"}]' % (i, i, PAD.encode()),
    _same,
    _heard_ack,
)
LIVE = Wire(
    "/live",
    "/live",
    lambda i: b'{"do":"set_light","id":%d,"light":"led","level":%d}' % (i, level(i)),
    level,
    _heard_live,
)
PANEL = Wire(
    "/panel",
    ENGINEIO,
    lambda i: b'42/panel,%d["ask",{"do":"set_light","id":%d,"light":"led","level":%d}]' % (i, i, level(i)),
    level,
    lambda payload: None,
    namespace=b"/panel,",
)
