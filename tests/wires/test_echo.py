"""`POST /api` and `ws /echo`, over real sockets: the contract's section A."""

from __future__ import annotations

import asyncio
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import aiohttp
import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.conftest import EVERY_WAY, each_of
from tests.support.panel_process import RunningPanel, eventually

server = each_of(*EVERY_WAY, matters=True)

MIB = 1024 * 1024
MINE = "https://my.page"
FOREIGN = "https://foreign.page"
JSON = "application/json"
RECEIVED = {"response": "Received data"}


@pytest.fixture(autouse=True)
def _nothing_went_wrong_inside(panel: RunningPanel) -> Iterator[None]:
    """Whatever a client does, the panel's log has no traceback."""
    logged = len(panel.output)
    yield
    assert "Traceback" not in "".join(panel.output[logged:])


# --- POST /api ---------------------------------------------------------------------------------------------

VALUES: dict[str, Any] = {
    "an object": {"device": "desk", "level": 70, "tags": ["a", {"b": None}]},
    "an empty object": {},
    "a list": [1, "two", None],
    "an empty list": [],
    "an integer": 5,
    "zero": 0,
    "a negative number": -1.5e-3,
    "more than 64 bits": 2**70,
    "true": True,
    "false": False,
    "null": None,
    "text": "hello",
    "empty text": "",
    "text of many languages": "Ünïcødé 灯 💡 \u0000",
    "100 deep": json.loads("[" * 100 + "]" * 100),
    "1000 keys": {f"key {n}": n for n in range(1000)},
    "500 kB": "x" * 500_000,
}

JSON_TYPES = [
    JSON,
    "application/json; charset=utf-8",
    "Application/JSON",
    "application/vnd.api+json",
    "application/problem+json",
    "application/ld+json;profile=x",
]

MALFORMED = {
    "nothing": b"",
    "a blank": b" ",
    "cut short": b'{"level": 7',
    "a word": b"hello",
    "single quotes": b"{'level': 7}",
    "a comma too many": b"[1,]",
    "two values": b"{} {}",
    "a form": b"level=7",
    "NaN": b"NaN",
    "Infinity": b'{"level": -Infinity}',
    "a control character in text": b'"\x01"',
    "no UTF-8": b'"\xff"',
    "UTF-16": '{"level": 7}'.encode("utf-16"),
    "100,000 deep": b"[" * 100_000,
}

OTHER_TYPES = [
    None,
    "",
    "text/plain",
    "text/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/octet-stream",
    "application/jsonp",
    "json",
    "application/xml+json/x",
]


def post(panel: RunningPanel, body: bytes, content_type: str | None = JSON) -> httpx.Response:
    return panel.post("/api", content=body, headers={} if content_type is None else {"Content-Type": content_type})


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_any_json_is_received(panel: RunningPanel, value: Any) -> None:
    answer = post(panel, json.dumps(value).encode())

    assert (answer.status_code, answer.json()) == (200, RECEIVED)
    assert answer.headers["Content-Type"] == JSON


@pytest.mark.parametrize("content_type", JSON_TYPES)
def test_every_json_type_is_json(panel: RunningPanel, content_type: str) -> None:
    answer = post(panel, b'{"level": 7}', content_type)

    assert (answer.status_code, answer.json()) == (200, RECEIVED)


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_what_is_not_json_is_a_400(panel: RunningPanel, body: bytes) -> None:
    for content_type in (JSON, "application/vnd.api+json"):
        problem = problem_of(post(panel, body, content_type), 400)
        assert problem["type"] == "urn:pilotlight:problem:malformed-json"


@pytest.mark.parametrize("content_type", OTHER_TYPES)
@pytest.mark.parametrize("body", [b"{}", b"hello", b""])
def test_another_content_type_or_none_is_a_415(panel: RunningPanel, content_type: str | None, body: bytes) -> None:
    problem = problem_of(post(panel, body, content_type), 415)

    assert JSON in problem["detail"]  # what would be accepted


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_another_method_is_a_405(panel: RunningPanel, method: str) -> None:
    answer = httpx.request(method, panel.url + "/api", headers={"Content-Type": JSON}, timeout=10)

    problem_of(answer, 405)
    assert {"POST", "OPTIONS"} == {name.strip() for name in answer.headers["Allow"].split(",")}


def test_head_is_a_405_without_a_body(panel: RunningPanel) -> None:
    answer = httpx.head(panel.url + "/api", timeout=10)

    assert (answer.status_code, answer.content) == (405, b"")


def test_a_body_over_1_mib_is_a_413(panel: RunningPanel) -> None:
    assert post(panel, b" " * (MIB - 2) + b"{}").status_code == 200
    problem_of(post(panel, b" " * (MIB - 1) + b"{}"), 413)


def problem_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The problem in an answer, which is one of RFC 9457 with this status."""
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["type"].startswith("urn:pilotlight:problem:")
    assert isinstance(problem["errors"], list)
    return problem


def test_urllib_posts(panel: RunningPanel) -> None:
    request = urllib.request.Request(panel.url + "/api", b'{"level": 7}', {"Content-Type": JSON})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer) == RECEIVED

    with pytest.raises(urllib.error.HTTPError) as refused:  # its own default is a form
        urllib.request.urlopen(urllib.request.Request(panel.url + "/api", b"level=7"), timeout=10)
    assert refused.value.code == 415


async def test_aiohttp_posts(panel: RunningPanel) -> None:
    async def chunks() -> Any:
        yield b'{"lev'
        await asyncio.sleep(0)
        yield b'el": 7}'

    async with aiohttp.ClientSession(panel.url) as session:
        async with session.post("/api", json=[1]) as answer:
            assert await answer.json() == RECEIVED
        async with session.post("/api", data=chunks(), headers={"Content-Type": JSON}) as answer:  # no Content-Length
            assert await answer.json() == RECEIVED


@pytest.mark.parametrize("more", [["--json", '{"level": 7}'], ["-H", f"Content-Type: {JSON}", "-d", "null"]])
def test_curl_posts(panel: RunningPanel, more: list[str]) -> None:
    assert json.loads(curl(panel, "/api", *more)) == RECEIVED


def test_curl_posts_a_large_body_after_a_100_continue(panel: RunningPanel) -> None:
    large = ["-H", f"Content-Type: {JSON}", "-H", "Expect: 100-continue", "-d", json.dumps("x" * 100_000)]
    assert json.loads(curl(panel, "/api", *large)) == RECEIVED


def curl(panel: RunningPanel, path: str, *arguments: str) -> str:
    command = ["curl", "--silent", "--show-error", "--max-time", "10", "-X", "POST", *arguments, panel.url + path]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


# --- ws /echo ----------------------------------------------------------------------------------------------


def echo(panel: RunningPanel, **options: Any) -> connect:
    """A WebSocket to `/echo` of the stock library, with no Origin unless `origin` says one."""
    return connect(panel.socket_url("/echo"), **{"max_size": None, "compression": None, "open_timeout": 10} | options)


FRAMES: dict[str, str | bytes] = {
    "text": "hello",
    "empty text": "",
    "the word close": "close",
    "the word ping": "ping",
    "JSON": '{"do": "ping", "id": 1}',
    "text of many languages": "Ünïcødé 灯 💡 \u0000 \u2028",
    "lines": "one\r\ntwo\n",
    "200 kB of text": "x" * 200_000,
    "binary": b"hello",
    "empty binary": b"",
    "every byte": bytes(range(256)),
    "binary that is no UTF-8": b"\xff\xfe\x00",
    "200 kB of binary": b"\x00\xff" * 100_000,
    "1 MiB of text": "x" * MIB,
    "1 MiB of binary": b"\xff" * MIB,
    "1 MiB of two-byte letters": "é" * (MIB // 2),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_a_frame_comes_back_as_it_was(panel: RunningPanel, frame: str | bytes) -> None:
    with echo(panel) as socket:
        for _ in range(2):
            socket.send(frame)
            assert same(socket.recv(timeout=10), frame)


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_a_compressing_client_gets_the_same(panel: RunningPanel, frame: str | bytes) -> None:
    with echo(panel, compression="deflate") as socket:
        socket.send(frame)
        assert same(socket.recv(timeout=10), frame)


def test_frames_of_both_types_come_back_in_order(panel: RunningPanel) -> None:
    frames = [str(n) if n % 3 else str(n).encode() for n in range(1000)]
    with echo(panel) as socket:
        for frame in frames:
            socket.send(frame)

        assert [socket.recv(timeout=10) for _ in frames] == frames


FRAGMENTS: dict[str, list[Any]] = {
    "two of text": ["hel", "lo"],
    "two of binary": [b"hel", b"lo"],
    "empty ones of text": ["", "a", "", "b", ""],
    "empty ones of binary": [b"", b"a", b"", b"b", b""],
    "nothing but empty ones of text": ["", "", ""],
    "nothing but empty ones of binary": [b"", b"", b""],
    "a thousand": ["x"] * 1000,
    "1 MiB in 64 of text": ["x" * (MIB // 64)] * 64,
    "1 MiB in 64 of binary": [b"x" * (MIB // 64)] * 64,
}


@pytest.mark.parametrize("fragments", FRAGMENTS.values(), ids=FRAGMENTS)
def test_fragments_come_back_joined(panel: RunningPanel, fragments: list[Any]) -> None:
    with echo(panel) as socket:
        socket.send(iter(fragments))

        assert same(socket.recv(timeout=10), type(fragments[0])().join(fragments))


def test_a_letter_may_be_split_between_fragments(panel: RunningPanel) -> None:
    light = "💡".encode()
    with echo(panel) as socket:
        socket.send(iter([light[:1], light[1:3], light[3:]]), text=True)

        assert socket.recv(timeout=10) == "💡"


def test_a_ping_is_answered_even_between_fragments(panel: RunningPanel) -> None:
    with echo(panel) as socket:
        assert socket.ping(b"before").wait(10)

        def fragments() -> Iterator[str]:
            yield "hel"
            assert socket.ping(b"between").wait(10)
            yield "lo"

        socket.send(fragments())
        assert socket.recv(timeout=10) == "hello"
        assert socket.ping(b"x" * 125).wait(10)


TOO_LARGE: dict[str, Any] = {
    "text": "x" * (MIB + 1),
    "binary": b"x" * (MIB + 1),
    "two-byte letters": "é" * (MIB // 2) + "x",
    "fragments of text": ["x" * MIB, "x"],
    "fragments of binary": [b"x" * MIB, b"x"],
}


@pytest.mark.parametrize("frame", TOO_LARGE.values(), ids=TOO_LARGE)
def test_more_than_1_mib_is_closed_with_1009(panel: RunningPanel, frame: Any) -> None:
    with echo(panel) as other, echo(panel, close_timeout=1) as socket:
        assert closing_code(socket, iter(frame) if isinstance(frame, list) else frame) == 1009

        other.send("still here")
        assert other.recv(timeout=10) == "still here"


def test_much_more_is_cut_off(panel: RunningPanel) -> None:
    with echo(panel, close_timeout=1) as socket:
        # A close frame that meets data still on its way may be lost in the reset that follows (RFC 1122, 4.2.2.13).
        assert closing_code(socket, b"x" * (4 * MIB)) in (None, 1009)


def test_the_limit_is_a_setting(server: str, start_panel: Any) -> None:
    panel = start_panel(server=server, max_frame=2048)
    with echo(panel) as socket:
        socket.send("x" * 2048)
        assert socket.recv(timeout=10) == "x" * 2048
        assert closing_code(socket, "x" * 2049) == 1009


def test_text_that_is_no_utf_8_is_closed_with_1007(panel: RunningPanel, server: str) -> None:
    with echo(panel) as socket:
        code = closing_code(socket, b"\xff\xfe", text=True)
    assert code == (None if server == "hypercorn" else 1007)  # hypercorn ends the connection without a word


def closing_code(socket: ClientConnection, frame: Any, **options: Any) -> int | None:
    """Send it, and the code that the panel closes with, before this client would lose its patience; None for none."""
    try:
        socket.send(frame, **options)
        while True:
            socket.recv(timeout=3)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_a_client_that_closes_gets_its_code_back(panel: RunningPanel, code: int) -> None:
    with echo(panel) as socket:
        socket.send("hello")
        socket.recv(timeout=10)
        socket.close(code, "enough")

        assert socket.protocol.close_rcvd is not None
        assert socket.protocol.close_rcvd.code == code


def test_a_client_that_is_cut_off_disturbs_nobody(panel: RunningPanel) -> None:
    with echo(panel) as other:
        for cut in (b"", b"half"):
            socket = echo(panel).__enter__()
            socket.socket.sendall(b"\x81\xff" + cut)  # the beginning of a frame
            socket.socket.close()

        other.send("still here")
        assert other.recv(timeout=10) == "still here"


def test_nobody_gets_what_another_sent(panel: RunningPanel) -> None:
    with echo(panel) as one, echo(panel) as two:
        one.send("one")
        two.send("two")
        assert (one.recv(timeout=10), two.recv(timeout=10)) == ("one", "two")
        one.send("end")
        two.send("end")
        assert (one.recv(timeout=10), two.recv(timeout=10)) == ("end", "end")


async def test_aiohttp_s_websocket_is_echoed(panel: RunningPanel) -> None:
    async with aiohttp.ClientSession(panel.url) as session, session.ws_connect("/echo") as socket:
        await socket.send_str("close")
        assert await socket.receive_str(timeout=10) == "close"
        await socket.send_bytes(b"")
        assert await socket.receive_bytes(timeout=10) == b""


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        pytest.param(None, 101, id="no origin: a program"),
        pytest.param("http://127.0.0.1:{port}", 101, id="its own"),
        pytest.param(FOREIGN, 403, id="another page's"),
        pytest.param("null", 403, id="a page's without one"),
    ],
)
def test_who_may_connect(panel: RunningPanel, origin: str | None, status: int) -> None:
    assert handshake(panel, origin and origin.format(port=panel.port)) == status


def handshake(panel: RunningPanel, origin: str | None) -> int:
    """The status of a WebSocket handshake; 101 when the echo works."""
    try:
        with echo(panel, origin=origin) as socket:
            socket.send("hello")
            assert socket.recv(timeout=10) == "hello"
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
def test_a_plain_request_is_told_that_this_is_a_websocket(panel: RunningPanel, method: str) -> None:
    answer = httpx.request(method, panel.url + "/echo", timeout=10)

    assert answer.status_code in ((400, 426) if method in ("GET", "HEAD") else (400, 405, 426))
    if method == "GET":
        problem_of(answer, answer.status_code)


def same(came: str | bytes, sent: str | bytes) -> bool:
    """Equal, of the same type; without pytest's comparison of a MiB on failure."""
    return type(came) is type(sent) and came == sent


# --- CORS of both paths --------------------------------------------------------------------------------------

ANSWERS: list[tuple[str, str, dict[str, Any], int]] = [
    ("POST", "/api", {"json": [1]}, 200),
    ("POST", "/api", {"content": b"{", "headers": {"Content-Type": JSON}}, 400),
    ("POST", "/api", {"content": b"hello"}, 415),
    ("POST", "/api", {"content": b" " * (MIB + 1), "headers": {"Content-Type": JSON}}, 413),
    ("GET", "/api", {}, 405),
    ("GET", "/echo", {}, 400),
]
NAMED = [f"{method} {path} {status}" for method, path, _, status in ANSWERS]


@pytest.fixture(scope="module", params=[MINE, "*"])
def sharing(
    request: pytest.FixtureRequest, server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningPanel, str]]:
    """A panel with `--cors-origins`, and an origin that it allows: by its name, and by the star."""
    data = tmp_path_factory.mktemp("sharing") / "data"
    with RunningPanel(data, server=server, cors_origins=request.param) as running:
        yield running, MINE if request.param == MINE else FOREIGN


def ask(panel: RunningPanel, origin: str, method: str, path: str, sent: dict[str, Any]) -> httpx.Response:
    headers = {**sent.get("headers", {}), "Origin": origin}
    return httpx.request(method, panel.url + path, timeout=10, **{**sent, "headers": headers})


@pytest.mark.parametrize(("method", "path", "sent", "status"), ANSWERS, ids=NAMED)
def test_every_answer_is_shared_with_an_allowed_page(
    sharing: tuple[RunningPanel, str], method: str, path: str, sent: dict[str, Any], status: int
) -> None:
    panel, origin = sharing

    answer = ask(panel, origin, method, path, sent)

    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(("method", "path", "sent", "status"), ANSWERS, ids=NAMED)
def test_nothing_is_shared_with_a_foreign_page(
    panel: RunningPanel, method: str, path: str, sent: dict[str, Any], status: int
) -> None:
    assert "Access-Control-Allow-Origin" not in ask(panel, FOREIGN, method, path, sent).headers


def test_a_preflight_of_the_api_allows_the_method_and_the_headers(sharing: tuple[RunningPanel, str]) -> None:
    panel, origin = sharing
    wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type, x-unity"}

    answer = ask(panel, origin, "OPTIONS", "/api", {"headers": wanted})

    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    for header in ("content-type", "x-unity"):
        assert header in answer.headers["Access-Control-Allow-Headers"].lower()


def test_an_allowed_page_may_use_the_echo_and_programs_still_may(sharing: tuple[RunningPanel, str]) -> None:
    panel, origin = sharing

    assert handshake(panel, origin) == handshake(panel, None) == handshake(panel, panel.url) == 101


def test_a_refused_page_is_in_the_log_once_with_the_setting(panel: RunningPanel) -> None:
    origin = "https://echo.page"

    assert [handshake(panel, origin) for _ in range(3)] == [403] * 3
    ask(panel, origin, "POST", "/api", {"json": {}})

    def lines() -> list[str]:
        return [line for line in list(panel.output) if origin in line]

    eventually(lines)
    assert handshake(panel, "https://another-echo.page") == 403  # whatever came before is in the log by now
    eventually(lambda: any("another-echo.page" in line for line in list(panel.output)))
    [line] = lines()
    assert f"cors_origins = ['{origin}']" in line
