"""The pages below a path of a real nginx (setting `root_path`), whether it takes the path off or leaves it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Response, expect

from asgi_app.routes.pages import PAGES
from tests.conftest import SERVERS
from tests.support.nginx import BelowKeptPath, BelowPath, Nginx
from tests.support.panel_process import RunningPanel
from tests.support.signing_in import pin_of
from tests.support.tabs import DEFAULTS, DESKTOP, complaints_of, first_of

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them

KEPT = """async () => {
  await navigator.serviceWorker.ready;
  const names = await caches.keys();
  const cache = await caches.open(names[0]);
  return [names, (await cache.keys()).map((request) => new URL(request.url).pathname)];
}"""


@pytest.fixture(scope="module", params=first_of(*SERVERS))
def panel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel on which this machine may only look, below a path."""
    data = tmp_path_factory.mktemp("below") / "data"
    settings = {
        "trusted_proxies": "127.0.0.1",
        "root_path": "/light",
        "role_loopback": "viewer",
        "server": request.param,
    }
    with RunningPanel(data, **settings) as running:
        yield running


@pytest.fixture(scope="module", params=first_of(BelowPath, BelowKeptPath), ids=["taken off", "left"])
def nginx(
    request: pytest.FixtureRequest, panel: RunningPanel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nginx]:
    with request.param(panel, tmp_path_factory.mktemp("nginx") / "nginx") as running:
        yield running


class Visit:
    """A profile of the browser, and what went wrong in it."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.wrong = complaints_of(context)
        context.on("response", self._came)

    def _came(self, response: Response) -> None:
        if response.status >= 400 or "/light" not in response.url:
            self.wrong.append(f"{response.status} {response.url}")


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, request: pytest.FixtureRequest) -> AsyncIterator[Visit]:
    """A visit in which nothing may go wrong: no complaint, no refusal, no request beside the path."""
    context = await browser.new_context(**{**DEFAULTS, **DESKTOP, **getattr(request, "param", {})})
    found = Visit(context)
    yield found
    await context.close()
    assert found.wrong == []


async def sign_in(page: Page, panel: RunningPanel, nginx: Nginx) -> None:
    """Sign in with the PIN, on the sheet of the page."""
    await page.goto(f"{nginx.url}/")
    await page.locator("#access-strip a").click()
    await page.locator("#sign-in input").fill(pin_of(panel))
    await page.locator("#sign-in input").press("Enter")
    await expect(page.locator("body")).to_have_attribute("data-role", "operator")


@pytest.mark.slow
async def test_every_page_opens(visit: Visit, nginx: Nginx) -> None:
    page = await visit.context.new_page()
    for path in PAGES:
        await page.goto(nginx.url + path)
        await page.wait_for_load_state("load")
        await expect(page.locator("main").first).to_be_visible()
        if await page.locator("#mark").count():
            await expect(page.locator("#mark")).to_have_attribute("data-status", "live")
    await page.goto(f"{nginx.url}/docs")
    await expect(page.locator("#viewer .servers option")).to_have_attribute("value", "/light")
    # every link of the pages stays below the path
    await page.goto(f"{nginx.url}/settings/system")
    links = await page.locator("a").evaluate_all("links => links.map((link) => link.pathname)")
    assert [link for link in links if not link.startswith("/light/")] == []


@pytest.mark.slow
async def test_every_socket_of_the_lab_and_of_the_comparison(visit: Visit, panel: RunningPanel, nginx: Nginx) -> None:
    page = await visit.context.new_page()
    await sign_in(page, panel, nginx)
    await page.goto(f"{nginx.url}/lab")
    await expect(page.locator("#status")).to_have_text("Connected")
    await page.locator("#raw-text [name=text]").fill("through")
    await page.locator("#raw-text button").click()
    came = page.locator('#entries .entry[data-direction="in"]')
    await expect(came.filter(has_text="WebSocket · /echo").filter(has_text="through")).to_be_visible()
    await page.locator("#api button").last.click()
    await expect(came.filter(has_text="Received data")).to_be_visible()
    await page.goto(f"{nginx.url}/compare")
    await expect(page.locator("#rows tr")).to_have_count(3)
    for samples in await page.locator("#rows tr td:last-child").all():
        await expect(samples).to_have_text(re.compile(r"^[1-9]\d*$"))


@pytest.mark.parametrize("transport", first_of("websocket", "socketio", "rest"))
async def test_the_light_is_dimmed(visit: Visit, panel: RunningPanel, nginx: Nginx, transport: str) -> None:
    page, other = await visit.context.new_page(), await visit.context.new_page()
    await sign_in(page, panel, nginx)
    await page.goto(f"{nginx.url}/?transport={transport}")
    await other.goto(f"{nginx.url}/")
    slider = page.locator("#lights").get_by_role("slider")
    await expect(page.locator("body")).to_have_attribute("data-link", "live")
    await expect(other.locator("body")).to_have_attribute("data-link", "live")
    await slider.press("Home")
    await slider.press("PageUp")
    for one in (page, other):
        await expect(one.locator("#lights").get_by_role("slider")).to_have_attribute("aria-valuenow", "10")


async def test_signing_in_counts_below_the_path(visit: Visit, panel: RunningPanel, nginx: Nginx) -> None:
    page = await visit.context.new_page()
    await sign_in(page, panel, nginx)
    assert {cookie["path"] for cookie in await visit.context.cookies()} == {"/light"}
    await page.goto(f"{nginx.url}/access")
    await expect(page.locator("#sessions li").first).to_be_visible()


async def test_chat_and_runs(visit: Visit, panel: RunningPanel, nginx: Nginx) -> None:
    page = await visit.context.new_page()
    await sign_in(page, panel, nginx)
    await page.evaluate("localStorage.setItem('pilotlight/light.name', JSON.stringify('Ada'))")
    await page.goto(f"{nginx.url}/chat")
    await page.locator("#say").fill("Hello from below")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Hello from below").last).to_be_visible()
    token: dict[str, Any] = {"Cookie": "; ".join(f"{c['name']}={c['value']}" for c in await visit.context.cookies())}
    panel.post("/runs", json={"id": "build", "name": "make all"}, headers=token)
    panel.post("/runs/build/log", json={"lines": [{"msg": "no rule to make target"}]}, headers=token)
    await page.goto(f"{nginx.url}/watch#run=build")
    await expect(page.get_by_text("no rule to make target")).to_be_visible()
    panel.post("/runs/build/end", json={}, headers=token)


@pytest.mark.parametrize("visit", [{"service_workers": "allow"}], indirect=True)
async def test_the_worker_keeps_the_pages_of_the_path(visit: Visit, panel: RunningPanel, nginx: Nginx) -> None:
    page = await visit.context.new_page()
    await page.goto(f"{nginx.url}/")
    names, kept = await page.evaluate(KEPT)
    assert names == ["pilotlight-shell/light"]
    assert {"/light/", "/light/chat", "/light/settings/system"} < set(kept)
    assert [path for path in kept if not path.startswith("/light/")] == []
    assert [path for path in kept if path.endswith(".woff2")] != []
    await visit.context.set_offline(True)
    await page.goto(f"{nginx.url}/chat")
    await expect(page.locator("h1").first).to_be_attached()
    await visit.context.set_offline(False)
    visit.wrong[:] = [text for text in visit.wrong if "ERR_INTERNET_DISCONNECTED" not in text]
