"""Which web pages may use the panel: one setting, `cors_origins`, for REST, native WebSockets and Socket.IO."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.support.panel_process import NO_TLS, RunningPanel, eventually

MINE = "https://my.page"
FOREIGN = "https://foreign.page"
JSON = {"Content-Type": "application/json"}

# One request of each kind of answer.
REQUESTS: list[tuple[str, str, dict[str, Any], int]] = [
    ("GET", "/led", {}, 200),
    ("HEAD", "/led", {}, 200),
    ("POST", "/led", {"json": {"level": 5}}, 200),
    ("PATCH", "/lights/led", {"json": {"level": 5}}, 200),
    ("GET", "/lights", {}, 200),
    ("GET", "/openapi.json", {}, 200),
    ("GET", "/static/jquery.min.js", {}, 200),
    ("POST", "/led", {"json": {"level": 101}}, 400),
    ("PATCH", "/lights/led", {"content": b"{bad", "headers": JSON}, 400),
    ("GET", "/nothing-here", {}, 404),
    ("GET", "/static/nothing-here", {}, 404),
    ("PATCH", "/lights/nope", {"json": {"level": 5}}, 404),
    ("PUT", "/led", {"json": {"level": 5}}, 405),
    ("POST", "/led", {"content": b" " * (1024 * 1024 + 1), "headers": JSON}, 413),
    ("PATCH", "/lights/led", {"data": {"level": "5"}}, 415),
    ("GET", "/live", {}, 400),
    ("GET", "/socket.io/?EIO=4&transport=polling", {}, 200),
    ("GET", "/socket.io/?EIO=4&transport=nothing", {}, 400),
]
NAMED = [f"{method} {path} {status}" for method, path, _, status in REQUESTS]


class Page:
    """A web page of an origin (None: a program, which sends no Origin), and how far it gets on each wire."""

    def __init__(self, panel: RunningPanel, origin: str | None, host: str = "127.0.0.1") -> None:
        self.headers = {"Origin": origin} if origin is not None else {}
        self._address = f"{host}:{panel.port}"
        self._client = httpx.Client(base_url=f"http://{self._address}", timeout=30, verify=NO_TLS)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {**options.pop("headers", {}), **self.headers}
        return self._client.request(method, path, headers=headers, **options)

    def live(self) -> int:
        """The status of the handshake of `ws /live`; 101 when it is a WebSocket."""
        return self._handshake("/live")

    def socketio_websocket(self) -> int:
        return self._handshake("/socket.io/?EIO=4&transport=websocket")

    def socketio_polling(self) -> int:
        return self.request("GET", "/socket.io/?EIO=4&transport=polling").status_code

    def _handshake(self, path: str) -> int:
        try:
            with connect(f"ws://{self._address}{path}", additional_headers=self.headers) as socket:
                assert socket.recv(timeout=30)
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code


@pytest.fixture(scope="module")
def named(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel with `--cors-origins https://my.page`."""
    data = tmp_path_factory.mktemp("named") / "data"
    with RunningPanel(data, server=server, cors_origins=MINE) as running:
        yield running


@pytest.fixture(scope="module", params=["named", "*"])
def sharing(request: pytest.FixtureRequest, named: RunningPanel, wide_open: RunningPanel) -> tuple[RunningPanel, str]:
    """A panel and an origin that it allows: by its name, and by the star."""
    return (named, MINE) if request.param == "named" else (wide_open, FOREIGN)


@pytest.fixture(scope="module")
def wide_open(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel with `--cors-origins '*'`."""
    data = tmp_path_factory.mktemp("open") / "data"
    with RunningPanel(data, server=server, cors_origins="*") as running:
        yield running


# --- without the setting -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        pytest.param("http://127.0.0.1:{port}", "127.0.0.1", id="its own"),
        pytest.param("http://localhost:{port}", "localhost", id="its own under another name"),
        pytest.param(None, "127.0.0.1", id="a program's, which is none"),
    ],
)
def test_its_own_pages_and_programs_may_use_every_wire(panel: RunningPanel, origin: str | None, host: str) -> None:
    page = Page(panel, origin and origin.format(port=panel.port), host)

    assert page.live() == page.socketio_websocket() == 101
    assert page.socketio_polling() == 200
    assert page.request("POST", "/led", json={"level": 5}).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        FOREIGN,
        "null",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "https://127.0.0.1:{port}",
        "http://127.0.0.1:{port}.foreign.page",
        "file://",
    ],
)
def test_a_foreign_page_may_use_none(panel: RunningPanel, origin: str) -> None:
    page = Page(panel, origin.format(port=panel.port))

    assert page.live() == 403
    assert page.socketio_polling() == 400
    assert 400 <= page.socketio_websocket() < 500
    answer = page.request("GET", "/led")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(("method", "path", "sent", "status"), REQUESTS, ids=NAMED)
def test_nothing_is_shared_with_a_foreign_page(
    panel: RunningPanel, method: str, path: str, sent: dict[str, Any], status: int
) -> None:
    assert "Access-Control-Allow-Origin" not in Page(panel, FOREIGN).request(method, path, **sent).headers


# --- with it -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path", "sent", "status"), REQUESTS, ids=NAMED)
def test_every_answer_is_shared_with_an_allowed_page(
    sharing: tuple[RunningPanel, str],
    method: str,
    path: str,
    sent: dict[str, Any],
    status: int,
) -> None:
    panel, origin = sharing
    page = Page(panel, origin)

    answer = page.request(method, path, **sent)

    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert "Origin" in answer.headers.get("Vary", "")


def test_an_allowed_page_may_use_the_sockets(sharing: tuple[RunningPanel, str]) -> None:
    panel, origin = sharing
    page = Page(panel, origin)

    assert page.live() == page.socketio_websocket() == 101


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/led"), ("PATCH", "/lights/led"), ("GET", "/lights"), ("POST", "/socket.io/?EIO=4&transport=polling")],
)
def test_a_preflight_allows_the_method_and_the_headers(
    sharing: tuple[RunningPanel, str], method: str, path: str
) -> None:
    panel, origin = sharing
    page = Page(panel, origin)

    wanted = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "content-type, x-client-name"}
    answer = page.request("OPTIONS", path, headers=wanted)

    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert method in listed(answer.headers["Access-Control-Allow-Methods"])
    assert {"content-type", "x-client-name"} <= listed(answer.headers["Access-Control-Allow-Headers"].lower())


def test_the_star_allows_pages_without_an_origin_of_their_own(wide_open: RunningPanel) -> None:
    """A page in a sandbox, or from a file, has the origin `null`."""
    page = Page(wide_open, "null")

    assert page.live() == page.socketio_websocket() == 101
    assert page.request("GET", "/led").headers["Access-Control-Allow-Origin"] == "null"


def test_another_page_is_as_foreign_as_before(named: RunningPanel) -> None:
    page = Page(named, FOREIGN)

    assert page.live() == 403
    assert page.socketio_polling() == 400
    assert "Access-Control-Allow-Origin" not in page.request("GET", "/led").headers


def test_its_own_pages_still_may(named: RunningPanel) -> None:
    page = Page(named, named.url)

    assert page.live() == page.socketio_websocket() == 101
    assert page.request("POST", "/led", json={"level": 5}).status_code == 200


def listed(header: str) -> set[str]:
    return {item.strip() for item in header.split(",")}


# --- the log -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda page: page.live(), id="ws"),
        pytest.param(lambda page: page.socketio_polling(), id="Socket.IO"),
        pytest.param(lambda page: page.request("GET", "/led"), id="REST"),
    ],
)
def test_a_refused_origin_is_logged_once_with_the_setting_that_would_allow_it(
    panel: RunningPanel, request: pytest.FixtureRequest, ask: Callable[[Page], Any]
) -> None:
    origin = f"https://{abs(hash(request.node.name))}.page"  # one that no other test has used
    page = Page(panel, origin)

    ask(page)
    ask(page)

    [line] = refusals(panel, origin)
    assert f"cors_origins = ['{origin}']" in line


def test_a_refused_origin_is_logged_once_whatever_it_tried(panel: RunningPanel) -> None:
    origin = "https://tries-everything.page"
    page = Page(panel, origin)

    page.live()
    page.socketio_polling()
    page.request("GET", "/led")
    page.live()

    assert len(refusals(panel, origin)) == 1


def test_the_setting_in_the_log_keeps_what_is_allowed_already(named: RunningPanel) -> None:
    origin = "https://another.page"
    Page(named, origin).live()

    [line] = refusals(named, origin)
    assert origin in line.split("cors_origins")[1]
    assert MINE in line.split("cors_origins")[1]


def refusals(panel: RunningPanel, origin: str) -> list[str]:
    """The lines of the log that say how to allow this origin; whatever was logged before is in it by now."""
    marker = f"https://marker-{len(panel.output)}.page"
    Page(panel, marker).live()
    eventually(lambda: any(marker in line for line in list(panel.output)))
    return [line for line in list(panel.output) if origin in line and "cors_origins" in line]


def test_a_foreign_page_changes_nothing_over_rest(start_panel, server: str) -> None:
    # given a panel that no other page may use
    panel: RunningPanel = start_panel(server=server)
    foreign = {"Origin": "https://evil.page"}

    # when a page of another origin sends what a browser sends without asking, then it is refused, and reads are not
    for refused in (
        panel.post("/led", data={"level": "0"}, headers=foreign),
        panel.post("/led?level=0", headers=foreign),
        panel.post("/lights/led/undo", headers=foreign),
    ):
        assert refused.status_code == 403
        assert refused.json()["type"] == "urn:pilotlight:problem:foreign-origin"
        assert "cors_origins" in refused.json()["detail"]
    assert panel.get("/led", headers=foreign).json() == {"level": 50}
    assert panel.post("/led", data={"level": "7"}, headers={"Origin": panel.url}).json() == {"level": 7}
