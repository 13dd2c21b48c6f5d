"""Sockets without a library: the request for a WebSocket, a client's frame, and ends that no library makes."""

from __future__ import annotations

import base64
import os
import socket


def upgrade(path: str) -> bytes:
    """The request for a WebSocket."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def masked(text: str) -> bytes:
    """A text as a client's frame (RFC 6455, 5.2), masked with zeros."""
    data = text.encode()
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2)
    return b"\x81" + size + bytes(4) + data


def end_with_a_reset(plug: socket.socket) -> None:
    """Have its end be a reset and no goodbye; no port is kept for it either."""
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # on, 0 s


def never_reading(port: int, path: str, say: list[str]) -> socket.socket:
    """A WebSocket client that says something and then reads nothing, with as little buffer as the kernel gives."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", port))
    connection.sendall(upgrade(path))
    assert b" 101 " in connection.recv(64), path
    for text in say:
        connection.sendall(masked(text))
    return connection
