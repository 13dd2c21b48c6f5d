"""Below a path of a real nginx (setting `root_path`), whether it takes the path off or leaves it: every protocol."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

import pilotlight
from asgi_app.routes.pages import PAGES
from tests.conftest import SERVERS, each_of
from tests.support.nginx import BelowKeptPath, BelowPath, Nginx
from tests.support.node_clients import NodeClients
from tests.support.panel_process import NO_TLS, RunningPanel, run_pilotlight
from tests.support.python_client import PythonClient
from tests.support.raw_http import opening, plugged
from tests.support.signing_in import pin_of
from tests.support.slow_cases import slow

server = each_of(*SERVERS, matters=True)

LINK = re.compile(r"""(?:\bhref|\bsrc)="(/[^"]*)"|['"(](/[^'"() ]*static/[^'"()]*\.\w+[^'"()]*)['")]""")
BROWSER = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def panel(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    data = tmp_path_factory.mktemp("below") / "data"
    with RunningPanel(data, server=server, trusted_proxies="127.0.0.1", root_path="/light/") as running:
        yield running


@pytest.fixture(scope="module", params=[BelowPath, BelowKeptPath], ids=["taken off", "left"])
def nginx(
    request: pytest.FixtureRequest, panel: RunningPanel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nginx]:
    with request.param(panel, tmp_path_factory.mktemp("nginx") / "nginx") as running:
        yield running


@pytest.fixture
def web(nginx: Nginx) -> Iterator[httpx.Client]:
    """A browser's requests to the panel below the path: `web.get("/led")`."""
    with httpx.Client(base_url=nginx.url, timeout=30, verify=NO_TLS) as client:
        yield client


def test_rest(nginx: Nginx, web: httpx.Client) -> None:
    own = {"Origin": nginx.url.removesuffix("/light")}
    assert web.post("/led", json={"level": 21}, headers=own).json() == {"level": 21}
    assert web.get("/lights/led").json()["level"] == 21
    assert web.get("/openapi.json").json()["servers"] == [{"url": "/light"}]
    sockets = web.get("/asyncapi.json").json()["servers"]
    assert [server["pathname"] for server in sockets.values()] == ["/light", "/light/socket.io/"]


def test_the_panel_itself_has_the_path_and_does_not_need_it(panel: RunningPanel) -> None:
    assert f"is at {panel.url}/light/\n" in panel.log()
    for path in ("/health/live", "/light/health/live", "/static/icons/icon.svg", "/light/static/icons/icon.svg"):
        assert panel.get(path).status_code == 200
    moved = panel.get("/light?transport=rest")
    assert (moved.status_code, moved.headers["Location"]) == (307, "/light/?transport=rest")
    assert moved.headers["X-Frame-Options"] == "DENY"
    for path in ("/lightning", "/light/light/led", "/dark/led"):
        assert panel.get(path).status_code == 404


def test_whatever_a_page_names_is_below_the_path(panel: RunningPanel) -> None:
    texts: dict[str, str] = {}

    def named_in(text: str) -> set[str]:
        return {address or file for address, file in LINK.findall(text)}

    def open_all(addresses: set[str]) -> None:
        assert [address for address in addresses if not address.startswith("/light/")] == []
        for address in addresses - texts.keys():
            answer = panel.get(address)
            assert answer.status_code in (200, 401), address  # 401: what only an admin may
            texts[address] = answer.text

    for path in (*PAGES, "/nothing/here"):
        page = panel.get(f"/light{path}", headers=BROWSER)
        assert page.status_code == (404 if path == "/nothing/here" else 200)
        assert len(named_in(page.text)) > 10
        open_all(named_in(page.text))
    for address, text in list(texts.items()):
        if "/static/bundle/" in address:  # letters, pictures, what is loaded later
            open_all(named_in(text))
    assert len([address for address in texts if address.endswith("woff2") or "woff2?" in address]) == 1


def test_the_manifest_and_the_worker_are_those_of_the_path(nginx: Nginx, web: httpx.Client) -> None:
    manifest = web.get("/static/manifest.webmanifest")
    start = httpx.URL(str(manifest.url)).join(manifest.json()["start_url"])
    assert str(start) == f"{nginx.url}/"
    for icon in manifest.json()["icons"]:
        assert web.get(manifest.url.join(icon["src"])).status_code == 200
    assert web.get("/static/js/service-worker.js").headers["Service-Worker-Allowed"] == "/light/"


def test_signing_in(panel: RunningPanel, nginx: Nginx, web: httpx.Client) -> None:
    signed_in = web.post("/access/sign-in", json={"pin": pin_of(panel)})
    assert signed_in.status_code == 200, signed_in.text
    cookies = [SimpleCookie(text) for text in signed_in.headers.get_list("Set-Cookie")]
    assert [cookie["path"] for one in cookies for cookie in one.values()] == ["/light", "/light"]
    assert web.get("/access/me").json()["signed_in"] is True
    assert web.post("/access/codes", json={}).json()["url"].split("#")[0] == f"{nginx.url}/"
    signed_out = web.post("/access/sign-out")
    assert SimpleCookie(signed_out.headers["Set-Cookie"]).popitem()[1]["path"] == "/light"
    assert web.get("/access/me").json()["signed_in"] is False


async def test_native_sockets(nginx: Nginx) -> None:
    top = nginx.url.replace("http", "ws")
    async with connect(f"{top}/live") as live, connect(f"{top}/echo") as echo, connect(f"{top}/light") as chat:
        assert "state" in json.loads(await live.recv())
        await live.send(json.dumps({"do": "set_light", "id": 1, "light": "led", "level": 33}))
        while "reply" not in (frame := json.loads(await live.recv())):
            pass
        assert frame["light"]["level"] == 33
        await echo.send("through")
        assert await echo.recv() == "through"
        await chat.send("no JSON")  # by somebody with the name of the path
        assert "malformed-json" in str(await chat.recv())


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("client", ["4 upgrade", "2.2 upgrade", *slow("4 polling", "4 websocket", "1 websocket")])
async def test_stock_clients_of_socketio(nginx: Nginx, node: NodeClients, client: str) -> None:
    version, transport = client.split()
    host = nginx.url.removesuffix("/light")
    options: dict[str, Any] = {"version": version, "transport": transport, "path": "/light/socket.io"}
    page = await node.connect(host, **options)
    panel = await node.connect(host, namespace="/panel", **options)
    if transport == "upgrade":
        await page.next("upgrade")
    (answer,) = await panel.ask("ask", {"do": "set_light", "id": 1, "light": "led", "level": 44})
    assert answer["ok"]
    await page.next("led", lambda args: args[0] == {"level": 44})
    await page.emit("led", {"level": 45})
    await page.next("led", lambda args: args[0] == {"level": 45})
    for socket in (page, panel):
        await socket.disconnect()


async def test_python_clients(nginx: Nginx) -> None:
    page = await PythonClient.connect(nginx.url.removesuffix("/light"), path="light/socket.io")
    async with pilotlight.connect(nginx.url) as panel:
        await panel.lights["led"].set(51)
        await page.next("led", lambda args: args[0] == {"level": 51})
    await page.disconnect()


def test_the_shell(nginx: Nginx, web: httpx.Client) -> None:
    where = {"PILOTLIGHT_PANEL": nginx.url}
    assert run_pilotlight("led", "62", env=where).returncode == 0
    assert web.get("/led").json() == {"level": 62}
    ran = run_pilotlight("run", "--id=below", "--", "echo", "hello", env=where)
    assert ran.stdout == "hello\n"
    assert "hello" in web.get("/runs/below/log", headers={"Accept": "text/plain"}).text


def test_engineio_has_its_own_pings_there_too(server: str, start_panel: Any) -> None:
    """The servers send none of theirs on a connection of Engine.IO: an old client might not answer it."""
    panel = start_panel(server=server, root_path="/light", ping_interval=0.3)
    with plugged(panel.port) as plug:
        plug.say(opening("/light/socket.io/?EIO=4&transport=websocket"))
        assert plug.answer().status == 101
        frames = [plug.frame() for _ in range(2)]
    assert frames[0].startswith(b"0{")
    assert frames[1] == b"2"
