"""A connection of uvicorn in memory: what arrives in which packet, what waits for the panel, and what it answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from asgi_app.server.uvicorn_http import UvicornHTTP

READ_AT_ONCE = 256 * 1024  # bytes that asyncio reads from a socket at once


class MemoryTransport(asyncio.Transport):
    """What is sent waits here while the panel does not read."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.protocol = protocol
        self.waiting: list[bytes] = []
        self.written = b""
        self.closed = False
        self.unsent = 0  # bytes that wait to be sent
        self._reading = True

    def send(self, *packets: bytes) -> None:
        """Send as the client."""
        self.waiting += packets
        self._deliver()

    def _deliver(self) -> None:
        if self._reading and self.waiting and not self.closed:
            first = self.waiting.pop(0)
            if len(first) > READ_AT_ONCE:
                self.waiting.insert(0, first[READ_AT_ONCE:])
            self.protocol.data_received(first[:READ_AT_ONCE])
            asyncio.get_running_loop().call_soon(self._deliver)

    def lose(self) -> None:
        """End the connection as the network."""
        self.closed = True
        self.protocol.connection_lost(ConnectionResetError())

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("192.0.2.1", 5), "sockname": ("192.0.2.2", 80)}.get(name, default)

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        asyncio.get_running_loop().call_soon(self._deliver)

    def is_reading(self) -> bool:
        return self._reading

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self.protocol = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    @property
    def answers(self) -> list[tuple[int, bytes]]:
        """The status and the body of each answer, which has a length."""
        found, rest = [], self.written
        while rest:
            first, _, rest = rest.partition(b"\r\n\r\n")
            status, length = int(first.split(b" ")[1]), int(re.search(rb"content-length: (\d+)", first, re.I)[1])  # type: ignore[index]
            found.append((status, rest[:length]))
            rest = rest[length:]
        return found


def connect(app: Callable[..., Any]) -> MemoryTransport:
    """Return the client's side of a new connection to this ASGI application."""
    config = uvicorn.Config(app, http=UvicornHTTP, lifespan="off", log_config=None)
    protocol = UvicornHTTP(config=config, server_state=ServerState(), app_state={})
    transport = MemoryTransport(protocol)
    protocol.connection_made(transport)
    return transport


async def turns(count: int = 50) -> None:
    """Let so many turns of the loop pass."""
    for _ in range(count):
        await asyncio.sleep(0)


async def body_of(receive: Callable[[], Any]) -> bytes:
    """Return the whole body of a request."""
    body, more = b"", True
    while more:
        message = await receive()
        assert message["type"] == "http.request", message
        body, more = body + message["body"], message["more_body"]
    return body


async def answer(send: Callable[[Any], Any], body: bytes) -> None:
    """Answer a request."""
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
