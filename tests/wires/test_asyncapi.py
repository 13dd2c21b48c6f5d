"""`/asyncapi.json` over HTTP: where it says the panel is, compressed, and kept by the client until it changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx

from tests.support.certificates import issue, trusting
from tests.support.panel_process import RunningPanel


def test_it_names_the_address_that_was_asked(panel: RunningPanel) -> None:
    for host in (panel.url.removeprefix("http://"), "localhost:8080", "[::1]:5000"):
        servers = panel.get("/asyncapi.json", headers={"Host": host}).json()["servers"]
        assert {name: (server["protocol"], server["host"]) for name, server in servers.items()} == {
            "websocket": ("ws", host),
            "socketio": ("socketio", host),
        }


def test_it_is_compressed_and_not_sent_twice(panel: RunningPanel) -> None:
    plain = panel.get("/asyncapi.json", headers={"Accept-Encoding": "identity"})
    packed = panel.get("/asyncapi.json", headers={"Accept-Encoding": "gzip"})
    assert plain.json() == packed.json()
    assert (plain.headers["Content-Type"], packed.headers["Content-Encoding"]) == ("application/json", "gzip")
    assert int(packed.headers["Content-Length"]) < 32_000 < int(plain.headers["Content-Length"])
    again = panel.get("/asyncapi.json", headers={"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_over_tls_it_names_secure_sockets(start_panel: Callable[..., RunningPanel], tmp_path: Path) -> None:
    certificate, key = issue(tmp_path)
    panel = start_panel(cert=certificate, key=key)
    document = httpx.get(f"{panel.url}/asyncapi.json", verify=trusting()).json()
    assert document["servers"]["websocket"]["protocol"] == "wss"
