"""Takes the pictures of the README: `python -m tests.screenshots` writes them to docs/images (about three minutes)."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.browser import launch
from tests.running import ROOT, RunningPanel

IMAGES = ROOT / "docs" / "images"
HEAVY = 250_000  # bytes; a README is read over slow networks too, so a phone is taken at 1.5 and a desktop at 1
PLOT_SECONDS = 62  # the plot shows the last 60
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 1.5}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}

LIGHTS = """
[lights.desk]
pin = 12
name = "Desk lamp"
[lights.shelf]
pin = 13
name = "Bookshelf"
[lights.window]
pin = 18
name = "Window"
[lights.hall]
pin = 19
name = "Hallway"
"""

# Who did what, the first of them longest ago; the second change of a light is what undo takes back.
EVENING: list[tuple[str, str, dict[str, Any]]] = [
    ("hall", "Hall switch", {"level": 45}),
    ("window", "Kitchen tablet", {"level": 30}),
    ("shelf", "curl", {"level": 20}),
    ("desk", "Ada's phone", {"level": 40}),
    ("hall", "Hall switch", {"on": False}),
    ("window", "Kitchen tablet", {"effect": "candle", "level": 64}),
    ("shelf", "curl", {"level": 34}),
    ("desk", "Kitchen tablet", {"level": 72}),
]


async def set_the_evening(panel: RunningPanel) -> None:
    """Have people and programs set the lights, a few seconds after each other."""
    async with httpx.AsyncClient(base_url=panel.url) as client:
        for light, who, verbs in EVENING:
            answer = await client.patch(f"/lights/{light}", json=verbs, headers={"X-Client-Name": who})
            answer.raise_for_status()
            await asyncio.sleep(2.5)


async def open_page(browser: Browser, url: str, device: dict[str, Any], scheme: str) -> Page:
    context = await browser.new_context(**device, color_scheme=scheme, locale="en-GB")
    page = await context.new_page()
    await page.goto(url)
    return page


async def take(page: Page, name: str) -> None:
    """Write the picture, and close the page."""
    path = IMAGES / f"{name}.png"
    await page.screenshot(path=path)
    await page.context.close()
    size = path.stat().st_size
    print(f"{path.relative_to(ROOT)}: {size / 1000:.0f} kB" + (", which is heavy" if size > HEAVY else ""))


async def take_panel(browser: Browser, panel: RunningPanel, name: str, device: dict[str, Any], scheme: str) -> None:
    page = await open_page(browser, panel.url, device, scheme)
    await expect(page.locator("#lights [data-light]")).to_have_count(4)
    await expect(page.locator(".mark-ms")).not_to_be_empty()
    await asyncio.sleep(3)  # a second ping, without the drawing of the page in it
    await take(page, name)


async def take_comparison(browser: Browser, panel: RunningPanel, name: str, device: dict[str, Any]) -> None:
    page = await open_page(browser, f"{panel.url}/compare", device, "dark")
    await asyncio.sleep(PLOT_SECONDS)
    await take(page, name)


async def main() -> None:
    with tempfile.TemporaryDirectory() as directory, RunningPanel(Path(directory) / "data", lights=LIGHTS) as panel:
        async with async_playwright() as playwright:
            browser = await launch(playwright)
            for scheme, suffix in (("dark", ""), ("light", "-light")):
                await set_the_evening(panel)
                await take_panel(browser, panel, f"panel-phone{suffix}", PHONE, scheme)
                await take_panel(browser, panel, f"panel-desktop{suffix}", DESKTOP, scheme)
            await take_comparison(browser, panel, "compare-phone", PHONE)
            await take_comparison(browser, panel, "compare-desktop", DESKTOP)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
