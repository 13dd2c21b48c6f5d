"""A connection over TLS counts from its first byte on: a handshake costs more than a request."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import SERVERS, each_of
from tests.support.certificates import issue, trusting
from tests.support.panel_process import RunningPanel, eventually

SILENT = 6
MOST = 12

server = each_of(*SERVERS, matters=True)


@pytest.fixture
def secure(server: str, tmp_path: Path) -> Iterator[RunningPanel]:
    cert, key = issue(tmp_path)
    with RunningPanel(
        tmp_path / "data", server=server, cert=cert, key=key, max_connections=MOST, request_timeout=60
    ) as panel:
        yield panel


def connected(panel: RunningPanel) -> socket.socket:
    return socket.create_connection(("127.0.0.1", panel.port), 30)


def connections(panel: RunningPanel) -> float:
    return panel.metrics()["pilotlight_connections", ""]


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["nothing", "half a hello"])
def test_a_handshake_has_a_place_and_gives_it_back(secure: RunningPanel, said: bytes) -> None:
    plugs = [connected(secure) for _ in range(SILENT)]
    for plug in plugs:
        plug.sendall(said)
    eventually(lambda: connections(secure) == SILENT + 1)
    for plug in plugs:
        plug.close()
    eventually(lambda: connections(secure) == 1)


def test_a_handshake_that_fails_gives_its_place_back(secure: RunningPanel) -> None:
    for _ in range(SILENT):
        with connected(secure) as plug:
            plug.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                while plug.recv(1000):
                    pass
    eventually(lambda: connections(secure) == 1)


def test_a_connection_counts_once_when_its_handshake_is_done(secure: RunningPanel) -> None:
    plugs = [
        trusting().wrap_socket(connected(secure), server_hostname="127.0.0.1", do_handshake_on_connect=True)
        for _ in range(SILENT)
    ]
    eventually(lambda: connections(secure) == SILENT + 1)
    for plug in plugs:
        plug.close()
    eventually(lambda: connections(secure) == 1)


def test_handshakes_take_the_places_there_are(secure: RunningPanel) -> None:
    plugs = [connected(secure) for _ in range(MOST)]
    with httpx.Client(verify=trusting(), timeout=30) as http:

        def refused() -> bool:
            answer = http.get(f"{secure.url}/led")
            return answer.status_code == 503 and answer.json()["type"].endswith(":full")

        eventually(refused)
        more, cut = [], 0
        for _ in range(60):  # most of them are not even told so
            try:
                more.append(connected(secure))
            except ConnectionError:
                cut += 1
        for plug in more:
            plug.settimeout(0.2)
            try:
                cut += plug.recv(1) == b""
            except TimeoutError:
                pass  # it may shake hands, to be told
            except ConnectionError:
                cut += 1
        assert cut >= 40
        for plug in (*plugs, *more):
            plug.close()

        def let_in() -> bool:
            with contextlib.suppress(httpx.TransportError):  # the panel has not seen all of them go
                return http.get(f"{secure.url}/led").status_code == 200
            return False

        eventually(let_in)


def test_no_http2_is_offered(secure: RunningPanel) -> None:
    context = trusting()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with context.wrap_socket(connected(secure), server_hostname="127.0.0.1") as plug:
        assert plug.selected_alpn_protocol() == "http/1.1"
    alone = trusting()
    alone.set_alpn_protocols(["h2"])
    with contextlib.suppress(ssl.SSLError), alone.wrap_socket(connected(secure), server_hostname="127.0.0.1") as plug:
        assert plug.selected_alpn_protocol() is None
        plug.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
        assert plug.recv(9) in (b"HTTP/1.1 ", b"")
