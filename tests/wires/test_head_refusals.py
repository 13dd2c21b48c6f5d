"""A refused `HEAD` gets the head of its refusal and no content, whoever refuses it (RFC 9110, 9.3.2)."""

from __future__ import annotations

import pytest

from tests.conftest import EVERY_WAY, each_of
from tests.support.panel_process import RunningPanel
from tests.support.raw_http import HOST, head, plugged

server = each_of(*EVERY_WAY, matters=True)

CASES = {
    "two lengths": (head("HEAD", "/led", Content_Length="1", Transfer_Encoding="chunked"), 400),
    "no host": (head("HEAD", "/led", host=""), 400),
    "two hosts": (head("HEAD", "/led", host=HOST * 2), 400),
    "another host": (head("HEAD", "/led", host="Host: evil.com\r\n"), 421),
    "a version": (head("HEAD", "/led", version="1.3"), 400),
    "a target without a slash": (head("HEAD", "led"), 400),
    "a long target": (head("HEAD", "/" + "x" * 33_000), 414),
    "many headers": (head("HEAD", "/led", host=HOST + "X: y\r\n" * 600), 431),
    "an unknown path": (head("HEAD", "/nothing"), 404),
    "a bad token": (head("HEAD", "/led", Authorization="Bearer no"), 401),
}


@pytest.mark.parametrize(("sent", "status"), CASES.values(), ids=CASES)
def test_a_refused_head_has_no_content(panel: RunningPanel, sent: bytes, status: int) -> None:
    with plugged(panel.port) as plug:
        plug.say(sent)
        plug.end()
        first, end, content = plug.rest().partition(b"\r\n\r\n")
    assert (first.split(b" ")[1], end, content) == (b"%d" % status, b"\r\n\r\n", b"")
    assert panel.complaints() == []
