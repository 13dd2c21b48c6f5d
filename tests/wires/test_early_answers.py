"""Requests that are answered before their body was read: the connection gives its place back."""

from __future__ import annotations

import socket

import pytest

from tests.conftest import EVERY_WAY, each_of
from tests.support.panel_process import RunningPanel

server = each_of(*EVERY_WAY, matters=True)

TIMES = 4


@pytest.mark.parametrize("size", [1, 100, 4096, 200_000])
@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("/api", "elsewhere.example.com", 421),
        ("/nothing/at/all", "x", 404),
        ("/health/live", "x", 405),
        ("/api", "x", 415),
        ("/socket.io/?EIO=4&transport=polling&sid=none", "x", 400),
    ],
)
def test_a_body_behind_its_answer_holds_no_place(
    panel: RunningPanel, path: str, host: str, status: int, size: int
) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {size}\r\nContent-Type: text/plain\r\n\r\n"
    for _ in range(TIMES):
        with socket.create_connection(("127.0.0.1", panel.port), timeout=30) as client:
            client.sendall(head.encode())
            try:
                client.sendall(b"x" * size)
                answer = client.recv(65536)
            except ConnectionError:  # answered, and closed, in the middle of the body
                continue
            assert answer.startswith((b"HTTP/1.1 %d" % status, b"HTTP/1.1 413")), answer
    panel.until_left()
