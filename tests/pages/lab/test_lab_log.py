"""The page `/lab`: its log, how it looks, and that nothing of it becomes HTML."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.support.lab_tab import Lab
from tests.support.panel_process import RunningPanel
from tests.support.tabs import DEFAULTS, complaints_of, first_of, scroll

pytestmark = pytest.mark.asyncio(loop_scope="session")


PHONE = {"width": 390, "height": 844}


DESKTOP = {"width": 1280, "height": 860}


SHOTS = os.environ.get("PILOTLIGHT_SHOTS")  # a directory to keep screenshots in, for a person to look at


# --- the log ------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_the_log_is_filtered_paused_and_cleared(context: BrowserContext, panel: RunningPanel) -> None:
    lab = await Lab.open(context, panel)
    shown = lab.page.locator("#entries .entry:not([hidden])")
    await lab.fill("events", "data", "needle")
    await lab.press("my_event")
    await expect(lab.entries("my_response", "needle")).to_have_count(1)
    await lab.page.locator("#api button").click()
    await expect(lab.entries("200")).to_have_count(1)

    await lab.page.locator("#log-search").fill("NEEDLE")
    await expect(shown).to_have_count(2)
    await lab.page.locator("#log-search").fill("")

    await lab.page.locator('[data-show="socketio"]').click()
    await expect(shown).to_have_count(2)  # of the POST
    await lab.page.locator('[data-show="socketio"]').click()

    await lab.page.locator("#log-pause").click()
    await lab.page.locator("#log-clear").click()
    await lab.press("my_event")
    await expect(lab.page.locator("#events-outcome")).to_contain_text("acknowledged")
    await expect(lab.page.locator("#log-count")).to_contain_text("Paused")
    await expect(shown).to_have_count(0)
    await lab.page.locator("#log-pause").click()
    await expect(lab.entries("my_response", "needle")).to_have_count(1)


@pytest.mark.slow
async def test_the_packets_below_are_shown_when_asked_for(context: BrowserContext, panel: RunningPanel) -> None:
    lab = await Lab.open(context, panel)
    await lab.press("my_event")
    await expect(lab.entries("ack my_event")).to_have_count(1)
    assert await lab.page.locator('.entry[data-kind="packet"]:not([hidden])').count() == 0

    await lab.page.locator('[data-show="packets"]').click()

    await expect(lab.entries("open", '0{"sid":')).to_have_count(1)
    await expect(lab.entries("message", "40", direction="out").first).to_be_visible()
    await expect(lab.entries("message", '["my_event",{"data":"hello"}]', direction="out")).to_have_count(1)


@pytest.mark.slow
async def test_the_log_is_bounded_and_follows_what_comes(context: BrowserContext, panel: RunningPanel) -> None:
    lab = await Lab.open(context, panel)
    await lab.page.evaluate("for (let n = 0; n < 400; n++) document.querySelector('[data-act=my_event]').click()")

    await expect(lab.entries("my_response", '"count": 400')).to_have_count(1)
    await expect(lab.page.locator("#entries .entry")).to_have_count(500)
    entries = lab.page.locator("#entries")
    await at_its_end(lab.page)

    await scroll(entries, 0)
    await lab.press("my_event")
    to_latest = lab.page.locator("#to-latest")
    await expect(to_latest).to_be_visible()  # who reads further up is left there
    await to_latest.click()
    await at_its_end(lab.page)
    await expect(to_latest).to_be_hidden()


async def at_its_end(page: Page) -> None:
    """Wait until the log shows what came last."""
    await page.wait_for_function(
        "() => { const list = document.getElementById('entries');"
        " return list.scrollHeight - list.scrollTop - list.clientHeight < 2; }"
    )


# --- how it looks -------------------------------------------------------------------------------------------


LOOKS = [(viewport, locale) for viewport in (PHONE, DESKTOP) for locale in ("en-US", "zh-CN")]


@pytest.mark.slow
@pytest.mark.parametrize("look", first_of(*LOOKS))
async def test_it_fits_the_screen_in_every_look(
    browser: Browser, panel: RunningPanel, look: tuple[dict[str, int], str]
) -> None:
    viewport, locale = look
    context = await browser.new_context(viewport=viewport, color_scheme="dark", **{**DEFAULTS, "locale": locale})
    complaints = complaints_of(context)
    page = await context.new_page()
    await page.goto(f"{panel.url}/lab")
    await page.wait_for_selector('body[data-link="live"]')
    for act in ("join", "my_event", "my_room_event"):
        await page.locator(f'[data-act="{act}"]').click()
    for form in ("raw-text", "raw-bytes", "api"):
        await page.locator(f"#{form} button").click()
    await expect(page.locator("#api-outcome")).to_contain_text("200")
    assert await page.locator("html").get_attribute("lang") == locale[:2]
    newest = page.locator("#entries .entry:not([hidden])").last
    name = f"{viewport['width']}-{locale[:2]}"

    grounds = set()
    for scheme in ("dark", "light"):
        await page.emulate_media(color_scheme=scheme)
        await page.evaluate("scrollTo(0, 0)")
        grounds.add(await page.evaluate("getComputedStyle(document.body).backgroundColor"))
        await keep(page, f"{name}-{scheme}")
        assert await page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
        assert await page.evaluate(CLIPPED) == []
        assert await page.evaluate(SMALL) == []
        assert await page.evaluate(NAMELESS) == []
        if viewport is DESKTOP:
            await expect(newest).to_be_in_viewport()
            continue
        handle, body = page.locator("#log-handle"), page.locator("#log-body")
        await expect(body).to_be_hidden()
        await handle.click()
        await expect(newest).to_be_in_viewport()
        assert await page.evaluate(SMALL) == []
        await keep(page, f"{name}-{scheme}-log")
        await handle.click()
        await expect(body).to_be_hidden()

    assert len(grounds) == 2
    await context.close()
    assert complaints == []


async def keep(page: Page, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"lab-{name}.png", animations="disabled")


# Words of a button or a tab that do not fit into it.
CLIPPED = """[...document.querySelectorAll('.button span, .chip span, .tabs span, h2, dt, .caption')]
  .filter((element) => element.checkVisibility() && element.clientWidth)
  .filter((element) => element.scrollWidth > element.clientWidth + 1)
  .map((element) => element.textContent)"""


# What can be pressed and is under 44 px high on a touch screen (38 px beside a mouse).
SMALL = """[...document.querySelectorAll('main :is(button, input[type=text], input[type=search]), .chip input')]
  .filter((element) => element.checkVisibility())
  .map((element) => [element.id || element.textContent, element.getBoundingClientRect().height])
  .filter(([, height]) => height < (innerWidth < 1024 ? 44 : 38))"""


# What can be pressed and has no name for a screen reader.
NAMELESS = """[...document.querySelectorAll('main :is(button, input, a)')]
  .filter((element) => element.checkVisibility())
  .filter((element) => !(element.textContent.trim() || element.ariaLabel || element.labels?.[0]?.textContent.trim()))
  .map((element) => element.outerHTML)"""
