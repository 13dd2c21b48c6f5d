"""Every page fits the screen, small and large, and names its parts."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import (
    expect,
)

from tests.support.page_lights import TRANSPORTS, set_light
from tests.support.panel_process import RunningPanel
from tests.support.tabs import DESKTOP, PHONE, TOO_SMALL, OpenTab, first_of, fits

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them


DEVICES = pytest.mark.parametrize("device", first_of(PHONE, DESKTOP), ids=["390 px", "1280 px"])


COLORS_OF_THE_PLOT = """names => {
  const drawn = document.querySelector('#plot canvas');
  const copy = new OffscreenCanvas(drawn.width, drawn.height).getContext('2d', { willReadFrequently: true });
  copy.drawImage(drawn, 0, 0); // reading the page's own canvas again and again makes Chromium complain
  const { data } = copy.getImageData(0, 0, drawn.width, drawn.height);
  const probe = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  return names.filter((name) => {
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    probe.fillRect(0, 0, 1, 1);
    const wanted = probe.getImageData(0, 0, 1, 1).data;
    for (let at = 0; at < data.length; at += 4) {
      if ([0, 1, 2].every((part) => Math.abs(data[at + part] - wanted[part]) < 12) && data[at + 3] > 200) return true;
    }
    return false;
  });
}"""


@DEVICES
async def test_the_panel_page(panel: RunningPanel, open_tab: OpenTab, device: dict[str, Any]) -> None:
    for light, level in {"desk": 40, "shelf": 100, "hall": 0, "kitchen": 70}.items():
        set_light(panel, light, level=level, by="A device with a name of some length on the second floor")
    tab = await open_tab(device=device)
    await expect(tab.page.locator("#lights [data-light]")).to_have_count(4)
    await expect(tab.page.locator("#summary")).to_have_text("3 of 4 on")  # level 0 is off
    await tab.marked("Live")
    await tab.has_a_round_trip()
    await expect(tab.tile("shelf").name).to_have_text("Shelf")
    await fits(tab.page)
    if device is PHONE:
        assert await tab.page.evaluate(TOO_SMALL) == []


@DEVICES
async def test_the_comparison_page(panel: RunningPanel, open_tab: OpenTab, device: dict[str, Any]) -> None:
    tab = await open_tab("/compare", device)
    rows = tab.page.locator("#rows tr")
    await expect(rows).to_have_count(3)
    for row, label in zip(await rows.all(), ("WebSocket", "Socket.IO", "REST"), strict=True):
        await expect(row.get_by_role("rowheader")).to_have_text(label)
        await expect(row.locator("td").last).to_have_text(re.compile(r"^([6-9]|\d\d+)$"))  # samples
        for figure in (await row.locator("td").all())[:-1]:
            await expect(figure).to_have_text(re.compile(r"^\d+(\.\d)? ms$"))
    async with asyncio.timeout(30):  # while they are as fast as each other, one line hides another
        while await tab.page.evaluate(COLORS_OF_THE_PLOT, TRANSPORTS) != list(TRANSPORTS):
            await asyncio.sleep(0.25)
    await fits(tab.page)

    # a pause holds everything
    await tab.page.get_by_role("button", name="Pause").click()
    await expect(tab.page.get_by_role("button", name="Resume")).to_be_visible()


@DEVICES
@pytest.mark.slow
async def test_the_api_page(panel: RunningPanel, open_tab: OpenTab, device: dict[str, Any]) -> None:
    tab = await open_tab("/docs", device)
    for path in ("/led", "/lights"):
        await expect(tab.page.locator(f".opblock-summary-path[data-path='{path}']").first).to_be_visible()
    await fits(tab.page)


async def test_a_chinese_browser_gets_chinese_words(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=44)
    tab = await open_tab(device=PHONE, locale="zh-CN")
    await expect(tab.page.locator("html")).to_have_attribute("lang", "zh")
    await expect(tab.page.get_by_role("heading", level=1)).to_have_text("灯光")
    await expect(tab.mark).to_contain_text("实时")
    card = await tab.card()
    await card.says("百分之 44")
    await expect(card.did).to_have_text("Kitchen tablet设为 44 %")
    await card.type("140")
    await expect(tab.notices.locator("strong")).to_have_text("亮度超出范围")
    await expect(tab.notices.locator("span")).to_have_text("亮度是 0 到 100 的整数。")
    words = await tab.page.evaluate("[...document.querySelectorAll('[data-word]')].map((element) => element.innerText)")
    assert [word for word in words if word and not re.search("[\u4e00-\u9fff]", word)] == []
    await fits(tab.page)
