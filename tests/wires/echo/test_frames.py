"""`ws /echo`: frames as RFC 6455 has them. The contract's section A."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import aiohttp
import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.conftest import EVERY_WAY, each_of
from tests.support.echo_client import FOREIGN, MIB, echo, handshake, problem_of
from tests.support.panel_process import NO_TLS, RunningPanel

server = each_of(*EVERY_WAY, matters=True)


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
            assert same(socket.recv(timeout=30), frame)


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_a_compressing_client_gets_the_same(panel: RunningPanel, frame: str | bytes) -> None:
    with echo(panel, compression="deflate") as socket:
        socket.send(frame)
        assert same(socket.recv(timeout=30), frame)


def test_frames_of_both_types_come_back_in_order(panel: RunningPanel) -> None:
    frames = [str(n) if n % 3 else str(n).encode() for n in range(1000)]
    with echo(panel) as socket:
        for frame in frames:
            socket.send(frame)

        assert [socket.recv(timeout=30) for _ in frames] == frames


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

        assert same(socket.recv(timeout=30), type(fragments[0])().join(fragments))


def test_a_letter_may_be_split_between_fragments(panel: RunningPanel) -> None:
    light = "💡".encode()
    with echo(panel) as socket:
        socket.send(iter([light[:1], light[1:3], light[3:]]), text=True)

        assert socket.recv(timeout=30) == "💡"


def test_a_ping_is_answered_even_between_fragments(panel: RunningPanel) -> None:
    with echo(panel) as socket:
        assert socket.ping(b"before").wait(10)

        def fragments() -> Iterator[str]:
            yield "hel"
            assert socket.ping(b"between").wait(10)
            yield "lo"

        socket.send(fragments())
        assert socket.recv(timeout=30) == "hello"
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
    with echo(panel) as other, echo(panel, close_timeout=30) as socket:
        assert closing_code(socket, iter(frame) if isinstance(frame, list) else frame) == 1009

        other.send("still here")
        assert other.recv(timeout=30) == "still here"


def test_much_more_is_cut_off(panel: RunningPanel) -> None:
    with echo(panel, close_timeout=30) as socket:
        # A close frame that meets data still on its way may be lost in the reset that follows (RFC 1122, 4.2.2.13).
        assert closing_code(socket, b"x" * (4 * MIB)) in (None, 1009)


def test_the_limit_is_a_setting(server: str, start_panel: Any) -> None:
    panel = start_panel(server=server, max_frame=2048)
    with echo(panel) as socket:
        socket.send("x" * 2048)
        assert socket.recv(timeout=30) == "x" * 2048
        assert closing_code(socket, "x" * 2049) == 1009


def test_text_that_is_no_utf_8_is_closed_with_1007(panel: RunningPanel) -> None:
    with echo(panel) as socket:
        code = closing_code(socket, b"\xff\xfe", text=True)
    assert code == 1007


def closing_code(socket: ClientConnection, frame: Any, **options: Any) -> int | None:
    """Send it, and the code that the panel closes with, before this client would lose its patience; None for none."""
    try:
        socket.send(frame, **options)
        while True:
            socket.recv(timeout=15)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_a_client_that_closes_gets_its_code_back(panel: RunningPanel, code: int) -> None:
    with echo(panel) as socket:
        socket.send("hello")
        socket.recv(timeout=30)
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
        assert other.recv(timeout=30) == "still here"


def test_nobody_gets_what_another_sent(panel: RunningPanel) -> None:
    with echo(panel) as one, echo(panel) as two:
        one.send("one")
        two.send("two")
        assert (one.recv(timeout=30), two.recv(timeout=30)) == ("one", "two")
        one.send("end")
        two.send("end")
        assert (one.recv(timeout=30), two.recv(timeout=30)) == ("end", "end")


async def test_aiohttp_s_websocket_is_echoed(panel: RunningPanel) -> None:
    async with aiohttp.ClientSession(panel.url) as session, session.ws_connect("/echo") as socket:
        await socket.send_str("close")
        assert await socket.receive_str(timeout=30) == "close"
        await socket.send_bytes(b"")
        assert await socket.receive_bytes(timeout=30) == b""


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


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
def test_a_plain_request_is_told_that_this_is_a_websocket(panel: RunningPanel, method: str) -> None:
    answer = httpx.request(method, panel.url + "/echo", timeout=30, verify=NO_TLS)

    assert answer.status_code in ((400, 426) if method in ("GET", "HEAD") else (400, 405, 426))
    if method == "GET":
        problem_of(answer, answer.status_code)


def same(came: str | bytes, sent: str | bytes) -> bool:
    """Equal, of the same type; without pytest's comparison of a MiB on failure."""
    return type(came) is type(sent) and came == sent
