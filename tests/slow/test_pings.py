"""A client that pings and reads nothing: what it is owed is bounded, and it gets the newest once it reads again."""

from __future__ import annotations

import socket

import pytest

from asgi_app.ws.frames import PING
from tests.conftest import EVERY_WAY, each_of
from tests.support.panel_process import RunningPanel
from tests.support.raw_http import masked, opening

MB = 1_000_000
SENT = 30 * MB
GROWS = 10 * MB  # at most; what was owed made it 44 MB

server = each_of(*EVERY_WAY, matters=True)


@pytest.mark.parametrize("path", ["/echo", "/live", "/socket.io/?EIO=4&transport=websocket"])
def test_pings_that_nobody_reads_back(panel: RunningPanel, path: str) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(5)
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
            client.settimeout(10)
            heard = b""
            while newest not in heard:
                heard = heard[-200:] + client.recv(65536)
