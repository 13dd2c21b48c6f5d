"""`POST /api`, and which pages may read both paths. The contract's section A."""

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

from tests.conftest import EVERY_WAY, each_of
from tests.support.echo_client import FOREIGN, JSON, MIB, handshake, problem_of
from tests.support.panel_process import NO_TLS, RunningPanel, eventually

server = each_of(*EVERY_WAY, matters=False)


MINE = "https://my.page"


RECEIVED = {"response": "Received data"}


# --- POST /api ----------------------------------------------------------------------------------------------


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
    answer = httpx.request(method, panel.url + "/api", headers={"Content-Type": JSON}, timeout=30, verify=NO_TLS)

    problem_of(answer, 405)
    assert {"POST", "OPTIONS"} == {name.strip() for name in answer.headers["Allow"].split(",")}


def test_head_is_a_405_without_a_body(panel: RunningPanel) -> None:
    answer = httpx.head(panel.url + "/api", timeout=30, verify=NO_TLS)

    assert (answer.status_code, answer.content) == (405, b"")


def test_a_body_over_1_mib_is_a_413(panel: RunningPanel) -> None:
    assert post(panel, b" " * (MIB - 2) + b"{}").status_code == 200
    problem_of(post(panel, b" " * (MIB - 1) + b"{}"), 413)


def test_urllib_posts(panel: RunningPanel) -> None:
    request = urllib.request.Request(panel.url + "/api", b'{"level": 7}', {"Content-Type": JSON})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer) == RECEIVED

    with pytest.raises(urllib.error.HTTPError) as refused:  # its own default is a form
        urllib.request.urlopen(urllib.request.Request(panel.url + "/api", b"level=7"), timeout=30)
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


# --- CORS of both paths -------------------------------------------------------------------------------------


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
    return httpx.request(method, panel.url + path, timeout=30, verify=NO_TLS, **{**sent, "headers": headers})


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
