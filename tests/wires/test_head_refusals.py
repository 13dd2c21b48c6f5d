"""A refused `HEAD` gets the head of its refusal and no content, whoever refuses it (RFC 9110, 9.3.2)."""

from __future__ import annotations

import socket

import pytest

from tests.conftest import EVERY_WAY, each_of
from tests.support.panel_process import RunningPanel

server = each_of(*EVERY_WAY, matters=True)

HOST = b"Host: 127.0.0.1\r\n"
CASES = {
    "two lengths": (b"HEAD /led HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "no host": (b"HEAD /led HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"HEAD /led HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    "another host": (b"HEAD /led HTTP/1.1\r\nHost: evil.com\r\n\r\n", 421),
    "a version": (b"HEAD /led HTTP/1.3\r\n" + HOST + b"\r\n", 400),
    "a target without a slash": (b"HEAD led HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a long target": (b"HEAD /" + b"x" * 33_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "many headers": (b"HEAD /led HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 600 + b"\r\n", 431),
    "an unknown path": (b"HEAD /nothing HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    "a bad token": (b"HEAD /led HTTP/1.1\r\n" + HOST + b"Authorization: Bearer no\r\n\r\n", 401),
}


@pytest.mark.parametrize(("sent", "status"), CASES.values(), ids=CASES)
def test_a_refused_head_has_no_content(panel: RunningPanel, sent: bytes, status: int) -> None:
    with socket.create_connection(("127.0.0.1", panel.port), 20) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    head, end, content = answer.partition(b"\r\n\r\n")
    assert (head.split(b" ")[1], end, content) == (b"%d" % status, b"\r\n\r\n", b"")
    assert panel.complaints() == []
