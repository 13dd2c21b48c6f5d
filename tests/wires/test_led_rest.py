"""`/led` over REST, as the old clients know it: the contract's section D, row by row."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.panel_process import NO_TLS, RunningPanel

MIB = 1024 * 1024
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
BOUNDARY = {"Content-Type": "multipart/form-data; boundary=edge"}
MULTIPART = '--edge\r\nContent-Disposition: form-data; name="level"\r\n\r\n{}\r\n--edge--\r\n'

BEFORE = 42  # percent, where the light is before each request

OUT_OF_RANGE = "Set LED brightness level Invalid argument: {}. argument must be within the range 0 - 100"
NOT_AN_INTEGER = "Set LED brightness level {} is not a valid integer"
MISSING = "Set LED brightness level Missing required parameter in the JSON body or the post body or the query string"


@pytest.fixture(scope="module")
def http(panel: RunningPanel) -> Iterator[httpx.Client]:
    """A client that connects anew for each request."""
    with httpx.Client(
        base_url=panel.url, timeout=30, verify=NO_TLS, limits=httpx.Limits(max_keepalive_connections=0)
    ) as client:
        yield client


@pytest.fixture(autouse=True)
def _light_at_a_known_level(http: httpx.Client) -> None:
    assert http.post("/led", json={"level": BEFORE}).status_code == 200


def json_body(text: str) -> dict[str, Any]:
    return {"content": text.encode(), "headers": JSON}


def as_type(content_type: str, text: str) -> dict[str, Any]:
    return {"content": text.encode(), "headers": {"Content-Type": content_type}}


def form_body(text: str) -> dict[str, Any]:
    return {"content": text.encode(), "headers": FORM}


# --- what is taken -----------------------------------------------------------------------------------------

TAKEN = [
    ("JSON integer", json_body('{"level": 100}'), 100),
    ("JSON zero", json_body('{"level": 0}'), 0),
    ("JSON minus zero", json_body('{"level": -0}'), 0),
    ("JSON text", json_body('{"level": "50"}'), 50),
    ("JSON text with spaces", json_body('{"level": " 5 "}'), 5),
    ("JSON text with a plus", json_body('{"level": "+5"}'), 5),
    ("JSON text with zeros", json_body('{"level": "007"}'), 7),
    ("JSON float that is an integer", json_body('{"level": 100.0}'), 100),
    ("JSON exponent", json_body('{"level": 1e2}'), 100),
    ("JSON with other fields", json_body('{"level": 8, "colour": "red"}'), 8),
    ("JSON, key given twice: the last", json_body('{"level": 8, "level": 9}'), 9),
    ("JSON with a charset", as_type("application/json; charset=utf-8", '{"level": 11}'), 11),
    ("JSON by another name", as_type("application/merge-patch+json", '{"level": 12}'), 12),
    ("form", {"data": {"level": "33"}}, 33),
    ("form with spaces", form_body("level=+6+"), 6),
    ("form with a plus", form_body("level=%2B6"), 6),
    ("form with other fields", form_body("colour=red&level=35"), 35),
    ("multipart", {"files": {"level": (None, "44")}}, 44),
    ("query", {"params": {"level": "34"}}, 34),
    ("query with a plus", {"params": {"level": "+36"}}, 36),
    ("query and text body", {"params": {"level": "37"}, **as_type("text/plain", "level=1")}, 37),
    ("query and JSON: JSON wins", {"params": {"level": "1"}, **json_body('{"level": 61}')}, 61),
    ("query and JSON without a level: query", {"params": {"level": "62"}, **json_body("{}")}, 62),
    ("query and form: query wins", {"params": {"level": "63"}, "data": {"level": "1"}}, 63),
    ("query and multipart: query wins", {"params": {"level": "64"}, "files": {"level": (None, "1")}}, 64),
    ("the same level again", json_body(f'{{"level": {BEFORE}}}'), BEFORE),
]


@pytest.mark.parametrize(("request_", "level"), [row[1:] for row in TAKEN], ids=[row[0] for row in TAKEN])
def test_a_level_is_taken(http: httpx.Client, request_: dict[str, Any], level: int) -> None:
    answer = http.post("/led", **request_)

    assert (answer.status_code, answer.json()) == (200, {"level": level})
    assert answer.headers["Content-Type"] == "application/json"
    assert http.get("/led").json() == {"level": level}
    assert http.get("/lights/led").json()["actual"] == level


@pytest.mark.parametrize("level", [0, 1, 29, 57, 58, 99, 100])
@pytest.mark.parametrize(
    "send",
    [
        pytest.param(lambda level: {"json": {"level": level}}, id="JSON integer"),
        pytest.param(lambda level: {"json": {"level": str(level)}}, id="JSON text"),
        pytest.param(lambda level: {"data": {"level": level}}, id="form"),
        pytest.param(lambda level: {"files": {"level": (None, str(level))}}, id="multipart"),
        pytest.param(lambda level: {"params": {"level": level}}, id="query"),
    ],
)
def test_every_way_takes_every_level(http: httpx.Client, send: Any, level: int) -> None:
    assert http.post("/led", **send(level)).json() == {"level": level}
    assert http.get("/led").json() == {"level": level}


# --- what is refused ---------------------------------------------------------------------------------------


def ways_to_send(text: str, **json_too: str) -> list[tuple[str, dict[str, Any]]]:
    """The same text in every way that carries text; `json_too` are JSON literals that mean the same."""
    return [
        ("JSON text", {"json": {"level": text}}),
        *((f"JSON {name}", json_body(f'{{"level": {literal}}}')) for name, literal in json_too.items()),
        ("form", {"data": {"level": text}}),
        ("multipart", {"content": MULTIPART.format(text).encode(), "headers": BOUNDARY}),
        ("query", {"params": {"level": text}}),
    ]


def refused_everywhere(text: str, message: str, **json_too: str) -> list[tuple[str, dict[str, Any], str]]:
    return [(f"{text!r} as {way}", sent, message.format(text)) for way, sent in ways_to_send(text, **json_too)]


NINES = "9" * 30

REFUSED = [
    *refused_everywhere("-1", OUT_OF_RANGE, integer="-1", float="-1.0"),
    *refused_everywhere("101", OUT_OF_RANGE, integer="101", float="101.0"),
    *refused_everywhere("100000", OUT_OF_RANGE, integer="100000"),
    *refused_everywhere(NINES, OUT_OF_RANGE, integer=NINES),
    *refused_everywhere("-" + NINES, OUT_OF_RANGE, integer="-" + NINES),
    *refused_everywhere("abc", NOT_AN_INTEGER),
    *refused_everywhere("50.5", NOT_AN_INTEGER, number="50.5"),
    *refused_everywhere("", NOT_AN_INTEGER),
    *refused_everywhere(" ", NOT_AN_INTEGER),
    *refused_everywhere("5 0", NOT_AN_INTEGER),
    *refused_everywhere("1_0", NOT_AN_INTEGER),
    *refused_everywhere("0x10", NOT_AN_INTEGER),
    *refused_everywhere("1e1", NOT_AN_INTEGER),
    *refused_everywhere("NaN", NOT_AN_INTEGER),
    *refused_everywhere("²", NOT_AN_INTEGER),
    *refused_everywhere("٥", NOT_AN_INTEGER),
    *refused_everywhere("５", NOT_AN_INTEGER),
    *refused_everywhere("--5", NOT_AN_INTEGER),
    ("true", json_body('{"level": true}'), NOT_AN_INTEGER.format("true")),
    ("false", json_body('{"level": false}'), NOT_AN_INTEGER.format("false")),
    ("null", json_body('{"level": null}'), NOT_AN_INTEGER.format("null")),
    ("a list", json_body('{"level": [10]}'), NOT_AN_INTEGER.format("[10]")),
    ("an object", json_body('{"level": {"level": 10}}'), NOT_AN_INTEGER.format('{"level":10}')),
    ("a number too large for a float", json_body('{"level": 1e400}'), NOT_AN_INTEGER.format("Infinity")),
    (
        "null, though the query has one",
        {"params": {"level": "5"}, **json_body('{"level": null}')},
        NOT_AN_INTEGER.format("null"),
    ),
    (
        "empty query, though the form has one",
        {"params": {"level": ""}, "data": {"level": "5"}},
        NOT_AN_INTEGER.format(""),
    ),
    ("no body", {}, MISSING),
    ("an empty object", json_body("{}"), MISSING),
    ("another key", json_body('{"Level": 5}'), MISSING),
    ("a JSON list", json_body("[10]"), MISSING),
    ("a JSON number", json_body("10"), MISSING),
    ("a JSON text", json_body('"level"'), MISSING),
    ("JSON null", json_body("null"), MISSING),
    ("a form without it", form_body("colour=red"), MISSING),
    ("an empty form", form_body(""), MISSING),
    ("a multipart without an end", {"content": b"xxx", "headers": BOUNDARY}, MISSING),
    ("a multipart without a boundary", as_type("multipart/form-data", "xxx"), MISSING),
    ("text/plain", as_type("text/plain", '{"level": 5}'), MISSING),
    ("no content type", {"content": b'{"level": 5}'}, MISSING),
    ("a content type that is none", as_type(";;=", "level=5"), MISSING),
]


@pytest.mark.parametrize(("request_", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_no_level_is_refused(http: httpx.Client, request_: dict[str, Any], message: str) -> None:
    answer = http.post("/led", **request_)

    assert_problem(answer, 400)
    assert answer.json()["message"] == {"level": message}
    assert answer.json()["errors"][0]["field"] == "level"
    assert answer.json()["errors"][0]["detail"] in message
    assert http.get("/led").json() == {"level": BEFORE}


@pytest.mark.parametrize("literal", ["1e300", "-1e300"])
def test_a_number_too_long_to_print_is_out_of_range(http: httpx.Client, literal: str) -> None:
    answer = http.post("/led", **json_body(f'{{"level": {literal}}}'))

    assert_problem(answer, 400)
    assert answer.json()["message"]["level"].startswith("Set LED brightness level Invalid argument: ")
    assert len(answer.content) < 2000
    assert http.get("/led").json() == {"level": BEFORE}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{bad", id="no JSON"),
        pytest.param(b"", id="empty"),
        pytest.param(b"{'level': 5}", id="Python's quotes"),
        pytest.param(b'{"level": 5', id="cut short"),
        pytest.param(b'{"level": 5} 6', id="something after it"),
        pytest.param(b'{"level": 5,}', id="a comma too many"),
        pytest.param(b'{"level": NaN}', id="NaN"),
        pytest.param(b'{"level": Infinity}', id="Infinity"),
        pytest.param(b'{"level": 05}', id="a leading zero"),
        pytest.param(b'{"level": "\xff"}', id="not UTF-8"),
        pytest.param(b'{"level": "\\ud800"}', id="half a surrogate pair"),
        pytest.param('{"level": 5}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"level": ' + b"9" * 5000 + b"}", id="5,000 digits"),
        pytest.param(b"[" * 100_000, id="100,000 deep"),
    ],
)
def test_malformed_json_is_refused(http: httpx.Client, body: bytes) -> None:
    answer = http.post("/led", content=body, headers=JSON, params={"level": "7"})

    assert_problem(answer, 400)
    assert answer.json()["message"].startswith("Failed to decode JSON object: ")
    assert http.get("/led").json() == {"level": BEFORE}


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_another_method_is_not_allowed(http: httpx.Client, method: str) -> None:
    answer = http.request(method, "/led", json={"level": 7})

    assert_problem(answer, 405)
    assert answer.json()["message"] == "The method is not allowed for the requested URL."
    assert answer.headers["Allow"] == "GET, HEAD, POST, OPTIONS"
    assert http.get("/led").json() == {"level": BEFORE}


def test_head_is_get_without_a_body(http: httpx.Client) -> None:
    head, get = http.head("/led"), http.get("/led")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"] == get.headers["Content-Type"] == "application/json"
    assert head.headers["Content-Length"] == str(len(get.content))


def test_options_says_what_is_allowed(http: httpx.Client) -> None:
    answer = http.options("/led")

    assert answer.status_code == 200
    assert {method.strip() for method in answer.headers["Allow"].split(",")} == {"GET", "HEAD", "POST", "OPTIONS"}


# --- size --------------------------------------------------------------------------------------------------


def json_of(size: int) -> bytes:
    """A JSON body of exactly this many bytes that sets level 77."""
    return b'{"level": 77}'.ljust(size)


class InChunks:
    """A body whose length is not announced."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return (self._body[at : at + 65536] for at in range(0, len(self._body), 65536))


def test_a_body_of_1_mib_is_taken(http: httpx.Client) -> None:
    assert http.post("/led", content=json_of(MIB), headers=JSON).json() == {"level": 77}


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(json_of(MIB + 1), JSON, id="JSON"),
        pytest.param(InChunks(json_of(MIB + 1)), JSON, id="JSON in chunks"),
        pytest.param(b"level=77&colour=".ljust(MIB + 1, b"r"), FORM, id="form"),
        pytest.param(MULTIPART.format("77" + " " * MIB).encode(), BOUNDARY, id="multipart"),
    ],
)
def test_a_larger_body_is_too_large(http: httpx.Client, body: Any, headers: dict[str, str]) -> None:
    answer = http.post("/led", content=body, headers=headers)

    assert_problem(answer, 413)
    assert http.get("/led").json() == {"level": BEFORE}


# --- the connection afterwards -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_line", "content_type"),
    [
        ("POST /led", "text/plain"),
        ("POST /led", "multipart/form-data"),
        ("POST /led?level=42", "text/plain"),
        ("PUT /led", "application/json"),
        ("POST /nothing-here", "application/json"),
        ("PATCH /lights/led", "text/plain"),
        ("PATCH /lights/nope", "application/json"),
        ("GET /led", "application/json"),
    ],
)
async def test_a_body_that_nobody_reads_leaves_the_connection_usable(
    panel: RunningPanel, request_line: str, content_type: str
) -> None:
    """Or the answer says `Connection: close` (RFC 9112, 9.6): a client must know what became of its next request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", panel.port)
    body = b'{"level": 5}'
    head = f"Host: x\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(f"{request_line} HTTP/1.1\r\n{head}".encode())
    answer = asyncio.create_task(read_answer(reader))

    await asyncio.wait({answer}, timeout=0.1)  # some servers wait for the body before they answer
    writer.write(body)
    first = await asyncio.wait_for(answer, 30)

    if "connection: close" not in first.lower():
        writer.write(b"GET /led HTTP/1.1\r\nHost: x\r\n\r\n")
        second = await asyncio.wait_for(read_answer(reader), 30)
        assert second.startswith("HTTP/1.1 200"), f"after {first!r}"
    writer.close()


async def read_answer(reader: asyncio.StreamReader) -> str:
    """The head of the next response, its body read too; empty when the server closed."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return ""
    length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
    await reader.readexactly(int(length[1]) if length else 0)
    return head


def assert_problem(answer: httpx.Response, status: int) -> None:
    """The answer is a problem object of RFC 9457 with the old API's `message` beside it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "errors", "message"}
    assert problem["type"].startswith("urn:pilotlight:problem:")
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
