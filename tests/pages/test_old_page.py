"""A page of the old systems with its own socket.io.js, of version 1 or 2, in a browser of today."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.support.node_clients import SUPPORT
from tests.support.panel_process import RunningPanel
from tests.support.rooms_clients import BY_ITSELF
from tests.support.tabs import first_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIBRARIES = SUPPORT / "node" / "node_modules"
PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>LED</title>
<p>Connected: <span id="connected">No</span></p>
<input id="slider" type="range" min="0" max="100"><output id="level"></output>
<script src="LIBRARY"></script>
<script>
  const heard = [];
  const socket = io(ARGUMENTS);
  socket.on("connect", () => { document.getElementById("connected").textContent = "Yes"; });
  socket.on("disconnect", () => { document.getElementById("connected").textContent = "No"; });
  socket.on("led", ({ level }) => { document.getElementById("level").textContent = level; });
  socket.on("my_response", ({ data }) => heard.push(data instanceof ArrayBuffer ? [...new Uint8Array(data)] : data));
  const slider = document.getElementById("slider");
  slider.addEventListener("input", () => socket.emit("led", { level: slider.value }));
</script>"""


class OldServer(BaseHTTPRequestHandler):
    """What served the page: `/<version>/<where the panel is>/<options>`, and its library."""

    def do_GET(self) -> None:
        folder, _, rest = self.path.lstrip("/").partition("/")
        if folder == "static":
            body, kind = (
                (LIBRARIES / f"socket.io-client-{rest}" / "dist" / "socket.io.js").read_bytes(),
                "text/javascript",
            )
        else:
            target, options = map(unquote, rest.split("/"))
            body, kind = page_of(f"/static/{folder}", f'"{target}", {options}').encode(), "text/html"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


def page_of(library: str, arguments: str) -> str:
    return PAGE.replace("LIBRARY", library).replace("ARGUMENTS", arguments)


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """The address of the page's own server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), OldServer) as old:
        thread = threading.Thread(target=old.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{old.server_port}"
        old.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def panel(server: str, elsewhere: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel that lets pages of the other server in."""
    data = tmp_path_factory.mktemp("panel") / "data"
    with RunningPanel(data, server=server, cors_origins=elsewhere) as running:
        yield running


@pytest_asyncio.fixture(
    loop_scope="session",
    params=first_of(
        ("2.2", "", False),
        ("1", "", False),
        ("2.0", "", False),
        ("1", "{}", True),
        ("2.5", "{}", True),
        ("2.2", '{transports: ["polling"]}', True),
        ("2.2", '{transports: ["websocket"]}', True),
        ("1", '{transports: ["polling"]}', False),
    ),
    ids=str,
)
async def page(
    request: pytest.FixtureRequest, panel: RunningPanel, elsewhere: str, browser: Browser
) -> AsyncIterator[Page]:
    """The page with the library of this version, from the panel's address or from its own server."""
    version, options, is_elsewhere = request.param
    # The page is answered here and not by the panel, so to Chromium it does not come from this machine.
    opened = await browser.new_page(permissions=["local-network-access"])
    if is_elsewhere:
        await opened.goto(f"{elsewhere}/{version}/{quote(panel.url, safe='')}/{quote(options)}")
    else:
        html = page_of("/static/socket.io.js", options)
        library = LIBRARIES / f"socket.io-client-{version}" / "dist" / "socket.io.js"
        await opened.route("**/led.html", lambda route: route.fulfill(body=html, content_type="text/html"))
        await opened.route("**/static/socket.io.js", lambda route: route.fulfill(path=library))
        await opened.goto(f"{panel.url}/led.html")
    await expect(opened.locator("#connected")).to_have_text("Yes")
    transport = "polling" if "polling" in options else "websocket"
    await opened.wait_for_function(f'socket.io.engine.transport.name === "{transport}"')
    yield opened
    await opened.close()


async def test_the_old_page_moves_the_light_and_follows_it(panel: RunningPanel, page: Page) -> None:
    panel.post("/led", json={"level": 31})
    await expect(page.locator("#level")).to_have_text("31")
    await page.locator("#slider").fill("64")
    await expect(page.locator("#level")).to_have_text("64")
    assert panel.level() == 64

    # text and bytes come back as they went
    await page.evaluate("""async () => {
        const bytes = new Uint8Array([0, 4, 130, 255]).buffer;
        for (const data of ["Ünïcødé é 灯 💡", bytes]) {
            await new Promise((done) => socket.emit("my_event", { data }, done));
        }
    }""")
    heard = [said for said in await page.evaluate("heard") if said != BY_ITSELF]
    assert heard == ["Connected", "Ünïcødé é 灯 💡", [0, 4, 130, 255]]


@pytest.mark.slow
async def test_the_old_page_sees_a_restart_of_the_panel(panel: RunningPanel, page: Page) -> None:
    panel.stop()
    await expect(page.locator("#connected")).to_have_text("No")
    panel.restart()
    panel.post("/led", json={"level": 77})
    await expect(page.locator("#connected")).to_have_text("Yes", timeout=30_000)
    await expect(page.locator("#level")).to_have_text("77")
