"""HTTP as RFC 9110 and 9112 say, on both servers: bodies, hosts, targets, sizes, old clients, half-closed ones."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.conftest import SERVERS, each_of
from tests.support.panel_process import NO_TLS, RunningPanel
from tests.support.raw_http import HOST, ask, chunked, head, opening, plugged

JSON = "application/json"
POLL = "/socket.io/?EIO=4&transport=polling"
MULTIPART = "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="level"\r\n\r\n%d\r\n--x--\r\n'

server = each_of(*SERVERS, matters=True)


def opened(panel: RunningPanel) -> str:
    """The path of a new polling session."""
    return f"{POLL}&sid={json.loads(panel.get(POLL).text[1:])['sid']}"


def with_body(method: str, path: str, kind: str, body: bytes, how: str) -> bytes:
    if how == "length":
        return head(method, path, Content_Type=kind, Content_Length=str(len(body))) + body
    return head(method, path, Content_Type=kind, Transfer_Encoding=how) + chunked(body)


# --- bodies --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["length", "chunked", "Chunked"])
@pytest.mark.parametrize(
    ("method", "path", "kind", "body"),
    [
        ("POST", "/led", JSON, b'{"level": %d}'),
        ("POST", "/led", "application/x-www-form-urlencoded", b"level=%d"),
        ("POST", "/led", MULTIPART, PART),
        ("PATCH", "/lights/led", JSON, b'{"level": %d}'),
    ],
)
def test_a_body_is_heard_with_and_without_a_length(
    panel: RunningPanel, method: str, path: str, kind: str, body: bytes, how: str
) -> None:
    level = 20 if panel.level() != 20 else 21
    assert ask(panel.port, with_body(method, path, kind, body % level, how)).status == 200
    assert panel.level() == level


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api", b'{"a": [1, 2]}', 200),
        ("/api", b"{", 400),
        ("/runs", b'{"title": "chunks"}', 201),
        ("/access/login", b'{"pin": "no"}', 401),
    ],
)
def test_other_routes_hear_chunks_as_well(panel: RunningPanel, path: str, body: bytes, status: int) -> None:
    whole = ask(panel.port, with_body("POST", path, JSON, body, "length"))
    in_chunks = ask(panel.port, with_body("POST", path, JSON, body, "chunked"))
    assert in_chunks.status == whole.status, (whole, in_chunks)


@pytest.mark.parametrize("how", ["length", "chunked"])
def test_the_polling_transport_hears_every_body(panel: RunningPanel, how: str) -> None:
    session = opened(panel)
    for packets, expected in ((b"40", "40{"), (b'421["my_event",{"data":"here"}]', '"here"')):
        sent = ask(panel.port, with_body("POST", session, "text/plain;charset=UTF-8", packets, how))
        assert sent.status == 200
        heard = ""
        while expected not in heard:
            heard += panel.get(session).text


def test_a_body_in_chunks_of_engine_io_3(panel: RunningPanel) -> None:
    old = "/socket.io/?EIO=3&transport=polling"
    opening = panel.get(old).text
    if not opening.startswith(("0{", "97:")) and '"sid"' not in opening:
        pytest.skip("Engine.IO 3 is not spoken here")
    sid = json.loads(opening[opening.index("{") : opening.index("}") + 1])["sid"]
    assert ask(panel.port, with_body("POST", f"{old}&sid={sid}", "text/plain", b"1:2", "chunked")).status == 200
    heard = ""
    while not heard.endswith("1:3"):  # the pong
        heard += panel.get(f"{old}&sid={sid}").text


def test_two_answers_to_where_a_body_ends_are_refused(panel: RunningPanel) -> None:
    both = head("POST", "/led", Content_Type=JSON, Content_Length="13", Transfer_Encoding="chunked")
    assert ask(panel.port, both + b"0\r\n\r\n").status == 400


# --- hosts and targets ---------------------------------------------------------------------------------------

NO_HOSTS = [
    "",
    "[::1]evil.com",
    "[::1].evil.com",
    "evil.com[::1]",
    "[::1",
    "::1]",
    "::1",
    "[]",
    "[127.0.0.1]",
    "[::1]]",
    "[[::1]]",
    "[::g]",
    "[v1.a]",
    "127.0.0.1:port",
    "127.0.0.1:80:80",
    "127.0.0.1:65536",
    "127.0.0.1:-1",
    "[::1]:x",
    ":80",
    "user@127.0.0.1",
    "127.0.0.1/path",
    "127.0.0.1?x",
    "127.0.0.1#x",
    "127.0.0.1\\evil.com",
    "127.0.0.1, evil.com",
    "127.0.0.1 evil.com",
    "http://127.0.0.1",
    "evil%2Ecom",
    "a..b",
    ".local",
    ".",
    "local host",
    "*",
    "lämp",
]
HOSTS = [
    "127.0.0.1",
    "127.0.0.1:5000",
    "localhost",
    "LocalHost:80",
    "localhost.",
    "[::1]",
    "[::1]:5000",
    "pi",
    "pi:",
    "my_pi.local",
]


def both(host: str) -> list[bytes]:
    """REST, and a WebSocket."""
    return [head("GET", "/led", host=host), opening(host=host)]


@pytest.mark.parametrize("host", NO_HOSTS)
def test_a_malformed_host_is_refused(panel: RunningPanel, host: str) -> None:
    for request in both(f"Host: {host}\r\n"):
        assert ask(panel.port, request).status == 400


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_that_is_one_is_taken(panel: RunningPanel, host: str) -> None:
    assert [ask(panel.port, request).status for request in both(f"Host: {host}\r\n")] == [200, 101]


@pytest.mark.parametrize("host", ["evil.com", "127.0.0.1.evil.com", "evil.com:80", "1.2.3.4.5", "localhost.evil.com"])
def test_a_host_that_is_not_the_panel_s_is_another_refusal(panel: RunningPanel, host: str) -> None:
    assert [ask(panel.port, request).status for request in both(f"Host: {host}\r\n")] == [421, 421]


@pytest.mark.parametrize(
    "hosts",
    [HOST + "Host: evil.com\r\n", "Host: evil.com\r\n" + HOST, HOST * 2, "HOST: evil.com\r\n" + HOST, ""],
    ids=["evil second", "evil first", "the same twice", "in capitals", "none"],
)
def test_one_host_header_is_needed(panel: RunningPanel, hosts: str) -> None:
    for request in both(hosts):
        refused = ask(panel.port, request)
        assert refused.status == 400
        assert refused.headers["content-type"] == "application/problem+json"
    assert ask(panel.port, head("GET", "http://127.0.0.1/led", host=hosts)).status == 400


def test_two_hosts_are_refused_whatever_a_proxy_says(panel: RunningPanel) -> None:
    twice = head("GET", "/led", host=HOST * 2, X_Forwarded_Host="127.0.0.1", X_Forwarded_For="127.0.0.1")
    assert ask(panel.port, twice).status == 400


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://127.0.0.1/led", 200),
        ("HTTP://LOCALHOST:5000/led", 200),
        ("https://127.0.0.1/led", 200),
        ("http://127.0.0.1", 200),  # the page
        ("http://127.0.0.1?x=1", 200),
        ("http://[::1]/led?x", 200),
        ("http://evil.com/led", 421),
        ("http://evil.com", 421),
        ("http://user@127.0.0.1/led", 400),
        ("http:///led", 400),
        ("http://[::1]evil.com/led", 400),
        ("led", 400),
        ("*", 400),
        ("/led#fragment", 200),
        ("/nothing-here-ü", 404),
    ],
)
def test_the_forms_of_a_target(panel: RunningPanel, target: str, status: int) -> None:
    assert ask(panel.port, head("GET", target)).status == status


def test_options_of_the_server_as_a_whole(panel: RunningPanel) -> None:
    answer = ask(panel.port, head("OPTIONS", "*"))
    assert answer.status == 200
    assert "GET" in answer.headers["allow"]


def test_raw_utf8_in_a_target_says_the_same_as_percent_encoding(panel: RunningPanel) -> None:
    bodies = []
    for target in ("/nothing/zoë?n=é", "/nothing/zo%C3%AB?n=%C3%A9"):
        with plugged(panel.port) as plug:
            request = head("GET", target)
            cut = request.index(b"zo") + 3  # in the middle of the letter, where it is raw
            plug.say(request[:cut], request[cut:])
            bodies.append(json.loads(plug.answer().body)["detail"])
    assert bodies[0] == bodies[1]
    assert "zoë" in bodies[0]


def test_connect_is_refused(panel: RunningPanel) -> None:
    assert ask(panel.port, head("CONNECT", "127.0.0.1:80")).status == 405


# --- sizes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "fits"), [(4_000, True), (9_000, True), (40_000, True), (90_000, True), (110_000, False), (400_000, False)]
)
@pytest.mark.parametrize("where", ["cookie", "cookies"])
def test_one_limit_of_headers_for_rest_and_websocket(panel: RunningPanel, where: str, size: int, fits: bool) -> None:
    headers = {"Cookie": "a=" + "b" * size} if where == "cookie" else {}
    if where == "cookies":
        headers = {f"Cookie-{number}": "b" * 1000 for number in range(size // 1015)}
    found = [ask(panel.port, request).status for request in (head("GET", "/led", **headers), opening(**headers))]
    assert found == ([200, 101] if fits else [431, 431])


@pytest.mark.parametrize(("size", "statuses"), [(30_000, [200, 101]), (34_000, [414, 414]), (80_000, [414, 414])])
def test_one_limit_of_the_target(panel: RunningPanel, size: int, statuses: list[int]) -> None:
    query = "?x=" + "b" * size
    requests = head("GET", "/led" + query), opening("/echo" + query)
    assert [ask(panel.port, request).status for request in requests] == statuses


@pytest.mark.parametrize(("count", "statuses"), [(400, [200, 101]), (600, [431, 431])])
def test_one_limit_of_their_number(panel: RunningPanel, count: int, statuses: list[int]) -> None:
    many = {f"X-{number}": "" for number in range(count)}
    requests = head("GET", "/led", **many), opening(**many)
    assert [ask(panel.port, request).status for request in requests] == statuses


def test_headers_without_an_end_are_refused(panel: RunningPanel) -> None:
    with plugged(panel.port) as plug:
        plug.say(head("GET", "/led")[:-2] + b"X-Long: ")
        try:
            for _ in range(2_000):
                plug.say(b"a" * 10_000)
        except OSError:
            return  # the panel has closed
        assert plug.answer().status == 431


# --- order, and clients that close their side ----------------------------------------------------------------


@pytest.mark.parametrize("wrong", [b"nonsense\r\n\r\n", head("GET", "led"), head("GET", "/led", Cookie="a" * 99_000)])
def test_a_refusal_waits_for_the_answers_before_it(panel: RunningPanel, wrong: bytes) -> None:
    with plugged(panel.port) as plug:
        plug.say(head("GET", "/lights") + head("GET", "/runs") + wrong)
        assert [plug.answer().status for _ in range(2)] == [200, 200]
        assert plug.answer().status in (400, 431)
        assert plug.rest() == b""


def test_chunks_that_are_none_are_answered(panel: RunningPanel) -> None:
    with plugged(panel.port) as plug:
        plug.say(head("POST", "/api", Content_Type=JSON, Transfer_Encoding="chunked") + b"zz\r\n")
        assert plug.answer().status == 400
        assert plug.rest() == b""


HALF_CLOSED = [
    (head("GET", "/led"), 1),
    (head("GET", "/lights"), 1),
    (head("GET", "/"), 1),
    (head("GET", "/static/css/base.css"), 1),
    (head("GET", "/nothing"), 1),
    (with_body("POST", "/led", JSON, b'{"level": 41}', "length"), 1),
    (with_body("POST", "/led", JSON, b'{"level": 42}', "chunked"), 1),
    (with_body("PATCH", "/lights/led", JSON, b'{"level": 43}', "length"), 1),
    (head("GET", "/led", "1.0"), 1),
    (head("GET", "/led", Connection="close"), 1),
    (head("GET", "/led", Connection="Upgrade", Upgrade="h2c"), 1),
    (head("GET", "/lights") + head("GET", "/runs") + head("GET", "/led"), 3),
    (b"nonsense\r\n\r\n", 1),
]


@pytest.mark.parametrize(("sent", "answers"), HALF_CLOSED)
def test_who_closes_its_side_gets_the_answers(panel: RunningPanel, sent: bytes, answers: int) -> None:
    with plugged(panel.port) as plug:
        plug.say(sent)
        plug.end()
        for _ in range(answers):
            assert plug.answer().status in (200, 400, 404)
        assert plug.rest() == b""


@pytest.mark.parametrize("sent", [b"", head("GET", "/led")[:-4], head("POST", "/api", Content_Length="9") + b"{"])
def test_who_closes_its_side_too_soon_is_let_go(panel: RunningPanel, sent: bytes) -> None:
    with plugged(panel.port) as plug:
        plug.say(sent)
        plug.end()
        plug.rest()  # which ends


def test_a_poll_that_is_given_up_is_over(panel: RunningPanel, server: str) -> None:
    """What it waited for is somebody else's."""
    if server == "hypercorn":
        pytest.skip("there the application hears of it, and the connection ends with the poll")
    session = opened(panel)  # nothing comes before the first ping
    with plugged(panel.port) as plug:
        plug.say(head("GET", session))
        plug.end()
        assert plug.rest() == b""


# --- HTTP/1.0, and codings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [POLL, "/led", "/", "/static/css/base.css", "/nothing", "/openapi.json", "/metrics", "/lights"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_http_1_0_gets_a_length_and_no_chunks(panel: RunningPanel, method: str, path: str) -> None:
    if method == "HEAD" and path == POLL:
        return  # Engine.IO answers no HEAD
    with plugged(panel.port) as plug:
        plug.say(head(method, path, "1.0"))
        answer = plug.answer(method)
        assert "transfer-encoding" not in answer.headers
        assert method == "HEAD" or int(answer.headers["content-length"]) == len(answer.body) > 0
        assert plug.rest() == b""


def test_http_1_0_may_leave_out_the_host(panel: RunningPanel) -> None:
    assert ask(panel.port, head("GET", "/led", "1.0", host="")).status == 200


def poll(panel: RunningPanel, session: str, accepted: str | None) -> httpx.Response:
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    with httpx.Client(timeout=30, verify=NO_TLS) as http:
        http.headers.pop("accept-encoding")
        return http.get(panel.url + session, headers=headers)


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("gzip, deflate, br", "gzip"),
        ("gzip;q=0", None),
        ("gzip; q=0.0", None),
        ("gzip;Q=0.000", None),
        ("deflate, gzip;q=0", "deflate"),
        ("gzip;q=0, deflate;q=0", None),
        ("gzip;q=0.1, deflate;q=0.9", "deflate"),
        ("gzip;q=nonsense", None),
        ("GZIP", "gzip"),
        ("identity, *;q=0", None),
        ("br", None),
        ("", None),
        (None, None),
    ],
)
def test_a_poll_is_coded_as_the_client_wants(panel: RunningPanel, accepted: str | None, coding: str | None) -> None:
    session = opened(panel)
    panel.post(session, content="40")
    panel.get(session)
    said: dict[str, Any] = {"data": "x" * 2000}
    panel.post(session, content=f'42["my_event",{json.dumps(said)}]')
    answer = poll(panel, session, accepted)
    while "my_response" not in answer.text or "xxx" not in answer.text:
        answer = poll(panel, session, accepted)
    assert answer.headers.get("content-encoding") == coding
