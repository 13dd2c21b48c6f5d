"""Limits of connections, sizes and times: a client far over one is cut, and others are not affected."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from asgi_app.ws.transport.frames import PING, TEXT
from tests.conftest import EVERY_WAY, each_of
from tests.support.certificates import issue, trusting
from tests.support.low_limits import PROXY, SECONDS, by_proxy, from_address
from tests.support.panel_process import RunningPanel, eventually
from tests.support.python_client import PythonClient
from tests.support.raw_http import masked, opening, plugged

server = each_of(*EVERY_WAY, matters=True)


async def test_connections_of_one_address_behind_a_proxy(strict: RunningPanel) -> None:
    def opening() -> connect:
        headers = from_address("10.9.0.7")
        return connect(strict.socket_url("/live"), additional_headers=headers, local_addr=(PROXY, 0))

    sockets = [await opening() for _ in range(4)]
    with pytest.raises(InvalidStatus) as refused:
        await opening()
    assert refused.value.response.status_code == 429
    assert "connections_per_address" in (refused.value.response.body or b"").decode()
    with by_proxy(strict, "10.9.0.7") as client, by_proxy(strict, "10.9.0.8") as other:
        assert client.get("/led").status_code == 429
        assert other.get("/led").status_code == 200
        await sockets.pop().close()
        eventually(lambda: client.get("/led").status_code == 200)
    for opened in sockets:
        await opened.close()


def test_sessions_that_poll_count_too(strict: RunningPanel) -> None:
    with by_proxy(strict, "10.9.0.9") as client:
        opened = [client.get("/socket.io/?EIO=4&transport=polling") for _ in range(5)]
        assert [answer.status_code for answer in opened] == [200] * 4 + [429]
        assert opened[-1].json()["type"].endswith("too-many-connections")
        sid = json.loads(opened[0].text[1:])["sid"]
        left = client.post(f"/socket.io/?EIO=4&transport=polling&sid={sid}", content="1")
        assert left.status_code == 200
        assert client.get("/socket.io/?EIO=4&transport=polling").status_code == 200


def raw(panel: RunningPanel, sent: bytes = b"") -> socket.socket:
    """A TCP connection that has sent this."""
    opened = socket.create_connection(("127.0.0.1", panel.port), 15)  # in which each is ended
    opened.sendall(sent)
    return opened


def test_a_panel_that_is_full_says_so(start_panel: Callable[..., RunningPanel], server: str) -> None:
    panel = start_panel(server=server, max_connections=8)
    silent = [raw(panel) for _ in range(8)]

    def answer(request: bytes) -> bytes:
        with raw(panel, request) as one:
            return b"".join(iter(lambda: one.recv(65536), b""))

    def is_full() -> bool:
        # Of those that come together any may be the one that is refused, and closed: it comes again.
        for closed in select.select(silent, [], [], 0)[0]:
            closed.close()
            silent[silent.index(closed)] = raw(panel)
        return answer(b"GET /led HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 503")

    eventually(is_full)
    upgrade = b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    refused = answer(upgrade)
    assert refused.startswith(b"HTTP/1.1 503")
    assert json.loads(refused.partition(b"\r\n\r\n")[2])["detail"].count("max_connections") == 1
    for one in silent:
        one.close()
    eventually(lambda: panel.get("/led").status_code == 200)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /led HT",
        b"GET /led HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"GET /led HTTP/1.1\r\nHost: x\r\n\r\nGET /led HT",
        b"GET /led HTTP/1.1\r\nHost: x\r\n\r\n\r\n",
    ],
    ids=["silent", "half a line", "half a header", "half a second request", "an empty line"],
)
def test_a_connection_without_a_whole_request_is_closed(strict: RunningPanel, sent: bytes) -> None:
    began = time.monotonic()
    with raw(strict, sent) as slow:
        while slow.recv(65536):
            pass
    took = time.monotonic() - began
    assert took > SECONDS * 0.8 or sent.endswith(b"\r\n\r\n\r\n")  # which h11 takes for a bad request


def test_a_request_that_drips_in_is_closed_all_the_same(strict: RunningPanel) -> None:
    began = time.monotonic()
    with raw(strict, b"GET /led HTTP/1.1\r\nHost: x\r\nX-Slow: ") as slow, contextlib.suppress(OSError):
        slow.settimeout(0.1)
        while time.monotonic() - began < 20:
            slow.sendall(b"a")
            with contextlib.suppress(TimeoutError):
                if not slow.recv(65536):
                    break
    assert time.monotonic() - began < 15


def test_a_body_of_socketio_that_is_cut_is_nothing_that_was_said(strict: RunningPanel) -> None:
    url = "/socket.io/?EIO=4&transport=polling"
    at = f"{url}&sid={json.loads(strict.get(url).text[1:])['sid']}"
    assert strict.post(at, content="40").status_code == 200
    level = strict.level()
    packet = f'42["led",{{"level":{99 - level}}}]'
    head = f"POST {at} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n"
    with raw(strict, (head + packet).encode()):
        eventually(lambda: strict.metrics()["pilotlight_connections", ""] == 2)  # and this one
    strict.until_left()
    assert strict.level() == level
    assert strict.post(at, content=packet).status_code == 200
    eventually(lambda: strict.level() == 99 - level)


def test_a_slow_body_of_socketio_is_refused(strict: RunningPanel) -> None:
    opened = json.loads(strict.get("/socket.io/?EIO=4&transport=polling").text[1:])
    head = f"POST /socket.io/?EIO=4&transport=polling&sid={opened['sid']} HTTP/1.1\r\nHost: x\r\n"
    with raw(strict, f"{head}Content-Length: 9\r\n\r\n4".encode()) as slow:
        assert slow.recv(65536).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/led"), ("POST", "/lights/led/undo"), ("POST", "/api"), ("GET", "/lights")]
)
def test_a_slow_body_is_refused(strict: RunningPanel, method: str, path: str) -> None:
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"
    with raw(strict, head.encode() + b"{") as slow:
        answer = b""
        while part := slow.recv(65536):
            answer += part
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"request-timeout" in answer


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /live HTTP/1.1\r\nContent-Length: 5\r\n%s\r\nhello",
        b"GET /live HTTP/1.1\r\nTransfer-Encoding: chunked\r\n%s\r\n5\r\nhello\r\n0\r\n\r\n",
        b"POST /live HTTP/1.1\r\nContent-Length: 5\r\n%s\r\nhello",
        b"GET /live HTTP/1.1\r\nX-A: " + b"x" * 9000 + b"\r\n%s\r\n",
        b"GET /live HTTP/1.1\r\n" + b"X-A: x\r\n" * 200 + b"%s\r\n",
    ],
    ids=["a body", "chunks", "POST", "a long header", "many headers"],
)
def test_a_handshake_that_is_none_gives_its_place_back(strict: RunningPanel, request_: bytes) -> None:
    upgrade = (
        b"Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    )
    with raw(strict, request_.replace(b"%s", upgrade)) as plug, contextlib.suppress(ConnectionError):
        head = plug.recv(65536)
        assert head[9:12] in (b"400", b"405", b"431", b"101"), head
        if head[9:12] != b"101":
            while plug.recv(65536):
                pass
    strict.until_left()


def test_tls_connections_that_are_ended_give_their_places_back(server: str, tmp_path: Path) -> None:
    cert, key = issue(tmp_path)
    with RunningPanel(tmp_path / "data", server=server, cert=cert, key=key, request_timeout=SECONDS) as panel:
        plugs = [
            trusting().wrap_socket(socket.create_connection(("127.0.0.1", panel.port)), server_hostname="127.0.0.1")
            for _ in range(10)
        ]
        panel.until_left()  # none of them says goodbye
        for plug in plugs:
            plug.close()


def test_a_body_of_socketio_without_end_is_refused(strict: RunningPanel) -> None:
    opened = json.loads(strict.get("/socket.io/?EIO=4&transport=polling").text[1:])

    def chunks() -> Iterator[bytes]:
        for _ in range(64):
            yield b"x" * 65536

    with contextlib.suppress(httpx.WriteError, httpx.RemoteProtocolError):
        answer = strict.post(f"/socket.io/?EIO=4&transport=polling&sid={opened['sid']}", content=chunks())
        assert answer.status_code == 413
    assert strict.process.memory_info().rss < 400 * 1024 * 1024


def test_a_websocket_that_answers_no_ping_is_cut(strict: RunningPanel) -> None:
    upgrade = (
        b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    received = b""
    with raw(strict, upgrade) as deaf:
        while chunk := deaf.recv(65536):
            received += chunk
    assert b" 101 " in received
    assert (1011).to_bytes(2) in received  # the close frame, after pings


@pytest.mark.slow
def test_a_message_that_takes_longer_than_two_pings_arrives(strict: RunningPanel) -> None:
    message = masked(b"x" * 100, TEXT)
    with plugged(strict.port) as slow:
        slow.say(opening())
        assert slow.answer().status == 101
        for at in range(0, len(message), 10):  # 6 s, in which no ping can be answered
            slow.say(message[at : at + 10])
            time.sleep(0.5)
        while (came := slow.message())[0] != TEXT:
            assert came == (PING, b"")
        assert came[1] == b"x" * 100


async def test_rooms_of_one_connection(strict: RunningPanel) -> None:
    client = await PythonClient.connect(strict.url, transports=["websocket"])
    for room in ("a", "b", "c"):
        assert await client.ask("join", {"room": room}) == []
    (problem,) = await client.ask("join", {"room": "d"})
    assert "socket_rooms" in problem["detail"]
    await client.disconnect()


@pytest.mark.parametrize("id", [".", ".."])
def test_a_run_that_no_address_leads_to(strict: RunningPanel, id: str) -> None:
    assert strict.post("/runs", json={"name": "x", "id": id}).status_code == 400


def test_a_run_that_logs_too_fast_is_slowed_down(
    start_panel: Callable[..., RunningPanel],
) -> None:
    panel = start_panel(run_rate=100)
    panel.post("/runs", json={"name": "x", "id": "x"})

    def log(count: int) -> httpx.Response:
        return panel.post("/runs/x/log", json={"lines": ["line"] * count})

    began = time.monotonic()
    assert log(1000).status_code == 200
    assert time.monotonic() - began < 5  # they are taken at once: at 100 a second they would take ten
    answer = log(60)
    assert (answer.status_code, answer.json()["next"]) == (200, 1060)
    assert 0.2 < time.monotonic() - began < 9
