"""Behind a reverse proxy: which headers are trusted, and every protocol through a real nginx."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from asgi_app.errors import SetupError
from asgi_app.net.machine_key import headers_for
from asgi_app.net.proxies import PROXIED, Proxies, address_of
from asgi_app.settings import read_settings
from tests.conftest import EVERY_WAY, each_of
from tests.support.nginx import Nginx
from tests.support.panel_process import NO_TLS, RunningPanel
from tests.support.python_client import PythonClient

server = each_of(*EVERY_WAY, matters=True)

FOR, PROTO, HOST = "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"


def scope(peer: str, kind: str = "http", **headers: str) -> dict[str, Any]:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scheme = "http" if kind == "http" else "ws"
    return {"type": kind, "client": (peer, 5), "scheme": scheme, "headers": [(b"host", b"panel:5000"), *named]}


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "client", "proxied"),
    [
        ([], "192.0.2.1", None, "192.0.2.1", False),
        ([], "127.0.0.1", "203.0.113.9", "behind 127.0.0.1", True),
        (["127.0.0.1"], "192.0.2.1", "203.0.113.9", "behind 192.0.2.1", True),
        (["127.0.0.1"], "127.0.0.1", "203.0.113.9", "203.0.113.9", False),
        (["127.0.0.1"], "127.0.0.1", "127.0.0.1, 203.0.113.9", "203.0.113.9", False),  # what the client wrote itself
        (["127.0.0.1"], "127.0.0.1", "10.0.0.7, 203.0.113.9", "203.0.113.9", False),
        (["127.0.0.1", "10.0.0.0/8"], "127.0.0.1", "1.2.3.4, 203.0.113.9, 10.1.1.1", "203.0.113.9", False),
        (["127.0.0.1", "10.0.0.0/8"], "127.0.0.1", "10.0.0.7", "10.0.0.7", False),
        (["127.0.0.1"], "127.0.0.1", "127.0.0.1", "127.0.0.1", False),  # a browser on the proxy's own machine
        (["127.0.0.1"], "::ffff:127.0.0.1", "203.0.113.9", "203.0.113.9", False),
        (["::1"], "::1", "[2001:db8::9]:1234", "2001:db8::9", False),
        (["127.0.0.1"], "127.0.0.1", "203.0.113.9:4711", "203.0.113.9", False),
        (["127.0.0.1"], "127.0.0.1", None, "behind 127.0.0.1", True),  # it does not say for whom
        (["10.0.0.7"], "10.0.0.7", None, "behind 10.0.0.7", True),
        (["10.0.0.7"], "10.0.0.7", "127.0.0.1", "behind 10.0.0.7", True),  # its own machine, not this one
        (["127.0.0.1"], "127.0.0.1", "unknown", "behind 127.0.0.1", True),
        (["127.0.0.1"], "127.0.0.1", "127.0.0.1, bogus", "behind 127.0.0.1", True),
    ],
)
def test_whose_request_it_is(trusted: list[str], peer: str, forwarded: str | None, client: str, proxied: bool) -> None:
    headers = {} if forwarded is None else {FOR: forwarded}
    seen = Proxies(trusted).seen_through(scope(peer, **headers))
    assert address_of(seen) == client
    assert seen.get(PROXIED, False) is proxied


SCHEMES = {
    **dict.fromkeys(["https", "wss", "HTTPS", "Wss", "http, https", "ws,wss", " https "], True),  # Traefik says wss
    **dict.fromkeys(["http", "ws", "HTTP", "https, http", "wss,ws"], False),
    **dict.fromkeys(
        ["", ",", "gopher", "https,", "httpss", "wsss", "s", "https wss", "https;", "\u0130"], False
    ),  # as it came
}


@pytest.mark.parametrize(
    ("kind", "proto", "scheme"),
    [
        (kind, proto, secure if is_secure else plain)
        for kind, plain, secure in (("http", "http", "https"), ("websocket", "ws", "wss"))
        for proto, is_secure in SCHEMES.items()
    ],
)
def test_the_scheme_and_the_host_of_a_trusted_proxy(kind: str, proto: str, scheme: str) -> None:
    sent = scope("127.0.0.1", kind, **{FOR: "203.0.113.9", PROTO: proto, HOST: "light.example"})
    seen = Proxies(["127.0.0.1"]).seen_through(sent)
    assert seen["scheme"] == scheme
    assert [value for name, value in seen["headers"] if name == b"host"] == [b"light.example"]
    believed_of_nobody = Proxies([]).seen_through(sent)
    assert believed_of_nobody["scheme"] == ("http" if kind == "http" else "ws")
    assert [value for name, value in believed_of_nobody["headers"] if name == b"host"] == [b"panel:5000"]


@pytest.mark.parametrize("sign", ["forwarded", "via", "x-real-ip", HOST, PROTO])
def test_whatever_a_proxy_adds_gives_it_away(sign: str) -> None:
    assert Proxies([]).seen_through(scope("127.0.0.1", **{sign: "x"}))[PROXIED] is True


def test_a_peer_that_is_not_trusted_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    proxies = Proxies(["10.0.0.1"])
    for _ in range(3):
        proxies.seen_through(scope("127.0.0.1", **{FOR: "203.0.113.9"}))
    (line,) = caplog.messages
    assert "trusted_proxies = ['127.0.0.1']" in line


def test_a_setting_that_is_no_network() -> None:
    with pytest.raises(SetupError, match=r"trusted_proxies.*'my.proxy' is no address"):
        read_settings(trusted_proxies=["my.proxy"])


# --- a real nginx ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def proxied(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningPanel, Nginx]]:
    """A panel that trusts the nginx in front of it."""
    directory = tmp_path_factory.mktemp("proxied")
    with (
        RunningPanel(directory / "data", server=server, trusted_proxies="127.0.0.1") as panel,
        Nginx(panel, directory / "nginx") as nginx,
    ):
        yield panel, nginx


def test_rest_through_nginx(proxied: tuple[RunningPanel, Nginx]) -> None:
    panel, nginx = proxied
    own = {"Origin": nginx.url}  # the page's own origin has nginx's port: it is known by X-Forwarded-Host
    assert httpx.post(f"{nginx.url}/led", json={"level": 21}, headers=own, timeout=30, verify=NO_TLS).json() == {
        "level": 21
    }
    assert panel.get("/led", headers=headers_for(panel.url)).json() == {"level": 21}
    foreign = httpx.post(
        f"{nginx.url}/led",
        json={"level": 22},
        headers={"Origin": "https://elsewhere.example"},
        timeout=30,
        verify=NO_TLS,
    )
    assert foreign.status_code == 403


async def test_sockets_through_nginx(proxied: tuple[RunningPanel, Nginx]) -> None:
    panel, nginx = proxied
    pages = [
        await PythonClient.connect(nginx.url, transports=[transport], headers={"Origin": nginx.url})
        for transport in ("polling", "websocket")
    ]
    async with connect(nginx.url.replace("http", "ws") + "/live", origin=nginx.url) as socket:  # type: ignore[arg-type]
        assert "state" in json.loads(await socket.recv())
        panel.post("/led", json={"level": 31}, headers=headers_for(panel.url))
        while "level" not in (text := await socket.recv()):
            pass
        assert '"level":31' in str(text)
        for page in pages:
            await page.next("led", lambda args: args[0] == {"level": 31})
    for page in pages:
        await page.disconnect()


def test_a_proxy_that_nobody_named_is_told_of(
    start_panel: Callable[..., RunningPanel], tmp_path: Path, server: str
) -> None:
    panel = start_panel(server=server)
    with Nginx(panel, tmp_path / "nginx") as nginx:
        assert (
            httpx.get(f"{nginx.url}/led", timeout=30, verify=NO_TLS).status_code == 401
        )  # whoever that is, it is not this machine
    assert panel.log().count("trusted_proxies = ['127.0.0.1']") == 1
