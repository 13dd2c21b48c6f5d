"""The page of the lights: the same on every screen, whichever transport it uses."""

from __future__ import annotations

import itertools
import re
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import (
    expect,
)

from tests.support.page_lights import TRANSPORTS, set_light
from tests.support.panel_process import RunningPanel
from tests.support.tabs import Card, OpenTab, first_of

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them


GESTURES: list[tuple[str, Callable[[Card], Awaitable[None]], str]] = [
    ("a typed number", lambda card: card.type("33"), "33 percent"),
    ("+", lambda card: card.brighter.click(), "43 percent"),
    ("−", lambda card: card.dimmer.click(), "33 percent"),
    ("off keeps the level", lambda card: card.switch.uncheck(), "off, 33 percent when on"),
    ("on returns to it", lambda card: card.switch.check(), "33 percent"),
]


@pytest.mark.parametrize("transport", first_of(*TRANSPORTS))
async def test_two_tabs_follow_each_other(panel: RunningPanel, open_tab: OpenTab, transport: str) -> None:
    # given two tabs on the same transport
    set_light(panel, level=50)
    cards = [await (await open_tab(f"/?transport={transport}")).card() for _ in range(2)]
    for card in cards:
        await card.says("50 percent")

    # when one of them, in turn, changes the light, then both show it, and it is so
    for (what, act, text), hand in zip(GESTURES, itertools.cycle(cards), strict=False):
        await act(hand)
        for card in cards:
            await card.says(text)
        assert panel.light("desk")["target"] == await cards[0].level(), what

    # and the same for an effect, which a new level does not end
    await cards[0].chip("Effect", "Pulse").check()
    await expect(cards[1].chip("Effect", "Pulse")).to_be_checked()
    await cards[1].type("60")
    await cards[0].says("60 percent")
    await expect(cards[0].chip("Effect", "Pulse")).to_be_checked()
    assert (panel.light("desk")["effect"], panel.light("desk")["level"]) == ("pulse", 60)
    await cards[1].chip("Effect", "None").check()
    await expect(cards[0].chip("Effect", "None")).to_be_checked()
    assert panel.light("desk")["effect"] is None


@pytest.mark.slow
async def test_the_page_works_on_hypercorn(start_panel: Callable[..., RunningPanel], open_tab: OpenTab) -> None:
    panel = start_panel(server="hypercorn")
    tabs = {transport: await open_tab(f"/?transport={transport}", at=panel) for transport in TRANSPORTS}
    for level, tab in zip((21, 42, 63), tabs.values(), strict=True):
        await (await tab.card("led")).type(str(level))
        for other in tabs.values():
            await (await other.card("led")).shows(level)
        assert panel.level() == level


async def test_the_transport_is_chosen_in_settings_and_kept_from_page_to_page(
    panel: RunningPanel, open_tab: OpenTab
) -> None:
    set_light(panel, level=50)
    tab = await open_tab("/settings/device", watch=False)  # going away in the middle of a request is no fault
    for level, (label, address) in enumerate(
        [("Socket.IO", "?transport=socketio"), ("REST", "?transport=rest"), ("WebSocket", "")], start=71
    ):
        await tab.page.get_by_role("radiogroup", name="Transport").get_by_role("radio", name=label).check()
        assert tab.page.url == f"{panel.url}/settings/device{address}"
        await tab.marked("Live")
        await tab.page.get_by_role("link", name="Lights", exact=True).first.click()
        assert tab.page.url == f"{panel.url}/{address}"
        await tab.marked("Live")
        await tab.mark.click()
        sheet = tab.page.get_by_role("dialog", name="Connection")
        await expect(sheet.locator(".link-transport")).to_have_text(label)
        await expect(sheet.locator(".link-since")).to_have_text(re.compile(r"^\d+:\d\d (\(now\)|\(\d+ s ago\))$"))
        await sheet.get_by_role("button", name="Close").click()
        await tab.has_a_round_trip()
        card = await tab.card()
        await card.type(str(level))
        await expect(card.did).to_have_text(f"You set {level} %")
        await tab.close_card()
        assert panel.light("desk")["level"] == level
        await tab.mark.click()
        await sheet.get_by_role("link", name="Settings of this device").click()
