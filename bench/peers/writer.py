"""The limit: a uvloop server that accepts the upgrade by hand and writes a ready-made frame to every transport.

No server is behind it: no HTTP library, no queue, no session, no pings. It knows as much Engine.IO as the load
generator needs to connect, and it answers the sender's two events to everybody.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import sys
from typing import cast

import uvloop

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
OPEN = b'0{"sid":"limit","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
CONNECTED = b'40{"sid":"limit"}'
everybody: set[asyncio.WriteTransport] = set()


def frame(payload: bytes) -> bytes:
    size = len(payload)
    return (b"\x81" + bytes([size]) if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")) + payload


class Connection(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)
        self.upgraded = False
        self.unread = b""

    def connection_lost(self, error: Exception | None) -> None:
        everybody.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self.unread += data
        if not self.upgraded and not self.upgrade():
            return
        while (payload := self.next_payload()) is not None:
            self.heard(payload)

    def upgrade(self) -> bool:
        head, end, rest = self.unread.partition(b"\r\n\r\n")
        if not end:
            return False
        headers = {name.lower(): value for name, _, value in (line.partition(b": ") for line in head.split(b"\r\n"))}
        if b"sec-websocket-key" not in headers:
            self.transport.write(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.transport.close()
            return False
        accept = base64.b64encode(hashlib.sha1(headers[b"sec-websocket-key"] + MAGIC).digest())
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + frame(OPEN)
        )
        self.upgraded = True
        self.unread = rest
        return True

    def next_payload(self) -> bytes | None:
        """The payload of the next masked frame, of up to 64 KiB."""
        unread = self.unread
        if len(unread) < 8:
            return None
        size, start = unread[1] & 127, 2
        if size == 126:
            size, start = int.from_bytes(unread[2:4], "big"), 4
        mask, start = unread[start : start + 4], start + 4
        if len(unread) < start + size:
            return None
        self.unread = unread[start + size :]
        return bytes(byte ^ mask[at & 3] for at, byte in enumerate(unread[start : start + size]))

    def heard(self, payload: bytes) -> None:
        if payload == b"40":
            everybody.add(self.transport)
            self.transport.write(frame(CONNECTED))
        elif payload.startswith(b'42["led",'):
            broadcast(frame(payload))
        elif payload.startswith(b'42["my_broadcast_event",'):
            broadcast(frame(b'42["my_response",' + payload[24:-2] + b',"count":1}]'))


def broadcast(ready: bytes) -> None:
    for transport in everybody:
        transport.write(ready)


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
