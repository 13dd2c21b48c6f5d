"""Requests over real connections whose bytes say two things: bodies that are no ASCII, and trailers like headers."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.conftest import EVERY_WAY, each_of
from tests.support.panel_process import RunningPanel
from tests.support.raw_http import chunked, head, plugged

server = each_of(*EVERY_WAY, matters=True)

JSON = "application/json"
JAVA = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAEAAEAAAAIAAAABAAMAAABk"}
FOR = "X-Forwarded-For"
TRAILERS = [FOR, "Forwarded", "X-Forwarded-Host", "Host", "Authorization", "Upgrade", "Expect"]


def request(path: str, said: str, how: str, **headers: str) -> tuple[bytes, bytes]:
    """The head and the body of a request."""
    body = json.dumps({"name": said}, ensure_ascii=False).encode() + b"\n"
    if how == "length":
        return head("POST", path, Content_Type=JSON, Content_Length=str(len(body)), **headers), body
    return head("POST", path, Content_Type=JSON, Transfer_Encoding="chunked", **headers), chunked(body)


@pytest.mark.parametrize("how", ["length", "chunked"])
@pytest.mark.parametrize("upgrade", [{}, JAVA], ids=["", "h2c"])
@pytest.mark.parametrize("apart", [False, True], ids=["at once", "head and body apart"])
def test_a_body_is_heard_as_it_was_sent(panel: RunningPanel, how: str, upgrade: dict[str, str], apart: bool) -> None:
    names = ["Küche", "\u5ba2\u5385", "plain"]
    with plugged(panel.port) as plug:
        for name in names:
            first, body = request("/runs", name, how, **upgrade)
            plug.say(*((first, body) if apart else (first + body,)))
            answer = plug.answer()
            assert (answer.status, json.loads(answer.body)["name"]) == (201, name)
        plug.say(b"".join(b"".join(request("/runs", name, how, **upgrade)) for name in names))
        answers = [plug.answer() for _ in names]
        assert [json.loads(answer.body)["name"] for answer in answers] == names
        plug.end()
        assert plug.rest() == b""


@pytest.fixture(scope="module")
def named(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel that names this machine as its proxy: the tests are the proxy."""
    data = tmp_path_factory.mktemp("named") / "data"
    with RunningPanel(data, server=server, trusted_proxies="127.0.0.1") as running:
        yield running


@pytest.mark.parametrize("trailer", TRAILERS)
def test_a_trailer_is_no_header(named: RunningPanel, trailer: str) -> None:
    first, body = request("/runs", "who", "chunked", X_Forwarded_For="203.0.113.9")
    forged = f"{trailer}: 127.0.0.1\r\n".encode()
    with plugged(named.port) as plug:
        for _ in range(2):
            plug.say(first + body[:-2] + forged + b"\r\n")
            assert plug.answer().status == 401  # a stranger


@pytest.mark.parametrize("line", [b"a" * 1000, b"X: " + b"a" * 1000, b"X: y\r\n" * 100], ids=["name", "value", "many"])
def test_trailers_without_an_end_are_refused(panel: RunningPanel, line: bytes) -> None:
    first, body = request("/runs", "trailers", "chunked")
    with plugged(panel.port) as plug:
        plug.say(first + body[:-2])
        try:
            for _ in range(2_000):
                plug.say(line)
        except OSError:
            return  # the panel has closed
        assert plug.answer().status in (400, 431)
