"""The panel in a page of somebody else, as in a dashboard of Home Assistant: the setting `frame_ancestors`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Browser, FrameLocator, Page, expect

from tests.support.certificates import issue
from tests.support.panel_process import RunningPanel, eventually
from tests.support.signing_in import pin_of
from tests.support.tabs import DEFAULTS, DESKTOP, SOON, is_complaint

pytestmark = pytest.mark.asyncio(loop_scope="session")

DASHBOARD = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>Dashboard</title>
<iframe src="{}" width="800" height="700"></iframe>"""


class Dashboard(BaseHTTPRequestHandler):
    """A page that embeds the address in its query."""

    def do_GET(self) -> None:
        (address,) = parse_qs(urlsplit(self.path).query)["embeds"]
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(DASHBOARD.format(address).encode())

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def dashboard() -> Iterator[str]:
    """The origin of the page around the panel: another site than that of the panel."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Dashboard) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://localhost:{serving.server_port}"
        serving.shutdown()


async def opened(browser: Browser, dashboard: str, panel: RunningPanel) -> tuple[Page, list[str]]:
    """The dashboard with the panel in it, and what the console complains of."""
    context = await browser.new_context(**{**DEFAULTS, **DESKTOP}, ignore_https_errors=True)
    page = await context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if is_complaint(message) else None)
    await page.goto(f"{dashboard}/?embeds={panel.url}/")
    return page, said


async def test_a_page_that_may_embeds_the_panel(
    browser: Browser, dashboard: str, start_panel: Callable[..., RunningPanel]
) -> None:
    panel = start_panel(frame_ancestors=dashboard)
    page, said = await opened(browser, dashboard, panel)
    frame = page.frame_locator("iframe")

    await frame.locator("body[data-link=live]").wait_for()
    slider = frame.locator("#lights").get_by_role("slider")
    await slider.press("Home")
    await slider.press("PageUp")
    await expect(slider).to_have_attribute("aria-valuenow", "10")
    eventually(lambda: panel.level() == 10)
    assert said == []
    await page.context.close()


@pytest.mark.parametrize("allowed", [{}, {"frame_ancestors": "self"}, {"frame_ancestors": "https://ha.local:8123"}])
async def test_another_page_does_not(
    browser: Browser, dashboard: str, start_panel: Callable[..., RunningPanel], allowed: dict[str, str]
) -> None:
    page, said = await opened(browser, dashboard, start_panel(**allowed))

    # The dashboard has loaded when its frame has, and a moment later the browser tells what is in it, and why.
    await page.frames[1].wait_for_url("chrome-error://chromewebdata/", wait_until="commit")
    async with asyncio.timeout(SOON):
        while not any("frame-ancestors" in text for text in said):
            await page.wait_for_event("console")
    await page.context.close()


async def sign_in(frame: FrameLocator, panel: RunningPanel) -> None:
    await frame.locator("#access-strip a").click()
    await frame.locator("#sign-in input").fill(pin_of(panel))
    await frame.locator("#sign-in input").press("Enter")


async def test_who_signs_in_inside_it_stays_signed_in(
    browser: Browser, dashboard: str, start_panel: Callable[..., RunningPanel], tmp_path: Path
) -> None:
    """Over https, with a cookie that counts there alone."""
    cert, key = issue(tmp_path)
    panel = start_panel(frame_ancestors=dashboard, role_loopback="viewer", cert=cert, key=key)
    page, _ = await opened(browser, dashboard, panel)
    frame, role = page.frame_locator("iframe"), "data-role"

    await sign_in(frame, panel)
    await expect(frame.locator("body")).to_have_attribute(role, "operator")
    await page.reload()
    await expect(frame.locator("body")).to_have_attribute(role, "operator")

    alone = await page.context.new_page()
    await alone.goto(f"{panel.url}/")
    await expect(alone.locator("body")).to_have_attribute(role, "viewer")

    await page.goto(f"{dashboard}/?embeds={panel.url}/access")
    await frame.locator("#sign-out").click()
    await expect(frame.locator("body")).to_have_attribute(role, "viewer")
    assert [cookie for cookie in await page.context.cookies() if "device" not in cookie["name"]] == []
    await page.context.close()


async def test_a_browser_that_keeps_no_sign_in_there_says_so(
    browser: Browser, dashboard: str, start_panel: Callable[..., RunningPanel]
) -> None:
    panel = start_panel(frame_ancestors=dashboard, role_loopback="viewer")
    page, _ = await opened(browser, dashboard, panel)
    frame = page.frame_locator("iframe")

    await sign_in(frame, panel)
    await expect(frame.locator("#sign-in .form-problem")).to_contain_text("keeps no sign-in")
    await expect(frame.locator("body")).to_have_attribute("data-role", "viewer")
    await page.context.close()
