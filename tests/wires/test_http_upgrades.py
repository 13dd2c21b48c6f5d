"""Upgrades: only `websocket` is accepted. Others are ignored, and the request is answered."""

from __future__ import annotations

import json
import subprocess

import pytest

from asgi_app.ws.transport.frames import TEXT
from tests.conftest import SERVERS, each_of
from tests.support.panel_process import RunningPanel
from tests.support.raw_http import ACCEPT, HOST, Plug, ask, chunked, head, masked, opening, plugged

JSON = "application/json"
H2C = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA"}
WEBSOCKET = {"Connection": "Upgrade", "Upgrade": "websocket"}
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"  # RFC 9113, 3.4
KEY = {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}

server = each_of(*SERVERS, matters=True)


@pytest.mark.parametrize("sent_as", ["whole", "in two parts", "in chunks", "in chunks and parts"])
@pytest.mark.parametrize(
    ("method", "path", "upgrade"),
    [
        ("POST", "/led", H2C),
        ("PATCH", "/lights/led", H2C),
        ("POST", "/led", {"Connection": "upgrade", "Upgrade": "TLS/1.0, HTTP/2.0"}),
        ("POST", "/led", {"Connection": "Upgrade", "Upgrade": "h2c, websocket"}),
        ("POST", "/led", {**WEBSOCKET, **KEY}),
        ("PATCH", "/lights/led", {**WEBSOCKET, **KEY}),
        ("POST", "/led", {"Connection": "keep-alive, Upgrade", "Upgrade": "anything"}),
    ],
    ids=lambda value: value if isinstance(value, str) else value["Upgrade"],
)
def test_a_body_is_heard_whatever_upgrade_comes_with_it(
    panel: RunningPanel, method: str, path: str, upgrade: dict[str, str], sent_as: str
) -> None:
    level = 50 if panel.level() != 50 else 51
    body = b'{"level": %d}' % level
    if "chunks" in sent_as:
        first, then = head(method, path, Content_Type=JSON, Transfer_Encoding="chunked", **upgrade), chunked(body)
    else:
        first, then = head(method, path, Content_Type=JSON, Content_Length=str(len(body)), **upgrade), body
    parts = (first, then[:4], then[4:]) if "part" in sent_as else (first + then,)

    with plugged(panel.port) as plug:
        plug.say(*parts)
        assert plug.answer().status == 200
        assert panel.level() == level
        plug.say(head("GET", "/led"))  # the connection goes on, as HTTP/1.1
        assert plug.answer().status == 200


@pytest.mark.parametrize("upgrade", [H2C, {"Connection": "Upgrade", "Upgrade": "foo"}], ids=["h2c", "foo"])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_what_follows_an_upgrade_that_is_not_taken_is_the_next_request(
    panel: RunningPanel, upgrade: dict[str, str], version: str
) -> None:
    with plugged(panel.port) as plug:
        plug.say(head("GET", "/led", version, **upgrade) + head("GET", "/lights"))
        first = plug.answer()
        assert first.status == 200
        assert "upgrade" not in {name.lower() for name in first.headers}
        if version == "1.1":
            assert b"lights" in plug.answer().body


def test_an_upgrade_that_also_closes_is_answered(panel: RunningPanel) -> None:
    with plugged(panel.port) as plug:
        plug.say(head("GET", "/led", Connection="Upgrade, close", Upgrade="h2c"))
        assert plug.answer().status == 200
        assert plug.rest() == b""


@pytest.mark.parametrize(
    "sent",
    [PREFACE, head("GET", "/led") + PREFACE, head("GET", "/led", **H2C) + PREFACE],
    ids=["alone", "behind a request", "behind h2c"],
)
def test_http2_is_not_spoken(panel: RunningPanel, sent: bytes) -> None:
    with plugged(panel.port) as plug:
        plug.say(sent)
        if sent is not PREFACE:
            assert plug.answer().status == 200
        refused = plug.answer()
        assert (refused.status, refused.headers["connection"]) == (400, "close")
        assert plug.rest() == b""  # and no frame of HTTP/2


@pytest.mark.parametrize("arguments", [["-d", "level=31"], ["-X", "PATCH", "--json", '{"level": 31}'], []])
def test_curl_that_asks_for_http2(panel: RunningPanel, arguments: list[str]) -> None:
    path = "/lights/led" if "PATCH" in arguments else "/led"
    command = ["curl", "-s", "-m", "10", "--http2", "-w", " %{http_version} %{http_code}", *arguments, panel.url + path]
    said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    assert said.endswith(" 1.1 200"), said
    assert not arguments or panel.level() == 31


@pytest.mark.parametrize(
    "request_",
    [
        opening(Upgrade="WebSocket"),
        opening(Upgrade="foo/1, websocket"),
        opening(Connection="keep-alive, Upgrade"),
        opening().replace(b"Connection: Upgrade\r\n", b"Connection: Upgrade\r\nConnection: keep-alive\r\n"),
        opening(Content_Length="0"),
        opening("http://127.0.0.1/echo"),
        opening("HTTP://127.0.0.1/echo?x=1"),
        opening("ws://127.0.0.1/echo"),
        opening("ws://127.0.0.1:80/echo", host="Host: evil.example\r\n"),
        opening("/echo?Zoë"),
        opening(Sec_WebSocket_Protocol=""),
        opening(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits"),
    ],
)
def test_a_handshake_that_is_valid(panel: RunningPanel, request_: bytes) -> None:
    with plugged(panel.port) as plug:
        plug.say(request_)
        _is_echo(plug)


def _is_echo(plug: Plug) -> None:
    accepted = plug.answer()
    assert (accepted.status, accepted.headers["sec-websocket-accept"]) == (101, ACCEPT)
    plug.say(masked(b"hello", TEXT))
    assert plug.frame() == b"hello"


@pytest.mark.parametrize("before", ["", "a request", "two requests", "an upgrade that is not taken"])
@pytest.mark.parametrize("behind", [b"", masked(b"early", TEXT)], ids=["", "and frames"])
def test_a_handshake_behind_requests_is_answered_in_turn(panel: RunningPanel, before: str, behind: bytes) -> None:
    requests = {
        "": [],
        "a request": [head("GET", "/lights")],
        "two requests": [head("GET", "/lights"), head("GET", "/runs")],
        "an upgrade that is not taken": [head("GET", "/led", **H2C)],
    }[before]
    with plugged(panel.port) as plug:
        plug.say(b"".join(requests) + opening() + behind)
        for _ in requests:
            assert plug.answer().status == 200
        accepted = plug.answer()
        assert accepted.status == 101
        if behind:
            assert plug.frame() == b"early"
        plug.say(masked(b"later", TEXT))
        assert plug.frame() == b"later"


VERSION = "Sec_WebSocket_Version"
KEY_HEADER = "Sec_WebSocket_Key"


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        *(({VERSION: version}, 426) for version in ("8", "0", "14", "013", "", "13, 8", "x", None)),
        *(
            ({KEY_HEADER: key}, 400)
            for key in ("", "abc", "dGhlIHNhbXBsZQ==", "dGhlIHNhbXBsZSBub25jZQ", "=" * 24, "é" * 12, None)
        ),
        ({"Sec_WebSocket_Protocol": "a b"}, 400),
        ({"Sec_WebSocket_Protocol": "a, (b)"}, 400),
    ],
)
def test_a_handshake_that_is_wrong_says_why(panel: RunningPanel, changed: dict[str, str | None], status: int) -> None:
    with plugged(panel.port) as plug:
        plug.say(opening(**changed))
        refused = plug.answer()
        assert refused.status == status, refused
        assert refused.headers["content-type"] == "application/problem+json"
        if status == 426:  # RFC 6455, 4.4; RFC 9110, 15.5.22
            assert refused.headers["sec-websocket-version"] == "13"
            assert refused.headers["upgrade"] == "websocket"
        assert plug.rest() == b""


def test_a_key_twice_is_none(panel: RunningPanel) -> None:
    twice = opening().replace(
        b"Upgrade: websocket\r\n", b"Upgrade: websocket\r\nSec-WebSocket-Key: " + b"A" * 22 + b"==\r\n"
    )
    assert ask(panel.port, twice).status == 400


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        (None, None),
        ("", None),
        ("chat", "chat"),
        ("b, a", "b"),
        (" ,, x.y-1 ,z", "x.y-1"),
        ("Graphql-WS,b", "Graphql-WS"),
    ],
)
@pytest.mark.parametrize("path", ["/echo", "/live", "/Ann", "/socket.io/?EIO=4&transport=websocket"])
def test_the_first_subprotocol_is_taken(panel: RunningPanel, path: str, offered: str | None, taken: str | None) -> None:
    accepted = ask(panel.port, opening(path, Sec_WebSocket_Protocol=offered))
    assert accepted.status == 101
    assert accepted.headers["sec-websocket-protocol"] == taken


def test_subprotocols_in_two_headers_are_one_list(panel: RunningPanel) -> None:
    two = opening().replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: one\r\nSec-WebSocket-Protocol: two\r\n\r\n")
    assert ask(panel.port, two).headers["sec-websocket-protocol"] == "one"


def test_the_host_of_an_absolute_target_counts(panel: RunningPanel) -> None:
    assert ask(panel.port, opening("http://evil.example/echo", host=HOST)).status == 421


def test_many_requests_at_once_are_answered_in_their_order(panel: RunningPanel) -> None:
    levels = [number % 101 for number in range(400)]
    requests = b""
    for level in levels:
        body = b'{"level": %d}' % level
        requests += head("POST", "/led", Content_Type=JSON, Content_Length=str(len(body))) + body
    with plugged(panel.port) as plug:
        plug.say(requests + head("GET", "/led", **H2C) + opening() + masked(b"last", TEXT))
        assert [json.loads(plug.answer().body)["level"] for _ in levels] == levels
        assert plug.answer().status == 200
        assert plug.answer().status == 101
        assert plug.frame() == b"last"


@pytest.mark.parametrize(
    ("sent", "answers"),
    [
        (b"\r\n" + head("GET", "/led"), 1),
        (head("GET", "/led") + b"\r\n", 1),
        (head("GET", "/led") + b"\r\n\r\n" + head("GET", "/lights"), 2),
        (head("POST", "/led", Content_Type=JSON, Content_Length="12") + b'{"level":12}\r\n' + head("GET", "/led"), 2),
        (head("GET", "/led", "1.0") + b"\r\n", 1),
        (head("GET", "/led", Connection="close") + b"\r\n", 1),
        (head("GET", "/led", Connection="close") + head("GET", "/led"), 1),
        (head("GET", "/led", "1.0", Expect="100-continue"), 1),
    ],
)
def test_empty_lines_and_what_follows_the_last_request_do_no_harm(
    panel: RunningPanel, sent: bytes, answers: int
) -> None:
    with plugged(panel.port) as plug:
        plug.say(sent)
        assert [plug.answer().status for _ in range(answers)] == [200] * answers
        plug.end()
        assert plug.rest() == b""


@pytest.mark.parametrize(
    "line", ["GET /led", "GET /led HTTP/0.9", "GET /led HTTP/2.0", "GET /led HTTP/1.2", "get /led HTTP/1.1"]
)
def test_what_is_not_http_1_is_refused(panel: RunningPanel, line: str) -> None:
    assert ask(panel.port, f"{line}\r\n{HOST}\r\n".encode()).status == 400


def test_the_answers_come_also_when_the_client_has_said_all(panel: RunningPanel) -> None:
    with plugged(panel.port) as plug:
        plug.say(head("GET", "/led") * 300)
        plug.end()
        assert [plug.answer().status for _ in range(300)] == [200] * 300
        assert plug.rest() == b""
