"""What no answer may lack, and what none may have: security headers, tracebacks, a debugger, a server's name."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from tests.support.failing_pins import SECRET
from tests.support.panel_process import NO_TLS, RunningPanel
from tests.support.python_client import PythonClient

PAGES = ("/", "/chat", "/ws", "/watch", "/compare", "/lab", "/settings", "/settings/system", "/docs", "/docs/sockets")
ANSWERS = (
    ("GET", "/led", 200),
    ("POST", "/led", 400),
    ("PUT", "/led", 405),
    ("GET", "/nothing/here", 404),
    ("GET", "/static/js/lights/state.js", 200),
    ("GET", "/static/nothing.js", 404),
    ("OPTIONS", "/led", 200),
    ("GET", "/health/ready", 200),
    ("GET", "/metrics", 200),
    ("GET", "/openapi.json", 200),
    ("GET", "/asyncapi.json", 200),
    ("GET", "/live", 400),
    ("GET", "/socket.io/?EIO=4&transport=polling", 200),
    ("GET", "/socket.io/?EIO=4&transport=nothing", 400),
    ("GET", "/console", 404),
)


def policy(response: httpx.Response) -> dict[str, list[str]]:
    """The Content-Security-Policy, by directive."""
    directives = [part.split() for part in response.headers["Content-Security-Policy"].split(";")]
    return {name: sources for name, *sources in directives}


def check(response: httpx.Response) -> None:
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert "camera=()" in response.headers["Permissions-Policy"]
    assert policy(response)["default-src"] == policy(response)["frame-ancestors"] == ["'none'"]
    assert "Server" not in response.headers
    assert "X-Powered-By" not in response.headers
    assert "Traceback" not in response.text


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_its_own_code_only(panel: RunningPanel, page: str) -> None:
    response = panel.get(page)
    check(response)
    assert policy(response)["script-src"] == policy(response)["connect-src"] == ["'self'"]
    assert policy(response)["base-uri"] == policy(response)["form-action"] == ["'none'"]
    inline = ["'self'", "'unsafe-inline'"] if page == "/docs" else ["'self'"]  # the viewer's own elements
    assert policy(response)["style-src"] == inline


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
def test_an_answer_that_is_no_page_loads_nothing(panel: RunningPanel, method: str, path: str, status: int) -> None:
    response = httpx.request(method, panel.url + path, timeout=30, verify=NO_TLS)
    assert response.status_code == status
    check(response)
    assert set(policy(response)) == {"default-src", "frame-ancestors"}


# --- the setting frame_ancestors -----------------------------------------------------------------------------------

HOME_ASSISTANT = "https://ha.local:8123"
BROWSER = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def embedded(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    data = tmp_path_factory.mktemp("embedded") / "data"
    with RunningPanel(data, server=server, frame_ancestors=HOME_ASSISTANT) as panel:
        yield panel


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {}, 200),
        ("/docs", {}, 200),
        ("/nothing/here", BROWSER, 404),
        ("/", BROWSER | {"Host": "evil.example"}, 421),  # by the gateway
    ],
)
def test_whose_pages_may_embed_a_page(embedded: RunningPanel, path: str, headers: dict[str, str], status: int) -> None:
    response = embedded.get(path, headers=headers)
    assert response.status_code == status
    assert policy(response)["frame-ancestors"] == [HOME_ASSISTANT]
    assert policy(response)["default-src"] == ["'none'"]
    assert "X-Frame-Options" not in response.headers


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
def test_nothing_but_pages_is_embedded(embedded: RunningPanel, method: str, path: str, status: int) -> None:
    response = httpx.request(method, embedded.url + path, timeout=30, verify=NO_TLS)
    assert response.status_code == status
    check(response)


# --- faults --------------------------------------------------------------------------------------------------------


class FailingPanel(RunningPanel):
    """A panel with a fault in every room."""

    def program(self) -> Sequence[str]:
        return (sys.executable, "-m", "tests.support.failing_pins")


@pytest.fixture(scope="module")
def failing(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    with FailingPanel(tmp_path_factory.mktemp("failing") / "data", server=server) as panel:
        yield panel


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/led", {"level": 5}),
        ("POST", "/lights/led/undo", {}),
        ("GET", "/chat/rooms/lobby/messages", None),
    ],
)
def test_a_fault_over_rest_is_a_problem_and_no_traceback(
    failing: RunningPanel, method: str, path: str, body: object
) -> None:
    response = httpx.request(method, failing.url + path, json=body, timeout=30, verify=NO_TLS)
    assert (response.status_code, response.json()["type"]) == (500, "urn:pilotlight:problem:internal-error")
    check(response)
    assert SECRET not in response.text
    assert "asgi_app" not in response.text


async def test_a_fault_on_a_socket_tells_nothing(failing: RunningPanel) -> None:
    heard: list[str] = []
    try:
        async with connect(failing.socket_url("/live")) as socket:
            await socket.send(json.dumps({"do": "set_light", "id": 1, "light": "led", "level": 5}))
            async for text in socket:
                heard.append(str(text))
    except ConnectionClosedError as closed:
        heard.append(str(closed))  # 1011
    except InvalidStatus as refused:
        heard.append(str(refused.response.body))
    assert not any(SECRET in text or "Traceback" in text for text in heard)


async def test_a_fault_on_socketio_is_a_problem_in_the_ack(failing: RunningPanel) -> None:
    client = await PythonClient.connect(failing.url, namespace="/panel")
    (problem,) = await client.ask("ask", {"do": "set_light", "id": 1, "light": "led", "level": 5})
    assert problem["type"] == "urn:pilotlight:problem:internal-error"
    assert SECRET not in json.dumps(problem)
    await client.disconnect()


def test_the_log_has_the_traceback_that_nobody_got(failing: RunningPanel) -> None:
    httpx.post(f"{failing.url}/led", json={"level": 5}, timeout=30, verify=NO_TLS)
    assert SECRET in failing.log()
    assert "[fault path=/led]" in failing.log()
