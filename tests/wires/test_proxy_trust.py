"""Where a proxy on 127.0.0.1 is named: strangers stay strangers on every wire, and this machine's programs prove it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.sync.client import connect

from asgi_app.net.machine_key import headers_for
from tests.conftest import SERVERS, each_of
from tests.support.panel_process import RunningPanel, run_pilotlight
from tests.support.raw_http import ask, opening

server = each_of(*SERVERS, matters=True)

FOR = "X-Forwarded-For"
UNCLEAR: list[list[tuple[str, str]]] = [
    [],
    [(FOR, "")],
    [(FOR, "unknown, 127.0.0.1")],
    [(FOR, "unknown"), (FOR, "127.0.0.1")],
    [(FOR, "[::1]evil.com")],
    [(FOR, "127.0.0.1"), ("CF-Connecting-IP", "203.0.113.9")],
    [("Forwarded", "for=unknown")],
    [("Forwarded", 'for="[::1]", for=')],
    [(FOR, "127.0.0.1"), ("Forwarded", "for=203.0.113.9")],
    [("X-Real-IP", "127.0.0.1")],
    [("Via", "1.1 proxy")],
]


@pytest.fixture(scope="module")
def named(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel that names this machine as its proxy: the tests are the proxy."""
    data = tmp_path_factory.mktemp("named") / "data"
    with RunningPanel(data, server=server, trusted_proxies="127.0.0.1") as running:
        yield running


def me(panel: RunningPanel, headers: list[tuple[str, str]]) -> dict[str, Any]:
    answer: dict[str, Any] = panel.get("/access/me", headers=headers).json()
    return answer


@pytest.mark.parametrize("headers", UNCLEAR, ids=repr)
def test_a_proxy_that_does_not_say_clearly_who_asks_asks_for_a_stranger(
    named: RunningPanel, headers: list[tuple[str, str]]
) -> None:
    found = me(named, headers)
    assert (found["role"], found["how"], found["address"]) == ("nobody", "elsewhere", "behind 127.0.0.1")
    assert named.post("/led", json={"level": 1}, headers=headers).status_code == 401
    assert named.get("/audit", headers=headers).status_code == 401
    with connect(named.socket_url("/live"), additional_headers=headers) as socket:
        assert json.loads(socket.recv(10))["problem"]["type"].endswith(":sign-in-needed")
    with connect(named.socket_url("/socket.io/?EIO=4&transport=websocket"), additional_headers=headers) as socket:
        socket.recv(10)
        socket.send("40")
        assert str(socket.recv(10)).startswith("44")


@pytest.mark.parametrize("headers", UNCLEAR[1:], ids=repr)
def test_a_proxy_that_nobody_named_asks_for_a_stranger(panel: RunningPanel, headers: list[tuple[str, str]]) -> None:
    assert me(panel, headers)["role"] == "nobody"
    assert me(panel, [])["role"] == "admin"


def test_strangers_behind_a_proxy_have_their_rate(named: RunningPanel, server: str) -> None:
    headers = {FOR: "unknown"}
    answers = {named.post("/api", json={}, headers=headers).status_code for _ in range(5)}
    assert answers == {401}
    with RunningPanel(named.data.parent / "slow", server=server, trusted_proxies="127.0.0.1", rest_rate=1) as slow:
        codes = [slow.post("/led", json={"level": 1}, headers=headers).status_code for _ in range(4)]
    assert codes[-1] == 429


def test_the_machines_own_command_still_works(named: RunningPanel) -> None:
    done = run_pilotlight("run", f"--panel={named.url}", "--name=from here", "--", "echo", "seen")
    assert (done.returncode, done.stdout, done.stderr) == (0, "seen\n", "")
    key = headers_for(named.url)
    runs = named.get("/runs", headers=key).json()["runs"]
    assert [run["name"] for run in runs] == ["from here"]
    assert named.get("/access/me", headers=key).json()["how"] == "loopback"


def test_the_key_is_no_longer_good_after_the_panel(named: RunningPanel, server: str) -> None:
    with RunningPanel(named.data.parent / "other", server=server, trusted_proxies="127.0.0.1") as other:
        key = headers_for(other.url)
        assert other.get("/led", headers=key).status_code == 200
        assert named.get("/led", headers=key).status_code == 401
        other.stop()
        assert headers_for(other.url) == {}


def test_a_panel_without_a_proxy_on_this_machine_hands_out_no_key(panel: RunningPanel) -> None:
    assert headers_for(panel.url) == {}


def test_an_address_with_a_token_or_of_another_machine_gets_no_key(named: RunningPanel) -> None:
    assert headers_for(named.url.replace("http://", "http://me:plt_x@")) == {}
    assert headers_for(named.url.replace("127.0.0.1", "192.0.2.1")) == {}
    assert headers_for(named.url.replace("127.0.0.1", "localhost"))


def test_the_key_stays_out_of_the_log_and_the_child(named: RunningPanel) -> None:
    done = run_pilotlight("run", f"--panel={named.url}", "--", "env")
    assert "plm_" not in done.stdout
    assert "plm_" not in named.log()


@pytest.mark.parametrize(
    ("proto", "status"), [("https", 101), ("wss", 101), ("WSS", 101), ("ws", 403), ("http", 403), ("wsss", 403)]
)
@pytest.mark.parametrize("path", ["/live", "/echo", "/socket.io/?EIO=4&transport=websocket"])
def test_a_page_that_came_by_tls_gets_its_socket(named: RunningPanel, path: str, proto: str, status: int) -> None:
    own = {"Origin": "https://127.0.0.1", "X-Forwarded-Host": "127.0.0.1"}
    proxied = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": proto}
    assert ask(named.port, opening(path, **own, **proxied)).status == status
