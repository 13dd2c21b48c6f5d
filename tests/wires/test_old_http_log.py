"""HTTP/1.0 wants to know how long an answer is: a log that is larger than may wait for that is refused by name."""

from __future__ import annotations

import json
import socket

from tests.support.panel_process import RunningPanel


def test_a_log_that_is_too_large_for_http_1_0_is_refused(panel: RunningPanel) -> None:
    assert panel.post("/runs", json={"id": "old", "name": "old"}).status_code == 201
    for _ in range(6):
        assert panel.post("/runs/old/log", json={"lines": ["z" * 15_000] * 50}).status_code == 200
    with socket.create_connection(("127.0.0.1", panel.port), timeout=20) as plug:
        plug.sendall(b"GET /runs/old/log HTTP/1.0\r\nHost: localhost\r\nAccept: text/plain\r\n\r\n")
        answer = b""
        while part := plug.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 413 " in head.splitlines()[0]
    assert json.loads(body)["type"] == "urn:pilotlight:problem:too-large"
    assert panel.complaints() == []
