"""Upgrades through a real nginx: as docs/how-to/put-behind-a-proxy.md writes it, and as careless ones are written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from asgi_app.ws.transport.frames import TEXT
from tests.conftest import SERVERS, each_of
from tests.support.nginx import Nginx
from tests.support.panel_process import RunningPanel
from tests.support.raw_http import head, masked, opening, plugged

H2C = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA"}
STRANGER = {"X-Forwarded-For": "203.0.113.9"}  # nginx adds its own, and it is the last that is no proxy's

server = each_of(*SERVERS, matters=True)


class Careless(Nginx):
    """An nginx that passes every upgrade on."""

    def _configuration(self) -> str:
        documented = super()._configuration()
        careless = documented.replace('{ default ""; websocket websocket; }', "{ default $http_upgrade; }")
        assert careless != documented
        return careless


@pytest.fixture(scope="module", params=[Nginx, Careless])
def nginx(request: pytest.FixtureRequest, server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    directory = tmp_path_factory.mktemp("proxied")
    with (
        RunningPanel(directory / "data", server=server, trusted_proxies="127.0.0.1") as panel,
        request.param(panel, directory / "nginx") as running,
    ):
        yield running


@pytest.mark.parametrize("upgrade", ["h2c", "H2C", "h2c, websocket", "TLS/1.0", "foo"])
def test_no_other_upgrade_becomes_a_tunnel(nginx: Nginx, upgrade: str) -> None:
    """Through a tunnel, a stranger's next requests would count as the proxy's."""
    with plugged(nginx.port) as plug:
        for _ in range(1 if "websocket" in upgrade else 2):  # the second is read by nginx as the first was
            plug.say(head("GET", "/led", **{**H2C, "Upgrade": upgrade}, **STRANGER))
            answer = plug.answer()
            assert answer.status == (426 if "websocket" in upgrade and isinstance(nginx, Careless) else 401)
            assert "upgrade" not in (answer.headers["connection"] or "").lower()
            assert answer.headers["server"].startswith("nginx")


def test_the_preface_of_http2_becomes_no_tunnel(nginx: Nginx) -> None:
    with plugged(nginx.port) as plug:
        plug.say(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
        assert plug.answer().status in (400, 405, 505)


@pytest.mark.parametrize("upgrade", ["websocket", "WebSocket"])
def test_a_websocket_is_passed_on(nginx: Nginx, upgrade: str) -> None:
    with plugged(nginx.port) as plug:
        plug.say(opening(Upgrade=upgrade))
        assert plug.answer().status == 101
        plug.say(masked(b"through", TEXT))
        assert plug.frame() == b"through"
