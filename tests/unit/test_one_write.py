"""A response's head goes out with the beginning of its body."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from asgi_app.server.uvicorn_http import PIECE, OneWrite

HEAD, BODY = b"HTTP/1.1 200 OK\r\n\r\n", b"body"


class Line:
    """What is written to a transport."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@pytest.fixture
async def line() -> Line:
    return Line()


@pytest.fixture
async def response(line: Line) -> OneWrite:
    return OneWrite(cast(Any, line), asyncio.get_running_loop())


@pytest.mark.parametrize(
    ("pieces", "written"),
    [
        ([HEAD, BODY], [HEAD + BODY]),
        ([HEAD, BODY, BODY], [HEAD + BODY, BODY]),
        ([HEAD, b""], [HEAD]),
        ([HEAD, b"x" * (PIECE + 1)], [HEAD, b"x" * (PIECE + 1)]),  # not worth a copy
        ([HEAD, None, BODY], [HEAD, BODY]),  # None: a turn of the loop, in which the head goes alone
        ([HEAD, None], [HEAD]),
        ([HEAD, "flush"], [HEAD]),  # at the end of the response, such as an answer to HEAD
        ([HEAD, BODY, "flush"], [HEAD + BODY]),
        ([HEAD, "close"], [HEAD]),
        ([HEAD, BODY, "close"], [HEAD + BODY]),
    ],
)
async def test_pieces_are_written(
    line: Line, response: OneWrite, pieces: list[bytes | str | None], written: list[bytes]
) -> None:
    for piece in pieces:
        match piece:
            case None:
                await asyncio.sleep(0)
            case "flush":
                response.flush()
            case "close":
                response.close()
            case bytes():
                response.write(piece)
    await asyncio.sleep(0)
    assert [data for data in line.written if data] == written
    assert line.closed is ("close" in pieces)


async def test_nothing_is_written_to_a_connection_that_was_lost(line: Line, response: OneWrite) -> None:
    response.write(HEAD)
    line.close()
    await asyncio.sleep(0)
    assert line.written == []
