"""The page of the sockets shows every message of `/asyncapi.json`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import expect

from tests.support.described import description
from tests.support.panel_process import RunningPanel
from tests.support.tabs import DESKTOP, PHONE, TOO_SMALL, OpenTab, first_of, fits

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    with RunningPanel(tmp_path_factory.mktemp("sockets") / "data") as running:
        yield running


@pytest.mark.parametrize("device", first_of(PHONE, DESKTOP), ids=["phone", "desktop"])
async def test_every_message_is_there_and_opens(panel: RunningPanel, open_tab: OpenTab, device: dict[str, Any]) -> None:
    tab = await open_tab("/docs/sockets#live_set_light", device)
    page = tab.page
    await expect(page.locator("#live .address")).to_have_text(panel.socket_url("/live"))
    opened = page.locator("#live_set_light")
    await expect(opened).to_have_attribute("open", "")
    for text in ('"transition": 2', "integer 0..100 | null", "Length of the fade, seconds.", "needs operator"):
        await expect(opened).to_contain_text(text)
    await expect(page.locator("#LightChanged summary")).to_contain_text("A light was set")
    shown = set(await page.locator("#channels details").evaluate_all("items => items.map((item) => item.id)"))
    named = {name for name, way in description().document["operations"].items() if way["action"] == "receive"}
    assert {name for name in named if not name.startswith("panel_")} <= shown
    await opened.get_by_role("link", name="Light", exact=True).click()
    await expect(page.locator("#Light")).to_contain_text("GPIO number (BCM).")

    # each link leads to something, and all of it fits
    await page.locator("#channels details").evaluate_all("items => items.forEach((item) => (item.open = true))")
    await expect(page.locator("#channels details .inside")).to_have_count(len(shown))
    links = set(await page.locator("#channels a").evaluate_all("links => links.map((link) => link.hash.slice(1))"))
    assert links <= shown
    await fits(page)
    if device is PHONE:
        assert [small for small in await page.evaluate(TOO_SMALL) if 'href="#' not in small["element"]] == []


async def test_it_is_in_chinese_but_for_the_document(panel: RunningPanel, open_tab: OpenTab) -> None:
    tab = await open_tab("/docs/sockets", PHONE, locale="zh-CN")
    await tab.page.locator("#objects").wait_for()
    own = "[...document.querySelectorAll('main :is(h1, h2, h3, h4, a, .summary, .role)')].map((one) => one.textContent)"
    words = await tab.page.evaluate(own)
    assert len(words) > 20
    assert [word for word in words if not re.search("[\u4e00-\u9fff]", word)] == []


async def test_without_the_document_it_says_so(panel: RunningPanel, open_tab: OpenTab) -> None:
    tab = await open_tab(device=PHONE, watch=False)
    await tab.page.route("**/asyncapi.json", lambda route: route.abort())
    await tab.page.goto(panel.url + "/docs/sockets")
    await expect(tab.page.get_by_role("status").filter(has_text="did not send the document")).to_be_visible()
