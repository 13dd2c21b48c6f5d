"""HTTP as bytes: requests that no library sends, and their answers."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from asgi_app.ws.transport.frames import frame

HOST = "Host: 127.0.0.1\r\n"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455, 1.3
WEBSOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}


class Answer(NamedTuple):
    """One response. The body is what its length or its chunks say."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


def head(method: str, target: str, version: str = "1.1", host: str = HOST, **headers: str) -> bytes:
    """The head of a request; `_` in a header's name is written `-`."""
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"{method} {target} HTTP/{version}\r\n{host}{fields}\r\n".encode()


def opening(target: str = "/echo", host: str = HOST, **changed: str | None) -> bytes:
    """A WebSocket handshake; `changed` headers replace its own, None leaves one out."""
    named = {name.replace("_", "-"): value for name, value in changed.items()}
    fields = {name: value for name, value in {**WEBSOCKET, **named}.items() if value is not None}
    return head("GET", target, host=host, **fields)


def chunked(body: bytes, size: int = 5) -> bytes:
    """A body in chunks of so many bytes (RFC 9112, 7.1)."""
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))


class Plug:
    """A connection to a panel."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._incoming = connection.makefile("rb")

    def say(self, *parts: bytes) -> None:
        """Send the parts, each in a packet of its own, as far as that can be had."""
        for number, part in enumerate(parts):
            if number:
                time.sleep(0.02)  # it only makes it likelier that they come apart
            self.socket.sendall(part)

    def end(self) -> None:
        """Send no more."""
        self.socket.shutdown(socket.SHUT_WR)

    def answer(self, method: str = "GET") -> Answer:
        """The next response."""
        with http.client.HTTPResponse(_Lent(self._incoming), method=method) as response:  # type: ignore[arg-type]
            response.begin()
            return Answer(response.status, response.headers, response.read())

    def frame(self) -> bytes:
        """The next frame from a server, its payload shorter than 126 bytes."""
        first = self._incoming.read(2)
        assert len(first) == 2, "the connection has ended"
        return self._incoming.read(first[1])

    def message(self) -> tuple[int, bytes]:
        """The next frame from a server, of any size: its opcode and its payload."""
        head = self._incoming.read(2)
        assert len(head) == 2, "the connection has ended"
        size = head[1]
        if size > 125:
            size = int.from_bytes(self._incoming.read(2 if size == 126 else 8))
        return head[0] & 0x0F, self._incoming.read(size)

    def rest(self) -> bytes:
        """All that still comes, to the end of the connection."""
        return self._incoming.read()


class _Lent:
    """A file that `HTTPResponse` may close, and that stays open."""

    def __init__(self, file: object) -> None:
        self._file = file

    def makefile(self, mode: str) -> _Lent:
        return self

    def close(self) -> None:
        """Not this one."""

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


@contextmanager
def plugged(port: int) -> Iterator[Plug]:
    """A connection that waits at most 30 s for data."""
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield Plug(connection)


def ask(port: int, *parts: bytes, method: str = "GET") -> Answer:
    """One request, and its answer."""
    with plugged(port) as plug:
        plug.say(*parts)
        return plug.answer(method)


def masked(payload: bytes, opcode: int) -> bytes:
    """A client's frame, masked with zeros."""
    made = frame(payload, opcode)
    size = 2 if len(payload) < 126 else 4 if len(payload) < 65536 else 10
    return bytes([made[0], made[1] | 0x80]) + made[2:size] + bytes(4) + payload
