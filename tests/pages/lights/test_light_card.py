"""What the card of a light shows and does, and what it says of a refusal."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest
from playwright.async_api import (
    expect,
)

from tests.support.page_lights import TRANSPORTS, revision, set_light
from tests.support.panel_process import RunningPanel
from tests.support.tabs import OpenTab, first_of

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them


IMAGE_TAG = "<img src=x onerror=alert(1)>"
JUST_NOW = re.compile(r"^(now|\d s ago)$")  # "now" is true for two seconds only


# --- what a light does --------------------------------------------------------------------------------------


FOLLOW_THE_MARKER = """bar => new Promise((resolve) => {
  const seen = [];
  const marker = bar.closest('[data-light]').querySelector('.bar-actual');
  new MutationObserver(() => {
    const figures = [bar.style.getPropertyValue('--actual'), bar.getAttribute('aria-valuenow')];
    seen.push([...figures, getComputedStyle(marker).opacity].map(Number));
    if (seen.at(-1)[0] === 1) resolve(seen);
  }).observe(bar, { attributes: true });
})"""


# In one go, as a hand is: two presses of a test are seconds apart where the machine is slow, and two steps of undo.
SET_90_WITHOUT_EFFECT = """card => {
  card.querySelector('.effects [value=none]').click();
  const level = card.querySelector('.level-input');
  level.value = '90';
  level.dispatchEvent(new Event('change'));
}"""


@pytest.mark.slow
async def test_a_marker_shows_where_a_fade_is(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=0)
    card = await (await open_tab()).card()
    await card.shows(0)
    await expect(card.marker).to_have_css("opacity", "0")
    await card.chip("Fade", "2 s").check()

    following = asyncio.create_task(card.bar.evaluate(FOLLOW_THE_MARKER))
    await card.type("100")
    async with asyncio.timeout(30):
        seen = await following
    actual = [at for at, _, _ in seen]
    assert actual == sorted(actual)
    assert len({at for at in actual if 0.05 < at < 0.95}) > 1  # a busy browser draws seldom
    assert {level for at, level, _ in seen if 0 < at < 1} == {100}  # the slider is where it is going
    assert max(opacity for at, _, opacity in seen if 0 < at < 1) == 1
    await expect(card.marker).to_have_css("opacity", "0")


@pytest.mark.slow
async def test_who_and_when(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=20)
    mine, theirs = await open_tab(), await open_tab()
    card, other = await mine.card(), await theirs.card()

    # when a program without a name changes the light, then it is called what it calls itself
    set_light(panel, agent="curl/8.5.0", level=40)
    await expect(card.did).to_have_text("curl set 40 %")
    await expect(card.when).to_have_text(JUST_NOW)
    await expect(card.when).to_have_text(re.compile(r"^\d+ s ago$"))

    # a page's own change is "You" here and the browser's name there
    await card.type("70")
    await expect(card.did).to_have_text("You set 70 %")
    await expect(card.when).to_have_text(JUST_NOW)
    await expect(other.did).to_have_text(re.compile(r"^(Chrome|Chromium) on Linux set 70 %$"))

    # a device that was given a name is called that
    await mine.close_card()
    await mine.open(panel, "/settings/device")
    await mine.is_live()
    await mine.page.get_by_label("Name of this device").fill("Sofa 平板")
    await mine.page.get_by_role("button", name="Save").click()
    await expect(mine.page.get_by_text("Saved")).to_be_visible()
    await mine.open(panel, "/")
    card = await mine.card()
    await card.switch.uncheck()
    await expect(other.did).to_have_text("Sofa 平板 switched it off")

    # and a reload is still the same person
    await mine.page.reload()
    card = await mine.card()
    await expect(card.did).to_have_text("You switched it off")


async def test_undo_restores_what_was_before_the_last_change(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=40, effect="candle")
    tab = await open_tab()
    card = await tab.card()
    await card.root.evaluate(SET_90_WITHOUT_EFFECT)  # one at once after the other: one step of undo
    await expect(card.did).to_have_text("You set 90 %")

    await expect(card.undo).to_have_attribute("aria-label", "Undo: Desk back to Candle at 40 %")
    await card.undo.click()
    await expect(card.did).to_have_text("You set Candle at 40 %")
    await card.shows(40)
    await expect(card.chip("Effect", "Candle")).to_be_checked()
    assert (panel.light("desk")["level"], panel.light("desk")["effect"]) == (40, "candle")

    await card.undo.click()  # twice is forth again
    await card.shows(90)
    assert (panel.light("desk")["level"], panel.light("desk")["effect"]) == (90, None)


async def test_a_wish_may_follow_another_before_the_page_is_drawn_again(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=40, effect="candle")
    card = await (await open_tab()).card()
    await card.root.evaluate(
        """(card) => {
          card.querySelector('.effects [value=none]').click();
          const level = card.querySelector('.level-input');
          level.value = '70';
          level.dispatchEvent(new Event('change'));
          card.querySelector('.brighter').click();
        }"""
    )
    await expect(card.did).to_have_text("You set 80 %")
    assert (panel.light("desk")["level"], panel.light("desk")["effect"]) == (80, None)


@pytest.mark.slow
async def test_a_flash_is_seen_on_every_screen_and_changes_nothing(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=40)
    mine, theirs = await (await open_tab()).card(), await (await open_tab()).card()
    await mine.flash.click()
    await expect(theirs.did).to_have_text(re.compile(" flashed it$"))
    await theirs.shows(40)


# --- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", first_of(*TRANSPORTS))
async def test_a_refused_level_says_why_and_returns_to_the_truth(
    panel: RunningPanel, open_tab: OpenTab, transport: str
) -> None:
    set_light(panel, level=40)
    # Over REST a refusal has a status, which a browser's console always complains of.
    tab = await open_tab(f"/?transport={transport}", watch=transport != "rest")
    card, before = await tab.card(), revision(panel)
    await card.type("140")
    await expect(tab.notices).to_contain_text("A level is a whole number from 0 to 100.")
    await expect(tab.notices).to_have_count(1)
    await card.shows(40)
    assert revision(panel) == before
    await tab.notices.get_by_role("button", name="Dismiss").click()
    await expect(tab.notices).to_have_count(0)


async def test_what_is_no_number_is_not_even_asked(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=40)
    tab = await open_tab()
    card, before = await tab.card(), revision(panel)
    await card.type("<b>4")
    await expect(tab.notices).to_contain_text("“<b>4” is not a level. A level is a whole number from 0 to 100.")
    await card.shows(40)
    await card.number.fill("77")
    await card.number.press("Escape")  # thought better of it
    await card.shows(40)
    assert revision(panel) == before


async def test_names_are_text_whatever_is_in_them(start_panel: Callable[..., RunningPanel], open_tab: OpenTab) -> None:
    panel = start_panel(lights=f'[lights.led]\npin = 21\nname = "{IMAGE_TAG}"\n')
    tab = await open_tab(at=panel)
    card = await tab.card("led")
    set_light(panel, "led", by=IMAGE_TAG, level=40)
    await expect(card.name).to_have_text(IMAGE_TAG)
    await expect(card.did).to_have_text(f"{IMAGE_TAG} set 40 %")
    await expect(card.bar).to_have_attribute("aria-label", f"Level of {IMAGE_TAG}")
    await expect(tab.page.locator("img")).to_have_count(0)
