"""The last 24 hours of a light, as a graph on its card: by mouse, finger and keys, in words, and live."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.async_api import expect

from tests.support.database_file import NAME, query
from tests.support.page_lights import TRANSPORTS, set_light
from tests.support.panel_process import RunningPanel, eventually
from tests.support.tabs import PHONE, OpenTab, first_of, fits

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them


def at(words: str) -> re.Pattern[str]:
    return re.compile(rf"^\d+:\d\d, {re.escape(words)}$")


@pytest.mark.parametrize("transport", first_of(*TRANSPORTS))
async def test_the_graph_says_when_how_and_by_whom_and_follows(
    panel: RunningPanel, open_tab: OpenTab, transport: str
) -> None:
    set_light(panel, "hall", by="Ada", level=40)
    set_light(panel, "hall", by="Bo", level=80, transition=600)
    tab = await open_tab(f"/?transport={transport}")
    card = await tab.card("hall")
    day, plot, said = card.root.locator(".day"), card.root.locator(".day-plot"), card.root.locator(".day-said")
    entries = day.get_by_role("listitem")
    await expect(entries.nth(-1)).to_have_text(at("80 % over 10 min, Bo"))
    await expect(entries.nth(-2)).to_have_text(at("40 %, Ada"))
    count = await entries.count()
    await expect(said).to_have_text(f"{count} changes")
    await expect(plot).to_have_attribute("aria-label", re.compile(rf"^Hall in the last 24 hours: {count} changes\."))

    await plot.focus()
    await plot.press("ArrowLeft")
    await expect(said).to_have_text(at("80 % over 10 min, Bo"))
    await plot.press("ArrowLeft")
    await expect(said).to_have_text(at("40 %, Ada"))
    await plot.press("End")
    await expect(said).to_have_text(at("80 % over 10 min, Bo"))
    await plot.press("Escape")  # ends the reading, and not the sheet
    await expect(said).to_have_text(f"{count} changes")

    line = await day.locator(".day-line").get_attribute("d")
    set_light(panel, "hall", by="Cy", on=False)
    await expect(entries).to_have_count(count + 1)
    await expect(entries.nth(-1)).to_have_text(at("off, Cy"))
    assert await day.locator(".day-line").get_attribute("d") != line
    box = await plot.bounding_box()
    assert box is not None
    await tab.page.mouse.move(box["x"] + box["width"] - 0.5, box["y"] + 20)
    await expect(said).to_have_text(at("off, Cy"))


@pytest.mark.slow
async def test_a_finger_reads_it_and_what_happened_meanwhile_is_there(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, "desk", by="Ada", level=40)
    tab = await open_tab("/", PHONE)
    card = await tab.card()
    said, plot = card.root.locator(".day-said"), card.root.locator(".day-plot")
    await expect(said).to_have_text(re.compile("change"))
    await tab.close_card()
    set_light(panel, "desk", by="Bo", level=70)
    set_light(panel, "desk", by="Cy", level=20)
    card = await tab.card()
    entries = card.root.locator(".day-list li")
    await expect(entries.nth(-2)).to_have_text(at("70 %, Bo"))
    await expect(entries.nth(-1)).to_have_text(at("20 %, Cy"))
    await plot.scroll_into_view_if_needed()
    box = await plot.bounding_box()
    assert box is not None
    await plot.tap(position={"x": box["width"] - 1, "y": 20})
    await expect(said).to_have_text(at("20 %, Cy"))
    await fits(tab.page)


@pytest.mark.slow
async def test_one_light_has_it_too_and_says_that_nothing_happened(
    start_panel: Callable[..., RunningPanel], open_tab: OpenTab
) -> None:
    panel = start_panel(lights="[lights.desk]\npin = 12\nname = 'Desk'\n")
    tab = await open_tab("/", at=panel, locale="zh-CN", watch=False)  # it loses its panel
    none = tab.page.locator(".day-none")
    await expect(none).to_have_text("过去 24 小时没有变化。")
    set_light(panel, by="Ada", level=40)
    await expect(none).to_be_hidden()
    await expect(tab.page.locator(".day-said")).to_have_text("1 次变化")
    dot = tab.page.locator(".day-dot")  # where the line ends: now, and after the first change there is no more of it
    await expect(dot).to_be_visible()
    assert await dot.evaluate("dot => [dot.style.left, dot.style.top]") == ["100%", "60%"]
    set_light(panel, by="Bo", level=50)
    eventually(lambda: query(panel.data / NAME, "SELECT count(*) FROM light_history") == [(2,)])
    panel.kill()
    panel.start()
    await tab.page.reload()
    await expect(tab.page.locator(".day-said")).to_have_text("2 次变化")
    await expect(tab.page.locator(".who-did")).to_have_text("Bo设为 50 %")


@pytest.mark.slow
async def test_what_cannot_be_read_is_said(panel: RunningPanel, open_tab: OpenTab) -> None:
    tab = await open_tab("/?transport=rest", watch=False)
    await tab.page.route("**/history*", lambda route: route.fulfill(status=507, json={"title": "x", "detail": "y"}))
    card = await tab.card()
    await expect(card.root.locator(".day-none")).to_have_text("The last 24 hours cannot be read now.")
    await expect(card.root.locator(".day-plot")).to_be_hidden()
