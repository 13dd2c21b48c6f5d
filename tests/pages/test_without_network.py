"""The pages without the panel: the service worker opens them, and lets everything else pass."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.support.nginx import Nginx
from tests.support.panel_process import RunningPanel
from tests.support.tabs import DEFAULTS, PHONE, first_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

KEPT = """async () => {
  await navigator.serviceWorker.ready;
  const cache = await caches.open('pilotlight-shell');
  return (await cache.keys()).map((request) => new URL(request.url).pathname);
}"""

HAS_LATER = """async () => {
  const bundle = await fetch(document.querySelector('script[type=module]').src);
  const [later] = (await bundle.text()).match(/\\/static\\/bundle\\/\\w+[.]js/);
  return (await fetch(later)).ok;
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page of a browser that runs service workers."""
    context = await browser.new_context(**{**DEFAULTS, **PHONE, "service_workers": "allow"})
    yield await context.new_page()
    await context.close()


@pytest.mark.parametrize(
    "address", first_of("/", "/plan?transport=rest", "/watch", "/chat", "/settings/system", "/access")
)
async def test_a_page_opens_without_the_panel(
    page: Page, start_panel: Callable[..., RunningPanel], address: str
) -> None:
    """Also one that was never opened while there was a panel; and it goes on when the panel is back."""
    panel = start_panel()
    await page.goto(f"{panel.url}/")
    path, _, _ = address.partition("?")
    kept = await page.evaluate(KEPT)
    assert path in kept
    panel.stop()

    await page.goto(panel.url + address)
    await expect(page.locator("h1").first).to_be_visible()
    await expect(page.locator("main")).to_be_visible()
    font = await page.evaluate("document.fonts.ready.then(() => document.fonts.check('16px Geist'))")
    assert font
    assert await page.evaluate(HAS_LATER)  # the scripts of what somebody may open now

    panel.start()
    await page.reload()
    if path != "/access":
        await expect(page.locator("#mark")).to_have_attribute("data-status", "live")


async def test_a_page_opens_while_its_proxy_does_not_reach_the_panel(
    page: Page, start_panel: Callable[..., RunningPanel], tmp_path: Path
) -> None:
    panel = start_panel(trusted_proxies="127.0.0.1")
    with Nginx(panel, tmp_path / "nginx") as nginx:
        await page.goto(f"{nginx.url}/")
        await page.evaluate(KEPT)
        panel.stop()

        answer = await page.goto(f"{nginx.url}/plan")
        assert answer is not None
        assert (answer.status, answer.from_service_worker) == (200, True)
        await expect(page.locator("main")).to_be_visible()

        panel.start()
        await expect(page.locator("#mark")).to_have_attribute("data-status", "live")


@pytest.mark.slow
async def test_a_new_version_takes_the_place_of_the_old_one(page: Page, panel: RunningPanel) -> None:
    """Of a page that is shown anew, and of its files; what nothing needs any more is dropped."""
    await page.goto(f"{panel.url}/chat")
    before = await page.evaluate(KEPT)
    stale = f"{panel.url}/static/bundle/0123456789ab.js"
    plant: dict[str, Any] = {"stale": stale, "page": f"{panel.url}/chat"}
    await page.evaluate(
        """async ({ stale, page }) => {
          const cache = await caches.open('pilotlight-shell');
          await cache.put(stale, new Response('old'));
          await cache.put(page, new Response('<title>Old</title><script src="/static/bundle/0123456789ab.js">'));
        }""",
        plant,
    )
    await page.reload()
    assert await page.title() != "Old"
    await page.wait_for_function(
        "async (stale) => !(await (await caches.open('pilotlight-shell')).match(stale))", arg=stale
    )
    assert sorted(await page.evaluate(KEPT)) == sorted(before)


@pytest.mark.slow
async def test_what_is_no_page_comes_from_the_panel(page: Page, panel: RunningPanel) -> None:
    await page.goto(f"{panel.url}/")
    await page.evaluate(KEPT)
    await page.reload()  # from here on the service worker has the page
    assert await page.evaluate("Boolean(navigator.serviceWorker.controller)")
    said = await page.evaluate(
        """async () => {
          const state = await fetch('/led');
          const gone = await fetch('/static/gone.js');
          const set = await fetch('/led', { method: 'POST', body: new URLSearchParams({ level: 7 }) });
          return [state.status, gone.status, set.status, (await (await fetch('/led')).json()).level];
        }"""
    )
    assert said == [200, 404, 200, 7]
    for path in ("/", "/led", "/static/gone.js"):
        panel_status = panel.get(path).status_code
        answer = await page.goto(panel.url + path)
        assert answer is not None
        assert answer.status == panel_status
