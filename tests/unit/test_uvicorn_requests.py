"""What uvicorn's connection makes of the bytes of requests, in whatever packets they come."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import Any

import pytest

from asgi_app.net.request_head import HEAD_BYTES
from tests.support.raw_http import chunked, head
from tests.support.uvicorn_in_memory import answer, body_of, connect, turns

H2C = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA"}
NAME = '{"name":"Küche"}\n'.encode()
HIDDEN = b"\xc3" * 40 + b"\n" + head("GET", "/hidden", X_Forwarded_For="127.0.0.1")


async def mirror(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the body of the request."""
    await answer(send, await body_of(receive))


def with_length(body: bytes, **headers: str) -> bytes:
    return head("POST", "/led", Content_Length=str(len(body)), **headers) + body


def in_chunks(body: bytes, **headers: str) -> bytes:
    return head("POST", "/led", Transfer_Encoding="chunked", **headers) + chunked(body)


CASES = {
    "one": (with_length(NAME), [NAME]),
    "an upgrade that is ignored": (with_length(NAME, **H2C), [NAME]),
    "in chunks": (in_chunks(NAME, **H2C), [NAME]),
    "two at once": (with_length(NAME) * 2, [NAME] * 2),
    "upgrades at once": (with_length(NAME, **H2C) + in_chunks(NAME, **H2C) + with_length(NAME), [NAME] * 3),
    "one behind another without a body": (head("GET", "/led") + with_length(NAME), [b"", NAME]),
    "a request in a body": (with_length(b"x") + with_length(HIDDEN) + with_length(NAME), [b"x", HIDDEN, NAME]),
    "a request in a body with an upgrade": (with_length(HIDDEN, **H2C), [HIDDEN]),
}


@pytest.mark.parametrize(("sent", "bodies"), CASES.values(), ids=CASES)
async def test_each_body_comes_as_it_was_sent_wherever_its_bytes_are_split(sent: bytes, bodies: list[bytes]) -> None:
    for at in range(len(sent)):
        client = connect(mirror)
        client.send(sent[:at], sent[at:])
        await turns()
        assert client.answers == [(200, body) for body in bodies], f"split at {at}"


@pytest.mark.parametrize("before", [b"", with_length(NAME)], ids=["", "behind another one"])
async def test_a_target_that_is_no_ascii_is_read_wherever_it_is_split(before: bytes) -> None:
    async def target(scope: Any, receive: Any, send: Any) -> None:
        await body_of(receive)
        await answer(send, scope["raw_path"])

    line = head("GET", "/küche") + with_length(NAME)
    for at in range(1, len(line)):
        client = connect(target)
        if before:
            client.send(before)
            await turns()
            client.written = b""
        client.send(line[:at], line[at:])
        await turns()
        assert client.answers == [(200, b"/k%C3%BCche"), (200, b"/led")], f"split at {at}"


FORGED = b"X-Forwarded-For: 127.0.0.1\r\nExpect: 100-continue\r\n"


@pytest.mark.parametrize("split", [0, 1, 2, 20, 40, 60])
async def test_trailers_are_no_headers(split: int) -> None:
    async def names(scope: Any, receive: Any, send: Any) -> None:
        await body_of(receive)
        await answer(send, b" ".join(name for name, _ in scope["headers"]))

    first = in_chunks(NAME)[:-2]
    sent = FORGED + b"\r\n" + with_length(NAME)
    client = connect(names)
    client.send(first + sent[:split], sent[split:])
    await turns()
    assert client.answers == [(200, b"host transfer-encoding"), (200, b"host content-length")]


@pytest.mark.parametrize("answered", [False, True], ids=["heard", "answered before its end"])
@pytest.mark.parametrize(
    "line",
    [b"X-Long: " + b"a" * 50_000, b"a" * 1_000, b"X-Many: \r\n" * 5_000],
    ids=["one value", "one that goes on", "many"],
)
async def test_trailers_without_an_end_are_refused(line: bytes, answered: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if not answered:
            await body_of(receive)
        await answer(send, b"")

    client = connect(app)
    client.send(in_chunks(NAME)[:-2])
    await turns()
    tracemalloc.start()
    client.send(*[line] * (4 * HEAD_BYTES // len(line)))
    await turns(500)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [status for status, _ in client.answers] == [200] * answered + [431]
    assert most < 8 * HEAD_BYTES


async def test_trailers_of_a_fair_size_are_read_over() -> None:
    client = connect(mirror)
    client.send(in_chunks(NAME * 20_000)[:-2] + b"X-Long: " + b"a" * 60_000 + b"\r\n\r\n" + with_length(NAME))
    await turns(500)
    assert client.answers == [(200, NAME * 20_000), (200, NAME)]


@pytest.mark.parametrize("padding", [0, 4_000, 60_000])
async def test_any_number_of_requests_at_once_is_answered(padding: int) -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        body = await body_of(receive)
        await turns(3)
        await answer(send, body)

    one = head("GET", "/led", Cookie="a" * padding)
    count = 3 * 2**20 // max(len(one), 1_000)
    client = connect(slow)
    client.send(one * count, with_length(NAME))
    while len(client.answers) < count + 1:
        before = len(client.answers)
        await turns(1_000)
        assert not client.closed
        assert len(client.answers) > before
    assert client.answers == [(200, b"")] * count + [(200, NAME)]


@pytest.mark.parametrize("behind", [0, 1, 3, 8, 20, "nonsense", "a body that has no end"])
async def test_a_request_hears_that_its_client_has_gone_whatever_is_behind_it(behind: int | str) -> None:
    heard: list[str] = []
    told = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        heard.append(scope["path"])
        await body_of(receive)
        assert (await receive())["type"] == "http.disconnect"
        told.set()

    client = connect(app)
    waiting = {"nonsense": b"nonsense\r\n\r\n", "a body that has no end": with_length(NAME)[:-1]}
    client.send(head("GET", "/poll"), head("GET", "/led") * behind if isinstance(behind, int) else waiting[behind])
    await turns()
    assert not told.is_set()
    client.lose()
    await asyncio.wait_for(told.wait(), 30)
    await turns()
    assert heard == ["/poll"]
