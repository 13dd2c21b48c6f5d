"""What a browser can do with the panel over plain http and over https, as System says it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.support.browser import launch
from tests.support.certificates import issue
from tests.support.network_namespace import Network
from tests.support.panel_process import RunningPanel
from tests.support.tabs import PHONE, TOO_SMALL, fits, page_of_its_own

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them

WORKS = re.compile("Here the pages open without a network.*install|没有网络时也能打开页面.*安装")
HTTP = re.compile(
    "Over plain http a browser cannot.* without a network.* app.* notifications.*Use https|在普通 http 下.*Use https"
)
UNTRUSTED = re.compile("does not trust the certificate.*Use https|不信任面板的证书.*Use https")
KEPT = "navigator.serviceWorker.ready.then(({ active }) => Boolean(active))"
# What Chromium sends where it may install the page; the one without a window does not.
OFFER = """() => {
  const offer = new Event('beforeinstallprompt');
  offer.prompt = () => (window.installing = true);
  dispatchEvent(offer);
}"""

Start = Callable[..., RunningPanel]


@pytest.fixture
def start_other(start_panel: Start, network: Network) -> Start:
    """Start a panel on another machine: no browser takes that for its own."""
    return lambda **tls: start_panel(host="0.0.0.0", within=network.within, address=network.private, **tls)


@asynccontextmanager
async def system(browser: Browser, panel: RunningPanel, locale: str = "en-GB", **more: Any) -> AsyncIterator[Page]:
    """The page System, in a browser that runs service workers."""
    options = {**PHONE, "service_workers": "allow", "locale": locale, **more}
    async with page_of_its_own(browser, f"{panel.url}/settings/system", **options) as page:
        yield page


LOCALES = ["en-GB", pytest.param("zh-CN", marks=pytest.mark.slow)]


@pytest.mark.parametrize("locale", LOCALES)
async def test_over_plain_http_the_way_to_https_is_said(start_other: Start, browser: Browser, locale: str) -> None:
    async with system(browser, start_other(), locale) as page:
        tile = page.locator("#app")
        await expect(tile.locator(".hint-text")).to_have_text(HTTP)
        await expect(tile.locator("code")).to_have_text(re.compile("pilotlight serve .*--cert .* --key "))
        await expect(page.locator("#storage")).not_to_be_empty()
        assert await page.evaluate(TOO_SMALL) == []
        await fits(page)


@pytest.mark.parametrize("locale", LOCALES)
async def test_a_certificate_that_nobody_trusts_is_said(
    start_other: Start, network: Network, tmp_path: Path, browser: Browser, locale: str
) -> None:
    cert, key = issue(tmp_path, network.private)
    async with system(browser, start_other(cert=cert, key=key), locale, ignore_https_errors=True) as page:
        await expect(page.locator("#app .hint-text")).to_have_text(UNTRUSTED)


@pytest.mark.slow
async def test_over_https_everything_works(start_other: Start, network: Network, tmp_path: Path) -> None:
    cert, key = issue(tmp_path, network.private)
    panel = start_other(cert=cert, key=key)
    async with async_playwright() as playwright:
        browser = await launch(playwright, flags=["--ignore-certificate-errors"])  # it trusts all
        async with system(browser, panel) as page:
            assert await page.evaluate(KEPT)
            await expect(page.locator("#app .hint-text")).to_have_text(WORKS)
        await browser.close()


@pytest.mark.parametrize("locale", LOCALES)
async def test_on_the_machine_itself_everything_works(panel: RunningPanel, browser: Browser, locale: str) -> None:
    """And where the browser offers to install the panel, so does the page, once."""
    async with system(browser, panel, locale) as page:
        tile = page.locator("#app")
        assert await page.evaluate(KEPT)
        await expect(tile.locator(".hint-text")).to_have_text(WORKS)
        install = tile.get_by_role("button")
        await expect(install).to_have_count(0)
        await page.evaluate(OFFER)
        await expect(install).to_have_text(re.compile("Install|安装"))
        await install.click()
        assert await page.evaluate("window.installing")
        await expect(install).to_have_count(0)
