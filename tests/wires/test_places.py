"""A panel whose places strangers have taken: who still gets one, and what the others are told."""

from __future__ import annotations

import json
import math
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from asgi_app.net.limits import KEPT_EACH
from tests.conftest import SERVERS, each_of
from tests.support.network_namespace import Network
from tests.support.panel_process import RunningPanel, eventually

PLACES = 8
HEALTH = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
LED = b"GET /led HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
server = each_of(*SERVERS, matters=True)  # each refuses in a way of its own
ASK_LOOPBACK = "import sys, urllib.request as http; print(http.urlopen(sys.argv[1], timeout=30).status)"


@pytest.fixture(scope="module")
def full(server: str, network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel in another host; strangers hold all of its places."""
    data = tmp_path_factory.mktemp("full") / "data"
    with (
        RunningPanel(
            data,
            server=server,
            host="0.0.0.0",
            within=network.within,
            address=network.private,
            max_connections=PLACES,
            request_timeout=600,
        ) as panel,
        ExitStack() as taken,
    ):

        def is_full() -> bool:
            taken.enter_context(closing(opened(panel, network, network.another())))
            return asked(panel, network, network.another(), LED).startswith(b"HTTP/1.1 503")

        eventually(is_full)
        yield panel


def opened(panel: RunningPanel, network: Network, address: str) -> socket.socket:
    """A connection from this address of nobody's network."""
    return socket.create_connection((network.public, panel.port), 30, source_address=(address, 0))


def asked(panel: RunningPanel, network: Network, address: str, *parts: bytes) -> bytes:
    """All that comes until the connection is closed."""
    with opened(panel, network, address) as connection:
        for part in parts:
            connection.sendall(part)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(
    "request_",
    [
        LED,
        b"POST /health/live HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        b"GET /healthy HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
    ids=["led", "POST", "another path", "an upgrade"],
)
def test_a_stranger_is_refused(full: RunningPanel, network: Network, request_: bytes) -> None:
    head, _, body = asked(full, network, network.another(), request_).partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    problem = json.loads(body)
    assert lines[0] == "http/1.1 503 service unavailable"
    assert f"retry-after: {math.ceil(problem['retry_after'])}" in lines
    assert problem["type"].endswith(":full")
    assert problem["message"] == problem["detail"]


@pytest.mark.parametrize("cut", [0, 3, len(b"GET /health/l")], ids=["whole", "in its method", "in its path"])
@pytest.mark.parametrize("path", [b"/health/live", b"/health/ready"])
def test_health_is_answered_to_anybody(full: RunningPanel, network: Network, path: bytes, cut: int) -> None:
    request = HEALTH.replace(b"/health/live", path)
    with opened(full, network, network.another()) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in (request[:cut], request[cut:]):
            connection.sendall(part)
        said = b"".join(iter(lambda: connection.recv(65536), b""))  # and then it is closed
    assert said.startswith(b"HTTP/1.1 200")
    assert b'"ok":true' in said


def test_health_is_answered_to_who_says_little(full: RunningPanel, network: Network) -> None:
    assert b" 200 " in asked(full, network, network.another(), b"GET /health/live HTTP/1.0\r\n\r\n")[:20]


def test_nothing_but_health_is_answered_there(full: RunningPanel, network: Network) -> None:
    assert asked(full, network, network.another(), HEALTH + LED).count(b"HTTP/1.1") == 1


def test_who_asks_for_health_and_says_no_more_holds_up_nobody(full: RunningPanel, network: Network) -> None:
    slow = network.another()
    with ExitStack() as stack:
        for _ in range(KEPT_EACH * 4):
            begun = stack.enter_context(closing(opened(full, network, slow)))
            begun.sendall(HEALTH[:-2])
        assert asked(full, network, network.another(), HEALTH).startswith(b"HTTP/1.1 200")
        assert begun.recv(65536)[:12] in (b"HTTP/1.1 503", b"")  # each is ended, within a second
    eventually(lambda: asked(full, network, slow, HEALTH).startswith(b"HTTP/1.1 200"))


def test_who_is_at_home_gets_a_place(full: RunningPanel) -> None:
    assert full.get("/led").status_code == 200
    eventually(lambda: full.metrics()["pilotlight_connections", ""] == PLACES + 1)


def test_this_machine_gets_a_place(full: RunningPanel, network: Network, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{full.port}/led"
    command = [*network.within, sys.executable, "-c", ASK_LOOPBACK, url]
    assert subprocess.run(command, capture_output=True, timeout=30, check=True).stdout.strip() == b"200"
