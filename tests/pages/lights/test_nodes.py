"""The page of the lights where several panels share an engine: theirs together, and a choice where there are many."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.support.home import Home, tell_of_nodes
from tests.support.tabs import OpenTab

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Home(tmp_path) as home:
        home.node("kitchen", "led", "desk")
        home.front("front")
        yield home


async def test_pages_of_two_panels_show_and_move_the_same_lights(home: Home, open_tab: OpenTab) -> None:
    hall = home.node("hall", "led")
    tabs = [
        await open_tab("/", at=home.panels["kitchen"]),
        await open_tab("/?transport=socketio", at=home.panels["front"]),
    ]
    for level, (tab, light) in enumerate([(tabs[0], "kitchen.led"), (tabs[1], "hall.led"), (tabs[1], "kitchen.desk")]):
        await expect(tab.page.locator("#lights h2.node")).to_have_text(["hall", "kitchen"])
        await tab.card(light).type(str(40 + level))
        for other in tabs:
            await other.card(light).shows(40 + level)
        home.agree(light, {"level": 40 + level, "actual": 40.0 + level})
    hall.stop()
    card = tabs[1].page.locator("article.card[data-light='hall.led']")
    await expect(card.locator(".trouble-why")).to_have_text("hall has been stopped.")
    await expect(tabs[1].page.locator("#summary")).to_contain_text("1 offline")


async def test_of_many_panels_a_page_shows_those_that_are_chosen(home: Home, open_tab: OpenTab) -> None:
    front = home.panels["front"]
    await tell_of_nodes(home.redis.url, [f"n{number}" for number in range(18)])
    tab = await open_tab("/", at=front)
    cards = tab.page.locator("#lights article.card")
    await expect(cards).to_have_count(20)
    await expect(tab.page.locator("#nodes")).to_be_hidden()  # 19 nodes are not many

    await tell_of_nodes(home.redis.url, ["n18"])
    await tab.page.reload()
    await tab.page.get_by_text("All 20 panels").click()
    await tab.page.get_by_label("kitchen", exact=True).check()
    await expect(cards).to_have_count(2)
    await expect(tab.page.get_by_text("1 of 20 panels")).to_be_visible()
    await tab.page.get_by_label("n3", exact=True).check()
    await expect(cards).to_have_count(3)
    await tab.card("kitchen.led").type("17")
    home.agree("kitchen.led", {"level": 17}, front)

    await tab.page.reload()
    await expect(cards).to_have_count(3)
    await tab.page.get_by_text("2 of 20 panels").click()
    await tab.page.get_by_role("button", name="Show all").click()
    await expect(cards).to_have_count(21)
    await expect(tab.page.get_by_text("All 20 panels")).to_be_visible()
