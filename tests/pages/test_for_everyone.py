"""Every page for everyone: axe-core, contrast, forced colours, keys, small and large screens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.axe import violations
from tests.support.contrast import controls, too_faint
from tests.support.every_page import LIGHTS, NAME, OPEN, PAGES, QUICK, READY, SHEETS, panel_in_each_state
from tests.support.page_weight import QUIET, SHIFT, STILL
from tests.support.panel_process import RunningPanel
from tests.support.tabs import DEFAULTS, DESKTOP, PHONE, TOO_SMALL, fits

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them

NARROW = PHONE | {"viewport": {"width": 320, "height": 640}}
HALF = DESKTOP | {"viewport": {"width": 640, "height": 400}}  # 200 % zoom of 1280 x 800


@pytest.fixture(scope="module")
def panels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, RunningPanel]]:
    with panel_in_each_state(tmp_path_factory.mktemp) as running:
        yield running


@asynccontextmanager
async def a_browser(browser: Browser, device: dict[str, Any], **more: Any) -> AsyncIterator[Page]:
    context = await browser.new_context(**{**DEFAULTS, **device, **more})
    yield await context.new_page()
    await context.close()


async def until(page: Page, expression: str) -> None:
    """Wait until it is true. Our Content-Security-Policy forbids Playwright's own way: to evaluate it there."""
    while not await page.evaluate(expression):
        await page.wait_for_timeout(20)


async def shown(page: Page, url: str) -> None:
    """Open a page, and wait until it says all that it will."""
    await page.goto("about:blank")
    await page.goto(url)
    await until(page, READY)
    await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


async def said_against(page: Page) -> list[str]:
    """What axe-core and the contrast of the controls say against the page as it is."""
    found = await violations(page)
    viewer = await page.locator("#viewer").count()
    return found + ([] if viewer else [str(faint) for faint in await too_faint(page)])


@pytest.mark.parametrize(
    ("kind", "theme", "paths"),
    [
        pytest.param("full", "light", QUICK, id="quick"),
        *(
            pytest.param(kind, theme, PAGES, marks=pytest.mark.slow, id=f"{kind}-{theme}")
            for kind in ("full", "one", "empty", "viewer", "nobody")
            for theme in ("dark", "light")
        ),
    ],
)
async def test_nothing_keeps_anybody_from_a_page(
    browser: Browser, panels: dict[str, RunningPanel], kind: str, theme: Any, paths: tuple[str, ...]
) -> None:
    wrong: dict[str, list[str]] = {}
    async with a_browser(browser, PHONE if theme == "light" else DESKTOP, color_scheme=theme) as page:
        for path in paths:
            await shown(page, panels[kind].url + path)
            if found := await said_against(page):
                wrong[path] = found
    assert wrong == {}


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_nothing_keeps_anybody_from_a_sheet(
    browser: Browser, panels: dict[str, RunningPanel], theme: Any
) -> None:
    wrong: dict[str, list[str]] = {}
    async with a_browser(browser, PHONE, color_scheme=theme) as page:
        for path, button in SHEETS:
            await shown(page, panels["full"].url + path)
            await page.evaluate(NAME)
            await page.get_by_role("button", name=button, exact=True).first.click()
            await until(page, OPEN)
            if found := await said_against(page):
                wrong[button] = found
    assert wrong == {}


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_nothing_keeps_anybody_from_a_page_without_its_panel(browser: Browser, tmp_path: Any, theme: Any) -> None:
    with RunningPanel(tmp_path / "data", lights=LIGHTS) as panel:
        async with a_browser(browser, PHONE, color_scheme=theme) as page:
            await shown(page, panel.url)
            panel.stop()
            await page.locator("#lost").wait_for()
            assert await said_against(page) == []


async def test_a_control_and_its_state_are_seen(browser: Browser, panels: dict[str, RunningPanel]) -> None:
    """Slider, field and switch, on and off, in both themes."""
    for theme in ("dark", "light"):
        async with a_browser(browser, PHONE, color_scheme=theme) as page:
            for kind, level in (("one", {"level": 5}), ("one", {"on": False})):
                panels[kind].patch("/lights/desk", level)
                await shown(page, panels[kind].url)
                found = await controls(page)
                kinds = {control["what"].partition(":")[0] for control in found}
                assert kinds == {"edge", "thumb", "chosen", "handle"}
                assert [control for control in found if control["ratio"] < 3] == []


SEEN = """() => [...document.querySelectorAll('.switch-track, .bar-room, .chips, .button, .dot, .bar-handle')]
  .filter((element) => element.checkVisibility())
  .filter((element) => {
    const { borderTopWidth, borderTopColor, backgroundColor } = getComputedStyle(element);
    const below = getComputedStyle(document.body).backgroundColor;
    return !(parseFloat(borderTopWidth) > 0 && borderTopColor !== below) && backgroundColor === below;
  }).map((element) => element.outerHTML.slice(0, 90))"""


async def test_forced_colours_leave_edges_levels_and_states(browser: Browser, panels: dict[str, RunningPanel]) -> None:
    async with a_browser(browser, DESKTOP, forced_colors="active") as page:
        panels["one"].patch("/lights/desk", {"level": 40})
        await shown(page, panels["one"].url)
        assert await page.evaluate(SEEN) == []
        assert await violations(page) == []
        fill = "getComputedStyle(document.querySelector('{}')).backgroundColor"
        on = await page.evaluate(fill.format(".bar-fill"))
        assert on != await page.evaluate(fill.format(".bar-room"))
        chosen, other = (fill.format(f".chip input{state} + span") for state in (":checked", ":not(:checked)"))
        assert await page.evaluate(chosen) != await page.evaluate(other)
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        outline = "getComputedStyle(document.activeElement)"
        assert await page.evaluate(f"{outline}.outlineStyle") == "solid"
        assert await page.evaluate(f"parseFloat({outline}.outlineWidth)") >= 2


async def test_the_first_tab_skips_to_the_content(browser: Browser, panels: dict[str, RunningPanel]) -> None:
    async with a_browser(browser, DESKTOP) as page:
        await shown(page, panels["full"].url + "/watch#run=build")
        await page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the content")
        await expect(skip).to_be_focused()
        await expect(skip).to_be_in_viewport()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("main")).to_be_focused()
        assert page.url.endswith("#run=build")


async def test_no_two_controls_of_a_light_have_one_name(browser: Browser, panels: dict[str, RunningPanel]) -> None:
    async with a_browser(browser, PHONE) as page:
        await shown(page, panels["one"].url)
        await expect(page.get_by_role("slider")).to_have_accessible_name("Level of Desk lamp")
        await expect(page.locator(".level-input")).to_have_accessible_name("Desk lamp: level in percent")


@pytest.mark.slow
@pytest.mark.parametrize("device", [NARROW, HALF], ids=["320 px", "200 % zoom"])
async def test_every_page_fits(browser: Browser, panels: dict[str, RunningPanel], device: dict[str, Any]) -> None:
    async with a_browser(browser, device) as page:
        for path in PAGES:
            for kind in ("full", "viewer"):
                await shown(page, panels[kind].url + path)
                await fits(page)


@pytest.mark.slow
async def test_every_target_is_large_enough(browser: Browser, panels: dict[str, RunningPanel]) -> None:
    wrong = {}
    async with a_browser(browser, PHONE) as page:
        for path in PAGES:
            if path == "/docs":  # the viewer's own
                continue
            await shown(page, panels["full"].url + path)
            if found := await page.evaluate(TOO_SMALL):
                wrong[path] = found
    assert wrong == {}


MOVING = """document.getAnimations().filter((motion) => motion.playState === 'running'
  && motion.effect.getComputedTiming().duration > 0).map((motion) => motion.effect.target.outerHTML.slice(0, 80))"""


@pytest.mark.slow
async def test_reduced_motion_moves_nothing(browser: Browser, panels: dict[str, RunningPanel]) -> None:
    async with a_browser(browser, PHONE) as page:
        for path in PAGES:
            await shown(page, panels["full"].url + path)
            moving = await page.evaluate(MOVING)
            assert [element for element in moving if "lamp" not in element and "glow" not in element] == [], path


@pytest.mark.parametrize(
    "paths", [pytest.param(("/",), id="quick"), pytest.param(PAGES, id="all", marks=pytest.mark.slow)]
)
async def test_nothing_moves_while_a_page_loads(
    browser: Browser, panels: dict[str, RunningPanel], paths: tuple[str, ...]
) -> None:
    """Each page is the first that its browser opens."""
    moved = {}
    for path in paths:
        async with a_browser(browser, PHONE) as page:
            await shown(page, panels["full"].url + path)
            await page.wait_for_timeout(QUIET)  # for what comes late: nothing says that nothing will
            moved[path] = await page.evaluate(SHIFT)
    assert {path: shift for path, shift in moved.items() if shift >= STILL} == {}


WORDS = """[...document.querySelectorAll("[data-word], [data-word-label]")]
  .filter((element) => element.checkVisibility())
  .flatMap(({ dataset, innerText, ariaLabel }) => [dataset.word && innerText, dataset.wordLabel && ariaLabel])
  .filter((words) => words && !/[\u4e00-\u9fff]/.test(words))"""
SAME_IN_CHINESE = {"API", "Ping", "WebSocket"}


@pytest.mark.slow
async def test_a_chinese_page_has_chinese_words(browser: Browser, panels: dict[str, RunningPanel]) -> None:
    found = {}
    async with a_browser(browser, DESKTOP, locale="zh-CN") as page:
        for path in PAGES:
            await shown(page, panels["full"].url + path)
            if english := set(await page.evaluate(WORDS)) - SAME_IN_CHINESE:
                found[path] = english
    assert found == {}
