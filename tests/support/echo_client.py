"""A client of `ws /echo` and of its handshake from another origin."""

from __future__ import annotations

from typing import Any

import httpx
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.support.panel_process import RunningPanel

MIB = 1024 * 1024


FOREIGN = "https://foreign.page"


JSON = "application/json"


def problem_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The problem in an answer, which is one of RFC 9457 with this status."""
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["type"].startswith("urn:pilotlight:problem:")
    assert isinstance(problem["errors"], list)
    return problem


def echo(panel: RunningPanel, **options: Any) -> connect:
    """A WebSocket to `/echo` of the stock library, with no Origin unless `origin` says one."""
    return connect(panel.socket_url("/echo"), **{"max_size": None, "compression": None, "open_timeout": 10} | options)


def handshake(panel: RunningPanel, origin: str | None) -> int:
    """The status of a WebSocket handshake; 101 when the echo works."""
    try:
        with echo(panel, origin=origin) as socket:
            socket.send("hello")
            assert socket.recv(timeout=30) == "hello"
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code
