"""One undo takes back all that one act on the page has done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import expect

from tests.support.page_lights import LIGHTS, set_light
from tests.support.panel_process import RunningPanel, eventually
from tests.support.tabs import OpenTab, Tab, first_of

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them

LEVELS = {"desk": 80, "shelf": 40, "hall": 90, "kitchen": 20}


async def tap(tab: Tab) -> None:
    await tab.tile("desk").root.locator(".tile-name").click(force=True)


async def drag(tab: Tab) -> None:
    await tab.tile("desk").drag(80, 30, 60, 10)
    await tab.page.mouse.up()


async def drag_to_off(tab: Tab) -> None:
    await tab.tile("desk").drag(80, 30, -30)
    await tab.page.mouse.up()


async def drag_the_group(tab: Tab) -> None:
    await tab.group("office").drag(80, 20, 50, 0)
    await tab.page.mouse.up()


async def switch_the_group(tab: Tab) -> None:
    await tab.group("office").root.locator(".group-head .switch").click()


async def all_off(tab: Tab) -> None:
    await tab.page.locator("#all-off").click()


async def recall(tab: Tab) -> None:
    await tab.scene("Dinner").click()


async def in_the_card(tab: Tab) -> None:
    await (await tab.card("desk")).undo.click()
    await tab.close_card()


async def in_the_menu(tab: Tab) -> None:
    await tab.group("office").choose("Undo")


async def in_the_notice(tab: Tab) -> None:
    await tab.notices.get_by_role("button", name="Undo").click()
    await expect(tab.notices).to_have_count(0)


Do = Callable[[Tab], Awaitable[None]]
# What is done, the light that shows it and its target then, and where undo is.
ACTS: list[tuple[Do, str, int, Do]] = [
    (all_off, "kitchen", 0, in_the_notice),
    (recall, "desk", 5, in_the_notice),
    (tap, "desk", 0, in_the_card),
    (drag, "desk", 10, in_the_card),
    (drag_to_off, "desk", 0, in_the_card),
    (drag_the_group, "shelf", 0, in_the_menu),
    (switch_the_group, "shelf", 0, in_the_menu),
]


def targets(panel: RunningPanel) -> dict[str, Any]:
    return {light: panel.light(light)["target"] for light in LEVELS}


@pytest.mark.parametrize("case", first_of(*ACTS), ids=lambda case: case[0].__name__)
async def test_one_undo_takes_back_all_of_it(
    start_panel: Callable[..., RunningPanel], open_tab: OpenTab, case: tuple[Do, str, int, Do]
) -> None:
    act, light, level, undo = case
    panel = start_panel(lights=LIGHTS)
    panel.post("/groups", json={"name": "Office", "lights": ["desk", "shelf"]})
    panel.post("/scenes", json={"name": "Dinner", "lights": {"desk": {"level": 5}, "hall": {"on": False}}})
    for name, before in LEVELS.items():
        set_light(panel, name, level=before)
    tab = await open_tab(at=panel)
    await tab.tile("desk").shows(80)
    await act(tab)
    eventually(lambda: abs(panel.light(light)["target"] - level) <= 6)  # a drag begins after a threshold
    await undo(tab)
    eventually(lambda: targets(panel) == LEVELS)
    for name, before in LEVELS.items():
        await tab.tile(name).shows(before)


@pytest.mark.slow
async def test_the_notice_goes_by_itself(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=40)
    tab = await open_tab()
    await tab.page.clock.install()
    await all_off(tab)
    await expect(tab.notices.get_by_role("button", name="Undo")).to_be_visible()
    await tab.page.clock.fast_forward(13_000)
    await expect(tab.notices).to_have_count(0)
