"""The slider under a finger and under keys."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.async_api import expect

from tests.support.fingers import scrolled, swipe
from tests.support.live_client import live
from tests.support.page_lights import revision, set_light
from tests.support.panel_process import RunningPanel
from tests.support.tabs import PHONE, SHORT_PHONE, OpenTab

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them


# --- the slider under a finger ------------------------------------------------------------------------------


async def test_scrolling_over_the_slider_changes_no_light(
    start_panel: Callable[..., RunningPanel], open_tab: OpenTab
) -> None:
    panel = start_panel(lights='[lights.desk]\npin = 12\nname = "Desk"\n')  # its card is on the page, not in a sheet
    set_light(panel, level=40)
    tab = await open_tab(device=SHORT_PHONE, at=panel)
    devtools, card = await tab.devtools(), await tab.card()
    sent: list[str] = []
    devtools.on("Network.webSocketFrameSent", lambda frame: sent.append(frame["response"]["payloadData"]))
    await devtools.send("Network.enable")
    before = revision(panel)

    for across in (0, 6, 60):  # straight, as a thumb does it, and askew
        await swipe(devtools, await card.at(40), across, -250)
        await scrolled(tab.page)
        await tab.page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")

    # nor does a tap, which may be a scroll that was stopped
    await tab.page.touchscreen.tap(*await card.at(80))
    await expect(card.bar).to_have_class(re.compile("hint"))
    await card.shows(40)
    assert [text for text in sent if "set_light" in text] == []
    assert revision(panel) == before


async def test_a_finger_that_moves_sideways_moves_the_light_by_as_much(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=40)
    tab = await open_tab(device=PHONE)
    card = await tab.card()
    (x, y), (end, _) = await card.at(10), await card.at(40)

    # when it starts far from the handle, nothing jumps: 30 % further is 30 % more, less the threshold
    await swipe(await tab.devtools(), (x, y), end - x, 4)
    await expect(card.did).to_have_text(re.compile(r"You set \d+ %"))
    shown = await card.level()
    assert 62 <= shown <= 70
    await expect(card.did).to_have_text(f"You set {shown} %")
    assert panel.light("desk")["level"] == shown
    assert await tab.page.evaluate("scrollY") == 0


# --- the slider under keys ----------------------------------------------------------------------------------


async def test_keys_move_the_slider(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=40)
    card = await (await open_tab()).card()
    await expect(card.bar).to_have_attribute("aria-label", "Level of Desk")
    await card.bar.focus()
    async with live(panel) as screen:
        for key, level in [
            ("Home", 0),
            ("PageUp", 10),
            ("ArrowRight", 11),
            ("ArrowUp", 12),
            ("ArrowLeft", 11),
            ("ArrowDown", 10),
            ("Shift+ArrowUp", 20),
            ("PageDown", 10),
            ("End", 100),
        ]:
            await card.page.keyboard.press(key)
            await card.shows(level)
            await card.says(f"{level} percent")
            await screen.event("light_changed", light="desk", level=level)


async def test_a_keyboard_alone_reaches_every_control_of_a_light(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=40)
    set_light(panel, level=50)  # so that there is something to undo
    tab = await open_tab()
    card = await tab.card()
    await expect(card.undo).to_be_visible()
    reached: list[str] = []
    await card.flash.focus()
    for _ in range(8):
        reached.append(
            await tab.page.evaluate(
                "document.activeElement.ariaLabel ?? document.activeElement.parentElement.textContent"
            )
        )
        await tab.page.keyboard.press("Tab")
    assert reached == [
        "Flash Desk three times to find it",
        "Desk on or off",
        "Desk: 10 % dimmer. Hold for steps of 1 %",
        "Level of Desk",
        "Desk: 10 % brighter. Hold for steps of 1 %",
        "Level of Desk",
        "None",
        "None",
    ]
    await expect(card.undo).to_be_focused()
