"""Clients that ask and read nothing: what they are owed is bounded, and they get it once they read again."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest

from asgi_app.ws.transport.frames import PING
from tests.conftest import EVERY_WAY, each_of
from tests.support.panel_process import RunningPanel
from tests.support.raw_http import head, masked, opening

pytestmark = pytest.mark.for_real

MB = 1_000_000
SENT = 30 * MB
GROWS = 10 * MB  # at most; what was owed made it 44 MB

server = each_of(*EVERY_WAY, matters=True)


@pytest.mark.parametrize("path", ["/echo", "/live", "/socket.io/?EIO=4&transport=websocket"])
def test_pings_that_nobody_reads_back(panel: RunningPanel, path: str) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(30)
        client.connect(("127.0.0.1", panel.port))
        client.sendall(opening(path))
        before = panel.process.memory_info().rss
        numbers = iter(range(SENT))
        sent = 0
        try:
            while sent < SENT:
                pings = b"".join(masked(b"%0125d" % next(numbers), PING) for _ in range(500))
                client.settimeout(1)
                client.sendall(pings)
                sent += len(pings)
        except TimeoutError:  # the panel reads no more: what a server may do as well
            sent = 0
        assert panel.level() >= 0  # it has done with what came
        assert panel.process.memory_info().rss - before < GROWS
        if sent:
            newest = b"%0125d" % (next(numbers) - 1)
            client.settimeout(30)
            heard = b""
            while newest not in heard:
                heard = heard[-200:] + client.recv(65536)


def test_requests_whose_answers_nobody_reads(panel: RunningPanel) -> None:
    """One that waits for those before it is some 3 KB, and in the 256 KiB that come at once are 7,000."""
    before = panel.process.memory_info().rss
    requests = (head("GET", "/lights") * 10_000)[: MB // 2]
    clients = [socket.create_connection(("127.0.0.1", panel.port)) for _ in range(10)]
    for client in clients:
        client.setblocking(False)
        with suppress(BlockingIOError):
            for start in range(0, len(requests), 65536):
                client.send(requests[start : start + 65536])
    for _ in range(20):
        assert panel.level() >= 0  # the panel has had its turns
    grown = panel.process.memory_info().rss - before
    for client in clients:
        client.close()
    assert grown < 30 * MB  # 120 MB where all are taken apart at once
