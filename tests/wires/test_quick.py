"""`/led` before Quart: the same answers, byte for byte, as the routes give; on both servers."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.support.panel_process import RunningPanel

SERVERS = ["uvicorn", "hypercorn"]


@pytest.fixture(scope="module", params=SERVERS)
def panel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    with RunningPanel(tmp_path_factory.mktemp("quick") / "data", server=request.param) as started:
        yield started


def asked(panel: RunningPanel, method: str, headers: dict[str, str], body: bytes = b"", query: str = "") -> bytes:
    """The whole answer to a request, as it is; without the date."""
    head = [f"{method} /led{query} HTTP/1.1", f"Host: 127.0.0.1:{panel.port}", "Connection: close"]
    head += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        head.append(f"Content-Length: {len(body)}")
    with socket.create_connection(("127.0.0.1", panel.port), timeout=30) as connection:
        connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    lines, _, text = answer.partition(b"\r\n\r\n")
    kept = sorted(line for line in lines.split(b"\r\n") if not line.lower().startswith(b"date:"))
    return b"\r\n".join(kept) + b"\r\n\r\n" + text


JSON = {"Content-Type": "application/json"}
SLOW = {"Content-Type": "application/json; charset=utf-8"}  # the same, and not plain: it goes to Quart


def test_a_level_is_read_alike(panel: RunningPanel) -> None:
    quick = asked(panel, "GET", {})
    assert b'{"level":' in quick
    assert quick == asked(panel, "GET", {}, query="?unknown=1")


BODIES = [
    b'{"level": 30}',
    b'{"level": "40"}',
    b'{"level": 0}',
    b'{"level": 101}',
    b'{"level": 1.5}',
    b'{"level": null}',
    b'{"level": true}',
    b'{"level": "\xc2\xb2"}',
    b'{"levels": 1}',
    b"[1]",
    b"{",
    b"nan",
    b"\xff",
    b'{"level": 1, "level": 2}',
    b" " * 2000 + b'{"level": 60}',
]


@pytest.mark.parametrize("body", BODIES, ids=[repr(body[:24]) for body in BODIES])
def test_a_level_is_set_or_refused_alike(panel: RunningPanel, body: bytes) -> None:
    panel.post("/led", json={"level": 7})
    quick = asked(panel, "POST", JSON, body)
    after = panel.level()
    panel.post("/led", json={"level": 7})
    assert quick == asked(panel, "POST", SLOW, body)
    assert after == panel.level()


@pytest.mark.parametrize(
    "headers", [{"X-Client-Name": "Ada"}, {"X-Client-Name": "\u00c5sa"}, {"User-Agent": "curl/8"}, {}]
)
def test_who_set_it_is_told_alike(panel: RunningPanel, headers: dict[str, str]) -> None:
    asked(panel, "POST", JSON | headers, b'{"level": 11}')
    quick = panel.light()["by"]
    asked(panel, "POST", SLOW | headers, b'{"level": 12}')
    assert quick == panel.light()["by"]


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE"])
def test_other_methods_are_quarts(panel: RunningPanel, method: str) -> None:
    assert asked(panel, method, {}) == asked(panel, method, {}, query="?unknown=1")


def test_a_page_of_another_origin_changes_nothing(panel: RunningPanel) -> None:
    panel.post("/led", json={"level": 7})
    assert (
        b" 403 " in asked(panel, "POST", JSON | {"Origin": "https://evil.page"}, b'{"level": 30}').split(b"\r\n\r\n")[0]
    )
    assert panel.level() == 7


def test_a_body_in_pieces_is_whole(panel: RunningPanel) -> None:
    body = b'{"level": 33}'
    lines = ["POST /led HTTP/1.1", "Host: localhost", "Connection: close", "Content-Type: application/json"]
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
    with socket.create_connection(("127.0.0.1", panel.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(head.encode())
        for byte in body:
            connection.sendall(bytes([byte]))
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert answer.endswith(b'{"level":33}\n')
    assert panel.level() == 33


def test_offline_is_said_alike(start_panel) -> None:
    panel = start_panel(pins="pigpio", pigpio_port=1)
    quick = asked(panel, "POST", JSON, b'{"level": 30}')
    assert b" 503 " in quick
    assert quick == asked(panel, "POST", SLOW, b'{"level": 30}')
