"""A menu that is taller than the screen: each of its items can be reached."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from tests.support.live_client import live
from tests.support.panel_process import RunningPanel
from tests.support.tabs import PHONE, OpenTab, at_rest, first_of

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them

SCREENS = {
    "tiny": {"viewport": {"width": 320, "height": 180}},
    "a phone on its side": PHONE | {"viewport": {"width": 740, "height": 360}},
    "a phone": PHONE,
}
INSIDE = """(element) => {
  const { top, bottom, left, right } = element.getBoundingClientRect();
  return top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth;
}"""


async def is_seen(item: Locator) -> None:
    """The whole item is on the screen, and it is what is there."""
    await at_rest(item.page, "document.querySelector('[role=menu]').scrollTop")
    assert await item.evaluate(INSIDE)
    on_top = """(element) => {
      const { x, y, width, height } = element.getBoundingClientRect();
      return document.elementFromPoint(x + width / 2, y + height / 2) === element;
    }"""
    assert await item.evaluate(on_top)


@pytest.mark.parametrize("screen", first_of(*SCREENS))
async def test_every_item_of_a_long_menu_can_be_reached(panel: RunningPanel, open_tab: OpenTab, screen: str) -> None:
    device: dict[str, Any] = SCREENS[screen]
    async with AsyncExitStack() as company:
        for number in range(16):
            await company.enter_async_context(live(panel, name=f"Person {number:02}"))
        tab = await open_tab("/", device)
        page = tab.page
        await page.locator("#here").click()
        menu, items = page.get_by_role("menu"), page.get_by_role("menuitem")
        await expect(items).to_have_count(13)
        assert await menu.evaluate(INSIDE)
        # the last one by one key, each one step by step, and the first one from the end
        await page.keyboard.press("End")
        await expect(items.last).to_be_focused()
        await is_seen(items.last)
        await page.keyboard.press("Home")
        await is_seen(items.first)
        for number in range(1, 13):
            await page.keyboard.press("ArrowDown")
            await expect(items.nth(number)).to_be_focused()
            await is_seen(items.nth(number))
        await page.keyboard.press("ArrowDown")
        await is_seen(items.first)
        # and by the wheel: the page behind it stays
        before = await page.evaluate("scrollY")
        await menu.hover()
        await page.mouse.wheel(0, 2000)
        await is_seen(items.last)
        await page.mouse.wheel(0, 2000)
        assert await at_rest(page, "scrollY") == before
        await items.last.click()
        await page.wait_for_url("**/chat")
