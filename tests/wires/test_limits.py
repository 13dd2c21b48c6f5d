"""Limits on every wire: what is over one is refused by name, what is far over is ended, and nobody else notices."""

from __future__ import annotations

import asyncio
import contextlib
import json
import select
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import socketio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from asgi_app import limits
from asgi_app.errors import Full, TooFast, TooManyConnections
from asgi_app.limits import Addresses, Allowance, Bucket, Complaints, Places
from tests.support.live_client import LiveClient, live
from tests.support.panel_process import RunningPanel, eventually
from tests.support.python_client import PythonClient
from tests.wires.test_tls import issue, trusting

RATE = 20
SECONDS = 1.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that buckets see: a list with one number."""
    now = [1000.0]
    monkeypatch.setattr(limits.time, "monotonic", lambda: now[0])
    return now


def test_a_bucket_fills_again(clock: list[float]) -> None:
    bucket = Bucket(10, 3)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    clock[0] += 0.1
    assert [bucket.take() for _ in range(2)] == [True, False]
    clock[0] += 60
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_what_is_owed_takes_its_time(clock: list[float]) -> None:
    bucket = Bucket(10, 20)
    bucket.owe(50)
    assert bucket.wait() == 3.0
    clock[0] += 3.0
    assert bucket.wait() == 0.0


def test_a_slider_dragged_at_60_a_second_is_never_refused(clock: list[float]) -> None:
    allowance = Allowance(200)
    for _ in range(10_000):
        clock[0] += 1 / 60
        allowance.spend()


def test_a_little_too_fast_is_refused_and_far_too_fast_is_ended(clock: list[float]) -> None:
    def asks(a_second: int, seconds: int) -> tuple[int, bool]:
        allowance, refused = Allowance(200), 0
        for _ in range(a_second * seconds):
            clock[0] += 1 / a_second
            try:
                allowance.spend()
            except TooFast:
                refused += 1
        return refused, allowance.used_up

    refused, ended = asks(300, 60)
    assert 5000 < refused < 6000  # 200 a second are taken all the time
    assert not ended
    assert asks(2000, 10)[1]


def test_an_address_shares_its_bucket_and_this_machine_has_none(clock: list[float]) -> None:
    addresses = Addresses(5)
    for _ in range(10):
        addresses.spend("192.0.2.1")
    with pytest.raises(TooFast, match="rest_rate"):
        addresses.spend("192.0.2.1")
    addresses.spend("192.0.2.2")
    for address in ("127.0.0.1", "::1"):
        for _ in range(1000):
            addresses.spend(address)


def test_addresses_that_are_made_up_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ADDRESSES", 100)
    addresses = Addresses(5)
    for number in range(1000):
        addresses.spend(f"10.0.{number // 256}.{number % 256}")
    assert len(addresses._buckets) <= 100


def test_places() -> None:
    places = Places(6, 2)
    for _ in range(2):
        places.enter("192.0.2.1")
    with pytest.raises(TooManyConnections, match="connections_per_address"):
        places.enter("192.0.2.1")
    places.enter("192.0.2.1", many=True)  # a proxy
    for _ in range(3):
        places.enter("127.0.0.1")
    with pytest.raises(Full, match="max_connections"):
        places.enter("192.0.2.2")
    places.leave("192.0.2.1")
    places.enter("192.0.2.2")
    assert places.taken == 6


def test_the_log_says_it_once_a_minute(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints()
    for _ in range(3):
        complaints.tell("live", "192.0.2.1", TooFast("setting command_rate"))
    assert len(caplog.messages) == 1
    clock[0] += 61
    complaints.tell("live", "192.0.2.1", TooFast("setting command_rate"))
    assert len(caplog.messages) == 2


# --- commands ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def strict(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel with small limits, which trusts X-Forwarded-For of the tests, that so come from anywhere."""
    with RunningPanel(
        tmp_path_factory.mktemp("strict") / "data",
        server=server,
        trusted_proxies="127.0.0.1",
        role_network="operator",
        command_rate=RATE,
        rest_rate=RATE,
        connections_per_address=4,
        request_timeout=SECONDS,
        ping_interval=0.5,
        socket_rooms=3,
    ) as panel:
        yield panel


async def until_closed(client: LiveClient) -> ConnectionClosed:
    """Read to the end; how the panel closed."""
    with contextlib.suppress(TimeoutError):
        while True:
            try:
                await client.next()
            except ConnectionClosed as closed:
                return closed
    raise AssertionError("the panel did not close the connection")


def from_address(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


async def test_live_refuses_by_name_and_then_cuts_with_4029(strict: RunningPanel) -> None:
    async with live(strict) as client, live(strict) as other:
        for id in range(RATE * 30):
            await client.send({"do": "ping", "id": id})
        closed = await until_closed(client)
        replies = {frame["reply"]: frame for frame in client.frames if "reply" in frame}
        assert [replies[id]["ok"] for id in range(RATE * 2)] == [True] * RATE * 2
        problem = replies[RATE * 4]["problem"]
        assert (problem["type"], problem["status"]) == ("urn:pilotlight:problem:too-fast", 429)
        assert "command_rate" in problem["detail"]
        assert closed.rcvd is not None
        assert closed.rcvd.code == 4029
        assert (await other.ask("ping"))["ok"]
    assert strict.log().count("[client_cut wire=live client=127.0.0.1 reason=too_fast]") == 1


async def test_what_is_no_json_counts_too(strict: RunningPanel) -> None:
    async with live(strict) as client:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(RATE * 60):
                await client.send("no json")
        assert (await until_closed(client)).rcvd is not None


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_socketio_refuses_in_the_ack_and_then_cuts(strict: RunningPanel, transport: str) -> None:
    client = await PythonClient.connect(strict.url, namespace="/panel", transports=[transport])
    client._library.reconnection = False
    answers = [await client.ask("ask", {"do": "ping", "id": id}) for id in range(RATE * 3)]
    assert answers[0][0]["ok"]
    refused = next(answer[0] for answer in answers if "type" in answer[0])
    assert (refused["status"], "command_rate" in refused["detail"]) == (429, True)
    for id in range(RATE * 60):
        with contextlib.suppress(socketio.exceptions.SocketIOError):
            await client.emit("ask", {"do": "ping", "id": id})
    await client.next("disconnect")
    await client.disconnect()


async def test_an_old_chat_page_is_read_more_slowly_and_loses_nothing(strict: RunningPanel) -> None:
    async with connect(strict.socket_url("/Ada")) as ada, connect(strict.socket_url("/Bob")) as bob:
        count = RATE * 2 + 10
        began = time.monotonic()
        for number in range(count):
            await ada.send(json.dumps({"username": "Ada", "msg": number}))
        heard = [json.loads(await asyncio.wait_for(bob.recv(), 10))["msg"] for _ in range(count)]
        assert heard == list(range(count))
        assert time.monotonic() - began > 0.3  # ten were too many, at 20 a second


def test_rest_commands_of_one_address(strict: RunningPanel) -> None:
    with httpx.Client(base_url=strict.url, headers=from_address("10.9.0.5")) as client:
        answers = [client.post("/led", json={"level": 5}) for _ in range(RATE * 4)]
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert "rest_rate" in refused.json()["detail"]
        assert refused.headers["Retry-After"] == "1"
        assert client.get("/led").status_code == 200  # reading is free
    assert strict.post("/led", json={"level": 6}, headers=from_address("10.9.0.6")).status_code == 200
    assert strict.log().count("client=10.9.0.5 problem=too-fast") == 1


# --- connections -------------------------------------------------------------------------------------------


async def test_connections_of_one_address_behind_a_proxy(strict: RunningPanel) -> None:
    headers = from_address("10.9.0.7")
    sockets = [await connect(strict.socket_url("/live"), additional_headers=headers) for _ in range(4)]
    with pytest.raises(InvalidStatus) as refused:
        await connect(strict.socket_url("/live"), additional_headers=headers)
    assert refused.value.response.status_code == 429
    assert "connections_per_address" in (refused.value.response.body or b"").decode()
    assert strict.get("/led", headers=headers).status_code == 429
    assert strict.get("/led", headers=from_address("10.9.0.8")).status_code == 200
    await sockets.pop().close()
    eventually(lambda: strict.get("/led", headers=headers).status_code == 200)
    for opened in sockets:
        await opened.close()


def test_sessions_that_poll_count_too(strict: RunningPanel) -> None:
    headers = from_address("10.9.0.9")
    opened = [strict.get("/socket.io/?EIO=4&transport=polling", headers=headers) for _ in range(5)]
    assert [answer.status_code for answer in opened] == [200] * 4 + [429]
    assert opened[-1].json()["type"].endswith("too-many-connections")
    sid = json.loads(opened[0].text[1:])["sid"]
    left = strict.post(f"/socket.io/?EIO=4&transport=polling&sid={sid}", content="1", headers=headers)
    assert left.status_code == 200
    assert strict.get("/socket.io/?EIO=4&transport=polling", headers=headers).status_code == 200


def raw(panel: RunningPanel, sent: bytes = b"") -> socket.socket:
    """A TCP connection that has sent this."""
    opened = socket.create_connection(("127.0.0.1", panel.port), 5)
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
    assert took < SECONDS * 4
    assert took > SECONDS * 0.8 or sent.endswith(b"\r\n\r\n\r\n")  # which h11 takes for a bad request


def test_a_request_that_drips_in_is_closed_all_the_same(strict: RunningPanel) -> None:
    began = time.monotonic()
    with raw(strict, b"GET /led HTTP/1.1\r\nHost: x\r\nX-Slow: ") as slow, contextlib.suppress(OSError):
        slow.settimeout(0.1)
        while time.monotonic() - began < SECONDS * 5:
            slow.sendall(b"a")
            with contextlib.suppress(TimeoutError):
                if not slow.recv(65536):
                    break
    assert time.monotonic() - began < SECONDS * 4


def test_a_body_of_socketio_that_is_cut_is_nothing_that_was_said(strict: RunningPanel) -> None:
    url = "/socket.io/?EIO=4&transport=polling"
    at = f"{url}&sid={json.loads(strict.get(url).text[1:])['sid']}"
    assert strict.post(at, content="40").status_code == 200
    level = strict.level()
    packet = f'42["led",{{"level":{99 - level}}}]'
    head = f"POST {at} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n"
    with raw(strict, (head + packet).encode()):
        time.sleep(0.1)
    time.sleep(0.2)
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
        panel.until_left(timeout=SECONDS + 5)  # none of them says goodbye
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

    def log(count: int) -> tuple[float, Any]:
        began = time.monotonic()
        answer = panel.post("/runs/x/log", json={"lines": ["line"] * count})
        return time.monotonic() - began, answer

    seconds, answer = log(1000)
    assert answer.status_code == 200
    assert seconds < 0.5
    seconds, answer = log(60)
    assert (answer.status_code, answer.json()["next"]) == (200, 1060)
    assert 0.2 < seconds < 3
