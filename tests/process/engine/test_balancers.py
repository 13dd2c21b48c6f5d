"""The configurations of docs/scale.md, run by HAProxy and nginx before two fronts."""

from __future__ import annotations

import asyncio
import http.server
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.balancers import BALANCERS, Balancer, HAProxy
from tests.support.certificates import issue, trusting
from tests.support.home import Home
from tests.support.live_client import live
from tests.support.node_clients import NodeClients
from tests.support.panel_process import RunningPanel, eventually
from tests.support.slow_cases import slow
from tests.support.stock_clients import join

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD = "f1-secret"
TAIL = "Aa0_-" * 4  # what follows the name in an id of Engine.IO
POLLING = "/socket.io/?EIO=4&transport=polling"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A node with a light, and two fronts; the first has a user of Redis of its own."""
    with Home(tmp_path) as home:
        let_in_the_first(home)
        home.node("hall", "led")
        known = {"trusted_proxies": "127.0.0.1"}
        home.front("f1", node="f1", engine=home.redis.url.replace("//", f"//f1:{PASSWORD}@"), **known)
        home.front("f2", node="f2", **known)
        for name in ("f1", "f2"):  # who asks them past the balancer is a stranger, unless it says who it is
            home.panels[name]._http.headers["X-Forwarded-For"] = "127.0.0.1"
        yield home


def let_in_the_first(home: Home) -> None:
    """Let the first front use Redis."""
    home.redis.do("ACL", "SETUSER", "f1", "on", f">{PASSWORD}", "~*", "&*", "+@all")


@pytest.fixture(params=BALANCERS)
def balancer(home: Home, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Balancer]:
    with BALANCERS[request.param](tmp_path / request.param, ports(home)) as balancer:
        yield balancer


@pytest.fixture
def haproxy(home: Home, tmp_path: Path) -> Iterator[HAProxy]:
    with HAProxy(tmp_path / "haproxy", ports(home)) as haproxy:
        yield haproxy


def ports(home: Home) -> list[int]:
    """Those of its fronts."""
    return [home.panels[name].port for name in ("f1", "f2")]


def clients(panel: RunningPanel, transport: str) -> float:
    """How many clients the panel itself has."""
    return panel.metrics()["pilotlight_clients", transport]


def ready(panel: RunningPanel) -> bool:
    """Whether the panel is ready, asked as the balancers ask."""
    return panel.get("/health/ready").status_code == 200


async def test_every_wire_gets_in(home: Home, balancer: Balancer, node: NodeClients) -> None:
    panel = balancer.panel
    assert "<main" in panel.get("/").text
    assert panel.get("/static/js/page.js").status_code == 200
    assert panel.patch("/lights/hall.led", {"level": 21}).json()["actual"] == 21
    async with live(panel) as client:
        assert (await client.ask("set_light", light="hall.led", level=22))["light"]["actual"] == 22
    page = await join("4 websocket", panel, node)
    await page.emit("led", {"level": 23})
    home.agree("hall.led", {"level": 23, "actual": 23.0})
    while (await page.inbox.next("led"))[0] != {"level": 23}:
        pass
    screen = await join("4 websocket", panel, node, "/panel")
    answer = (await screen.ask("ask", {"do": "set_light", "light": "hall.led", "level": 24}))[0]
    assert answer["light"]["actual"] == 24
    await page.disconnect()
    await screen.disconnect()


@pytest.mark.slow
async def test_both_fronts_have_screens_and_know_their_address(home: Home, balancer: Balancer) -> None:
    async with live(balancer.panel), live(balancer.panel), live(balancer.panel), live(balancer.panel):
        assert [clients(home.panels[name], "live") for name in ("f1", "f2")] == [2, 2]
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "evil.example", "Forwarded": "for=203.0.113.9"}
    for headers in ({}, forged):
        answer = balancer.panel.get("/access/me", headers=headers)
        assert (answer.status_code, answer.json()["role"]) == (200, "admin")  # as a browser of this machine


async def test_a_session_that_polls_comes_back_to_its_front(tmp_path: Path) -> None:
    """The rule alone: each server says its own name."""
    servers = {name: Names(name) for name in ("f1", "f2")}
    try:
        for kind, make in BALANCERS.items():
            with make(tmp_path / kind, [server.port for server in servers.values()]) as balancer:

                def found(sid: str, balancer: Balancer = balancer) -> set[str]:
                    path = f"{POLLING}&t=1&sid={sid}"
                    return {balancer.panel.get(path).text for _ in range(4)} | {balancer.panel.post(path).text}

                assert found(f"f1-{TAIL}") == {"f1"}
                assert found(f"f2-{TAIL}") == {"f2"}
                for other in (TAIL, f"f1-{TAIL}x", f"f1-{TAIL[1:]}", f"xf1-{TAIL}", f"f3-{TAIL}"):
                    assert found(other) == {"f1", "f2"}, other
    finally:
        for server in servers.values():
            server.close()


class Names(http.server.ThreadingHTTPServer):
    """A server that answers its name."""

    def __init__(self, name: str) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(name)))
                self.end_headers()
                self.wfile.write(name.encode())

            do_POST = do_GET

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.port: int = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End it."""
        self.shutdown()
        self.server_close()


@pytest.mark.slow
@pytest.mark.parametrize("client", ["4 polling", *slow("3 polling", "python")])  # Python's changes over
async def test_polling(home: Home, balancer: Balancer, node: NodeClients, client: str) -> None:
    sid = re.search(r'"sid":"([^"]+)"', balancer.panel.get(POLLING).text)
    assert sid
    assert re.fullmatch(r"f[12]-[A-Za-z0-9_-]{20}", sid[1])
    sockets = [await join(client, balancer.panel, node) for _ in range(6)]
    kinds = ("socketio_polling", "socketio_websocket")
    assert [sum(clients(home.panels[name], kind) for kind in kinds) >= 2 for name in ("f1", "f2")] == [True, True]
    for level, socket in enumerate(sockets, 41):
        await socket.emit("led", {"level": level})
        for other in sockets:
            while (await other.inbox.next("led"))[0] != {"level": level}:
                pass
    home.agree("hall.led", {"level": 46, "actual": 46.0})

    home.panels["f1"].kill()  # its sessions go to the other front, which refuses them, so that they connect again
    second = home.panels["f2"]
    await asyncio.to_thread(eventually, lambda: sum(clients(second, kind) for kind in kinds) == 6)
    second.patch("/lights/hall.led", {"level": 77})
    for socket in sockets:
        while (await socket.inbox.next("led"))[0] != {"level": 77}:
            pass
        await socket.disconnect()


@pytest.mark.slow
async def test_clients_of_a_front_that_is_killed_come_back_through_the_other(
    home: Home, balancer: Balancer, node: NodeClients
) -> None:
    first, second = home.panels["f1"], home.panels["f2"]
    eventually(lambda: ready(first) and ready(second))  # nginx does not ask
    pages = [await join("4 websocket", balancer.panel, node) for _ in range(4)]
    assert clients(first, "socketio_websocket") == 2
    first.kill()
    assert [balancer.panel.get("/").status_code for _ in range(6)] == [200] * 6
    for number in range(4):
        async with live(balancer.panel) as client:
            assert (await client.ask("set_light", light="hall.led", level=number))["ok"]
    await asyncio.to_thread(eventually, lambda: clients(second, "socketio_websocket") == 4)
    home.agree("hall.led", {"level": 3}, second)
    await pages[0].emit("led", {"level": 33})
    home.agree("hall.led", {"level": 33}, second)
    first.start()
    eventually(lambda: balancer.panel.get("/").status_code == 200 and first.metrics()["pilotlight_connections", ""])


@pytest.mark.slow
async def test_a_front_without_redis_gets_no_new_clients(home: Home, haproxy: HAProxy) -> None:
    first, second = home.panels["f1"], home.panels["f2"]
    assert not haproxy.is_down("f1")
    home.redis.do("ACL", "SETUSER", "f1", "off")
    home.redis.do("CLIENT", "KILL", "USER", "f1")
    eventually(lambda: haproxy.is_down("f1"))
    assert not ready(first)
    assert [ready(haproxy.panel) for _ in range(10)] == [True] * 10
    assert haproxy.panel.light("hall.led")["online"]
    let_in_the_first(home)
    eventually(lambda: ready(first) and not haproxy.is_down("f1"))
    second.kill()
    eventually(lambda: haproxy.is_down("f2"))
    assert ready(haproxy.panel)


@pytest.mark.slow
async def test_while_redis_is_away_the_pages_say_why(home: Home, haproxy: HAProxy) -> None:
    home.redis.kill()
    eventually(lambda: haproxy.is_down("f1") and haproxy.is_down("f2"))
    light = haproxy.panel.light("hall.led")
    assert not light["online"]
    assert "no connection to the others" in light["reason"]
    home.redis.start()
    let_in_the_first(home)
    home.agree("hall.led", {"online": True})
    eventually(lambda: not haproxy.is_down("f1") and not haproxy.is_down("f2"))


@pytest.mark.slow
@pytest.mark.slow
async def test_a_front_that_hangs_is_taken_out(home: Home, haproxy: HAProxy) -> None:
    home.panels["f1"].process.send_signal(signal.SIGSTOP)
    eventually(lambda: haproxy.is_down("f1"))
    async with live(haproxy.panel), live(haproxy.panel), live(haproxy.panel):
        assert clients(home.panels["f2"], "live") == 3
    home.panels["f1"].process.send_signal(signal.SIGCONT)
    eventually(lambda: not haproxy.is_down("f1"))


@pytest.mark.slow
async def test_the_certificate_of_the_page(home: Home, tmp_path: Path) -> None:
    """HAProxy takes one file with the certificate and its key."""
    cert, key = issue(tmp_path)
    both = tmp_path / "light.pem"
    both.write_text(cert.read_text() + key.read_text())
    with HAProxy(tmp_path / "haproxy", ports(home), both) as balancer:
        async with httpx.AsyncClient(verify=trusting()) as browser:
            page = await browser.get(balancer.panel.url + "/")
        assert "<main" in page.text
