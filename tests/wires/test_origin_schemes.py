"""Every origin that a client can send: refused on every wire until it is named, and then let in on every wire."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.conftest import SERVERS, each_of
from tests.support.panel_process import RunningPanel
from tests.wires.test_origins import Page

server = each_of(*SERVERS, matters=True)

ORIGINS = [
    "null",
    "file://",
    "capacitor://localhost",
    "app://.",
    "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
    "moz-extension://0a1b2c3d-0000-4000-8000-000000000000",
    "http://[fd00::7]:8080",
]


@pytest.fixture(scope="module")
def naming(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel whose settings file names them all."""
    data = tmp_path_factory.mktemp("naming") / "data"
    with RunningPanel(data, server=server, lights=f"cors_origins = {json.dumps(ORIGINS)}\n") as running:
        yield running


@pytest.mark.parametrize("origin", ORIGINS)
def test_an_origin_that_is_named_may_use_every_wire(panel: RunningPanel, naming: RunningPanel, origin: str) -> None:
    refused = Page(panel, origin)
    assert refused.live() == 403
    assert refused.socketio_polling() == 400
    assert refused.request("POST", "/led", json={"level": 5}).status_code == 403
    assert f"cors_origins = ['{origin}'] would allow it" in panel.log()

    page = Page(naming, origin)
    assert page.live() == page.socketio_websocket() == 101
    polled = page.request("GET", "/socket.io/?EIO=4&transport=polling")
    answers = [page.request("POST", "/led", json={"level": 5}), page.request("GET", "/led"), polled]
    wanted = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "content-type"}
    answers.append(page.request("OPTIONS", "/lights/led", headers=wanted))
    for answer in answers:
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Origin"] == origin


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
def test_the_names_of_this_machine_are_one_origin_on_every_wire(panel: RunningPanel, name: str, host: str) -> None:
    origin = f"http://{name}:{panel.port}"
    page = Page(panel, origin, host)
    assert page.live() == page.socketio_websocket() == 101
    assert page.socketio_polling() == 200
    answer = page.request("POST", "/led", json={"level": 5})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert Page(panel, f"http://{name}:1", host).live() == 403
    assert Page(panel, f"https://{name}:{panel.port}", host).live() == 403


@pytest.mark.parametrize("origin", [None, "null", "http://localhost:{port}", "https://foreign.page"])
def test_a_socket_where_there_is_none_is_refused_without_a_fault(panel: RunningPanel, origin: str | None) -> None:
    page = Page(panel, origin and origin.format(port=panel.port))
    assert 400 <= page._handshake("/no/such/path") < 500
    assert panel.complaints() == []
