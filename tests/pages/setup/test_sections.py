"""The way through the panel: five tabs, the sections of Settings, the connection mark, and who may see nothing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from playwright.async_api import expect

from tests.support.live_client import live
from tests.support.page_lights import TRANSPORTS
from tests.support.panel_process import RunningPanel
from tests.support.tabs import DESKTOP, PHONE, TOO_SMALL, OpenTab, first_of, fits

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them

ON_ITS_SIDE = PHONE | {"viewport": {"width": 844, "height": 390}}
SMALL = PHONE | {"viewport": {"width": 320, "height": 568}}
TABLET = PHONE | {"viewport": {"width": 768, "height": 1024}}
SECTIONS = {
    "This device": "/settings/device",
    "Lights": "/settings/lights",
    "People & access": "/access",
    "System": "/settings/system",
    "Lab": "/lab",
    "Transports": "/compare",
    "API": "/docs",
    "Sockets": "/docs/sockets",
}


SOME = ("People & access", "System")  # each visit loads two pages


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    with RunningPanel(tmp_path_factory.mktemp("sections") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def shut(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel that everybody must sign in to."""
    with RunningPanel(tmp_path_factory.mktemp("shut") / "data", role_loopback="nobody") as running:
        yield running


@pytest.mark.parametrize(
    "case",
    first_of((PHONE, SOME), (SMALL, SECTIONS), (ON_ITS_SIDE, SECTIONS), (TABLET, SECTIONS)),
    ids=["390", "320", "844x390", "768"],
)
async def test_on_a_phone_settings_are_a_list_with_a_way_back(
    panel: RunningPanel, open_tab: OpenTab, case: tuple[dict[str, Any], Collection[str]]
) -> None:
    device, visited = case
    tab = await open_tab(device=device, watch=False)  # going away in the middle of a request is no fault
    page = tab.page
    await expect(page.get_by_role("navigation", name="Pages").get_by_role("link")).to_have_text(
        ["Lights", "Schedules", "Runs", "Chat", "Settings"], use_inner_text=True
    )
    await page.get_by_role("link", name="Settings", exact=True).click()
    links = page.get_by_role("navigation", name="Settings").get_by_role("link")
    await expect(links.locator(".section-name")).to_have_text(list(SECTIONS))
    await expect(page.get_by_role("button", name="Add a light")).to_be_hidden()
    await tab.is_live()
    assert await page.evaluate(TOO_SMALL) == []
    await fits(page)
    for name in visited:
        await links.filter(has=page.get_by_text(name, exact=True)).click()
        await expect(page).to_have_title(f"{name} · Pilot Light")
        assert page.url == panel.url + SECTIONS[name]
        await expect(page.get_by_role("navigation", name="Pages").get_by_role("link")).to_have_count(5)
        await page.locator(".way-back a").click()
        await expect(page).to_have_title("Settings · Pilot Light")


@pytest.mark.parametrize("visited", first_of(SOME, SECTIONS), ids=["some", "all"])
async def test_a_wide_rail_has_the_sections_of_settings(
    panel: RunningPanel, open_tab: OpenTab, visited: Collection[str]
) -> None:
    tab = await open_tab("/settings", DESKTOP, watch=False)
    page = tab.page
    rail = page.get_by_role("navigation", name="Pages")
    await expect(rail.locator(".section-name")).to_have_text(list(SECTIONS))
    await expect(page.get_by_role("button", name="Add a light")).to_be_enabled()
    for name in visited:
        await rail.locator(".sections a", has_text=name).click()
        await page.reload()
        assert page.url == panel.url + SECTIONS[name]
        await expect(rail.locator("[aria-current=page]")).to_have_text(name)
        await expect(page.locator(".way-back")).to_be_hidden()
    await rail.get_by_role("link", name="Shows & schedules").click()
    assert page.url == f"{panel.url}/plan"
    await expect(rail.locator(".section-name")).to_have_count(0)


@pytest.mark.parametrize("path", first_of("/compare", "/", "/chat", "/lab", "/docs", "/docs/sockets"))
async def test_name_and_language_are_two_presses_away(panel: RunningPanel, open_tab: OpenTab, path: str) -> None:
    tab = await open_tab(path, PHONE, watch=False)
    page = tab.page
    await page.get_by_role("link", name="Settings", exact=True).first.click()
    await page.get_by_role("navigation", name="Settings").get_by_role("link", name="This device").click()
    await tab.is_live()
    await page.get_by_label("Name of this device").fill(" Ada  L. ")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Saved")).to_be_visible()
    await page.get_by_role("radio", name="简体中文").check()
    await expect(page.locator("html")).to_have_attribute("lang", "zh")
    await expect(page.locator("#chat-tab")).to_contain_text("聊天")
    await expect(page.get_by_label("此设备的名称")).to_have_value("Ada L.")
    assert await page.evaluate("localStorage['pilotlight.name']") == '"Ada L."'
    words = await page.evaluate("[...document.querySelectorAll('[data-word]')].map((element) => element.textContent)")
    assert [word for word in words if word and not re.search("[\u4e00-\u9fff]", word)] == ["API"]


async def test_the_system_says_what_it_is(panel: RunningPanel, open_tab: OpenTab) -> None:
    tab = await open_tab("/settings/system", PHONE)
    page = tab.page
    pairs = page.locator("main .pairs > div")
    await expect(pairs.filter(has_text="Version")).to_contain_text(re.compile(r"Pilot Light \d+\.\d+"))
    await expect(pairs.filter(has_text="Pins")).to_contain_text("Simulated pins")
    await expect(pairs.filter(has_text="Lights")).to_contain_text("1, all online")
    await expect(pairs.filter(has_text="Storage")).to_contain_text("Works")
    await expect(page.locator("#import")).to_be_enabled()
    for name, path in {
        "Health": "/health/ready",
        "Metrics": "/metrics",
        "API": "/docs",
        "Sockets": "/docs/sockets",
    }.items():
        await expect(page.locator("main").get_by_role("link", name=name)).to_have_attribute("href", path)
    assert await page.evaluate(TOO_SMALL) == []
    await fits(page)


@pytest.mark.parametrize("device", first_of(ON_ITS_SIDE, SMALL, TABLET), ids=["844x390", "320", "768"])
async def test_the_mark_is_in_sight_and_the_lamps_have_no_figures(
    panel: RunningPanel, open_tab: OpenTab, device: dict[str, Any]
) -> None:
    tab = await open_tab(device=device)
    await tab.marked("Live")
    await expect(tab.mark).to_be_in_viewport(ratio=1)
    await tab.has_a_round_trip()
    said = await tab.page.locator("body").inner_text()
    assert not re.search(r"\d ms|WebSocket", said), said
    await expect(tab.page.get_by_role("radiogroup", name="Transport")).to_have_count(0)
    await expect(tab.page.locator("#pins-note")).to_have_text("Simulated pins")
    await fits(tab.page)


@pytest.mark.parametrize("transport", first_of(*TRANSPORTS))
async def test_who_is_here_is_seen_on_the_lights(panel: RunningPanel, open_tab: OpenTab, transport: str) -> None:
    tab = await open_tab("/settings/device", PHONE, watch=False)
    page = tab.page
    await tab.is_live()
    await page.get_by_label("Name of this device").fill("Ada")
    await page.get_by_role("button", name="Save").click()
    await tab.open(panel, f"/?transport={transport}")
    faces = page.locator("#here")
    await tab.marked("Live")
    await expect(faces).to_be_hidden()
    async with AsyncExitStack() as company:
        for name in ("Zoe", "Bob"):
            await company.enter_async_context(live(panel, name=name))
        own = [] if transport == "rest" else ["A"]  # REST has no connection that could be present
        initials = [*own, "B", "Z"]
        await expect(faces.locator("span")).to_have_count(len(initials))
        for face, initial in zip(await faces.locator("span").all(), initials, strict=True):
            await expect(face).to_have_attribute("data-initial", initial)
        await expect(faces.locator(".me[data-initial=A]")).to_have_count(len(own))
        for name in ("Carla", "Dora", "Émile"):
            await company.enter_async_context(live(panel, name=name))
        await expect(faces.locator("span")).to_have_count(5)
        await expect(faces.locator(".more-people")).to_have_text("+2" if own else "+1")
        await fits(page)
        await faces.click()
        here = [*(["Ada (you)"] if own else []), "Bob", "Carla", "Dora", "Émile", "Zoe"]
        await expect(page.get_by_role("menuitem")).to_have_text(here)
        await page.get_by_role("menuitem", name="Bob").click()
        assert page.url == f"{panel.url}/chat#to=Bob"
        await expect(page.locator("#chat-tab")).to_have_attribute("aria-current", "page")
    await tab.open(panel, f"/?transport={transport}")
    await tab.marked("Live")
    await expect(faces).to_be_hidden()


HERE = {
    "en-GB": ("1 person here: Zoe", "2 people here: Bob, Zoe"),
    "zh-CN": ("1 人在场：Zoe", "2 人在场：Bob、Zoe"),
}


@pytest.mark.parametrize("locale", first_of(*HERE))
async def test_how_many_are_here_is_said(panel: RunningPanel, open_tab: OpenTab, locale: str) -> None:
    one, two = HERE[locale]
    async with live(panel, name="Zoe"):
        tab = await open_tab("/?transport=rest", locale=locale)  # which is not here itself
        await expect(tab.page.locator("#here")).to_have_attribute("aria-label", one)
        async with live(panel, name="Bob"):
            await expect(tab.page.locator("#here")).to_have_attribute("aria-label", two)


@pytest.mark.parametrize(
    "path",
    first_of("/settings/system", "/", "/plan", "/watch", "/chat", "/settings/lights", "/lab", "/compare", "/docs"),
)
async def test_who_may_see_nothing_sees_what_to_do(shut: RunningPanel, open_tab: OpenTab, path: str) -> None:
    tab = await open_tab("/settings/device", PHONE, at=shut, watch=False)
    page = tab.page
    await expect(page.locator("#access-strip")).to_contain_text("cannot use this panel yet")
    await expect(page.get_by_label("Name of this device")).to_be_visible()
    await page.goto(shut.url + path)
    await expect(page.get_by_role("heading")).to_have_text(["Sign in to use this panel"])
    await expect(page.get_by_role("link", name="Sign in", exact=True)).to_be_visible()
    for part in ("main", "#access-strip", "#lost", ".top-end"):
        await expect(page.locator(part).first).to_be_hidden()
    await fits(page)
    await page.get_by_role("link", name="Sign in", exact=True).click()
    await expect(page.get_by_label("PIN", exact=True)).to_be_visible()
