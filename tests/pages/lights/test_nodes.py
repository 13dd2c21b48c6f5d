"""The page of the lights where several panels share an engine: theirs together, and a choice where there are many."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import expect

from tests.support.home import Home, has_keeper, tell_of_nodes
from tests.support.tabs import PHONE, OpenTab, first_of, fits

pytestmark = pytest.mark.asyncio(loop_scope="session")

FAULTS = "#faults .fault"


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
        await (await tab.card(light)).type(str(40 + level))
        for other in tabs:
            await (await other.card(light)).shows(40 + level)
        home.agree(light, {"level": 40 + level, "actual": 40.0 + level})
    hall.stop()
    await expect(tabs[1].page.locator(FAULTS)).to_contain_text("hall has been stopped.")
    await expect(tabs[1].page.locator("#summary")).to_contain_text("1 offline")


@pytest.mark.parametrize("language", first_of("en", "zh"))
async def test_a_panel_that_is_away_is_said_once_with_since_when_and_why(
    home: Home, open_tab: OpenTab, language: str
) -> None:
    kitchen, front = home.panels["kitchen"], home.panels["front"]
    home.node("hall", "led")
    tab = await open_tab("/", at=front, locale={"en": "en-GB", "zh": "zh-CN"}[language], timezone_id="Asia/Shanghai")
    away = tab.page.locator(FAULTS)
    await expect(tab.page.locator("#lights h2.node")).to_have_text(["hall", "kitchen"])
    await expect(away).to_have_count(0)

    kitchen.kill()
    await expect(away).to_have_count(1)
    light = front.light("kitchen.led")
    at = datetime.fromtimestamp(light["away_since"], ZoneInfo("Asia/Shanghai"))
    since = {"en": "kitchen away since {}", "zh": "自 {} 起无法连接 kitchen"}[language]
    since = since.format(f"0?{at.hour}:{at.minute:02}")
    await expect(away.locator("strong")).to_have_text(re.compile(since))
    await expect(away.locator("time")).to_have_text(
        {"en": re.compile(r"\((now|\d+ s ago)\)\."), "zh": re.compile("（(刚刚|\\d+ 秒前)）。")}[language]
    )
    why = {"en": "kitchen is away: it has given no sign of life for 6 s.", "zh": "kitchen 不在：已有 6 秒没有消息。"}
    await expect(away).to_contain_text(why[language])
    await expect(away).to_contain_text(re.compile("Its 2 lights are offline: check|它的 2 盏灯离线：请检查"))
    assert light["by"]["via"] == "start"  # nobody has set the light
    await tab.page.locator("#all-off").click()
    await expect(tab.notices.first).to_contain_text(re.compile("(Not done: |未执行：)(Led.*Desk|Desk.*Led)"))
    await expect(tab.notices.last).to_contain_text(re.compile("The other lights are off|其他灯都已关闭"))
    assert front.light("hall.led")["on"] is False  # the refusal of those stops no other
    for name in ("kitchen.led", "kitchen.desk"):
        card = await tab.card(name)
        await expect(card.trouble).to_be_hidden()
        await expect(card.root.locator(".card-pin")).to_have_text({"en": "Offline", "zh": "离线"}[language])
        await expect(card.number).to_be_disabled()

    kitchen.start()
    await expect(away).to_have_count(0)
    card = await tab.card("kitchen.led")
    await expect(card.root.locator(".card-pin")).to_have_text("GPIO 10")
    await card.type("64")
    home.agree("kitchen.led", {"level": 64, "away_since": None})


@pytest.mark.slow
async def test_a_group_has_lights_of_several_panels_which_say_whose_they_are(home: Home, open_tab: OpenTab) -> None:
    home.node("hall", "led")
    home.keeper()
    has_keeper(home)
    tabs = [await open_tab("/", at=home.panels["front"]), await open_tab("/", at=home.panels["hall"])]
    page, form = tabs[0].page, tabs[0].page.locator("#form-sheet")
    await page.get_by_role("button", name="New group").click()
    await form.get_by_label("Name").fill("Ground floor")
    for light in ("Led · hall", "Led · kitchen"):
        await form.get_by_label(light).check()
    await form.get_by_role("button", name="Save").click()
    for tab in tabs:
        group = tab.group("ground-floor")
        await expect(group.tiles.locator(".tile-note")).to_have_text(["hall", "kitchen"])
        await expect(tab.page.locator("#lights h2.node")).to_have_text(["kitchen"])  # its desk is in no group
    await tabs[1].group("ground-floor").switch.check()
    await tabs[1].group("ground-floor").bar.press("End")
    for tab in tabs:
        for light in ("hall.led", "kitchen.led"):
            await tab.tile(light).shows(100)
    home.agree("kitchen.led", {"level": 100, "on": True})


@pytest.mark.slow
async def test_a_panel_without_its_engine_says_once_why_all_others_are_away(home: Home, open_tab: OpenTab) -> None:
    home.node("hall", "led")
    tab = await open_tab("/", at=home.panels["front"], device=PHONE)
    away = tab.page.locator(FAULTS)
    await expect(tab.page.locator("#lights h2.node")).to_have_text(["hall", "kitchen"])
    await expect(away).to_have_count(0)
    home.redis.kill()
    await expect(away).to_have_count(1)
    await expect(away).to_contain_text("2 other panels are away")
    await expect(away).to_contain_text("This panel has no connection to the others")
    await fits(tab.page)
    home.redis.start()
    await expect(away).to_have_count(0)


@pytest.mark.slow
async def test_of_many_panels_a_page_shows_those_that_are_chosen(home: Home, open_tab: OpenTab) -> None:
    front = home.panels["front"]
    await tell_of_nodes(home.redis.url, [f"n{number}" for number in range(18)])
    tab = await open_tab("/", at=front)
    shown = tab.page.locator("#lights [data-light]")
    await expect(shown).to_have_count(20)
    await expect(tab.page.locator("#nodes")).to_be_hidden()  # 19 nodes are not many

    await tell_of_nodes(home.redis.url, ["n18"])
    await tab.page.reload()
    await tab.page.get_by_text("All 20 panels").click()
    await tab.page.get_by_label("kitchen", exact=True).check()
    await expect(shown).to_have_count(2)
    await expect(tab.page.get_by_text("1 of 20 panels")).to_be_visible()
    await tab.page.get_by_label("n3", exact=True).check()
    await expect(shown).to_have_count(3)
    await (await tab.card("kitchen.led")).type("17")
    home.agree("kitchen.led", {"level": 17}, front)
    await tab.close_card()

    await tab.page.reload()
    await expect(shown).to_have_count(3)
    await tab.page.get_by_text("2 of 20 panels").click()
    await tab.page.get_by_role("button", name="Show all").click()
    await expect(shown).to_have_count(21)
    await expect(tab.page.get_by_text("All 20 panels")).to_be_visible()
