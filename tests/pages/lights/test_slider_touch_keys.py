"""The slider under a finger and under keys."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.async_api import expect

from tests.support.fingers import scrolled, swipe
from tests.support.live_client import live
from tests.support.page_lights import LIGHTS, set_light
from tests.support.panel_process import RunningPanel
from tests.support.tabs import PHONE, SHORT_PHONE, Bar, Card, OpenTab, Tab, at_rest, first_of

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them


# --- the slider under a finger ------------------------------------------------------------------------------


ONE = '[lights.desk]\npin = 12\nname = "Desk"\n'  # its card is on the page, not in a sheet


async def a_surface(where: str, start_panel: Callable[..., RunningPanel], open_tab: OpenTab) -> tuple[Tab, Card | Bar]:
    """A phone, and what a finger may touch there: a card on the page or in the sheet, a tile, or a group's heading."""
    panel = start_panel(lights=ONE if where == "card" else LIGHTS)
    set_light(panel, level=40)
    if where == "group":
        panel.post("/groups", json={"name": "Office", "lights": ["desk"]})
    tab = await open_tab(device=SHORT_PHONE, at=panel)
    match where:
        case "tile":
            return tab, tab.tile()
        case "group":
            return tab, tab.group("office")
        case "sheet":
            await tab.page.set_viewport_size({"width": 390, "height": 330})  # so low that the sheet scrolls
    return tab, await tab.card()


SURFACES = pytest.mark.parametrize("where", first_of("card", "sheet", "group", "tile"))
SCROLLED = {"sheet": "document.getElementById('light-sheet').scrollTop"}
TO_THE_TOP = "for (const one of [window, document.getElementById('light-sheet')]) one.scrollTo(0, 0)"


@SURFACES
async def test_scrolling_changes_no_light_and_a_tap_sets_the_level(
    start_panel: Callable[..., RunningPanel], open_tab: OpenTab, where: str
) -> None:
    tab, surface = await a_surface(where, start_panel, open_tab)
    await surface.shows(40)
    devtools = await tab.devtools()
    sent: list[str] = []
    devtools.on("Network.webSocketFrameSent", lambda frame: sent.append(frame["response"]["payloadData"]))
    await devtools.send("Network.enable")
    for across in (0, 6, 60):  # straight, as a thumb does it, and askew
        await swipe(devtools, await surface.at(40), across, -180)
        await scrolled(tab.page, SCROLLED.get(where, "scrollY"))
        await tab.page.evaluate(TO_THE_TOP)
    await surface.shows(40)
    assert [text for text in sent if "set_light" in text] == []

    x, y = await surface.at(80)
    await tab.page.touchscreen.tap(x, y)
    await surface.shows(0 if where == "tile" else 80)  # a tile is a switch
    await at_rest(tab.page, "0")
    assert len([text for text in sent if "set_light" in text]) == 1
    await swipe(devtools, (x, y), 60 if where == "tile" else -60, 3)
    if where == "tile":
        await expect(surface.bar).not_to_have_attribute("aria-valuenow", "0")
    else:
        await expect(surface.bar).to_have_attribute("aria-valuenow", re.compile("^[56][0-9]$"))


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
            ("PageDown", 30),
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
            await card.says(f"{level} percent" if level else "off, 40 percent when on")
            await screen.event("light_changed", light="desk", level=level or 40)


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
        "Desk: level in percent",
        "Desk: 10 % brighter. Hold for steps of 1 %",
        "Level of Desk",
        "None",
        "None",
    ]
    await expect(card.undo).to_be_focused()
