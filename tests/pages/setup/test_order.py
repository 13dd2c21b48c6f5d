"""The order of the lights: by buttons, keys, a finger and a mouse, and on every page at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.async_api import Locator, Page, expect

from tests.support.fingers import swipe
from tests.support.panel_process import RunningPanel, eventually
from tests.support.tabs import PHONE, TOO_SMALL, OpenTab, fits

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them

LIGHTS = "".join(f"[lights.{id}]\npin = {pin}\n" for id, pin in [("led", 21), ("desk", 12), ("hall", 13), ("attic", 5)])
FIRST = ["led", "desk", "hall", "attic"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    with RunningPanel(tmp_path_factory.mktemp("order") / "data", lights=LIGHTS) as running:
        yield running


@pytest.fixture
def panel(house: RunningPanel) -> RunningPanel:
    """The panel with its lights in the first order, and a group that names them in another one."""
    house.delete("/groups/both")
    house.post("/groups", json={"name": "Both", "lights": ["attic", "led"]})
    assert house.post("/lights/order", json={"order": FIRST}).status_code == 200
    return house


def is_kept(panel: RunningPanel, *order: str) -> None:
    eventually(lambda: list(panel.get("/lights").json()["lights"]) == [*order])


async def shows(rows: Locator, *order: str) -> None:
    """Wait until these are the lights, in this order."""
    await expect(rows).to_have_count(len(order))
    for n, light in enumerate(order):
        await expect(rows.nth(n)).to_have_attribute("data-light", light)


def rows_of(page: Page) -> Locator:
    return page.locator(".order-row")


async def test_arrows_move_a_light_on_every_page(panel: RunningPanel, open_tab: OpenTab) -> None:
    tab, lights = await open_tab("/settings/lights", PHONE), await open_tab("/")
    page = tab.page
    await shows(page.locator("#rows li"), *FIRST)
    await page.get_by_role("button", name="Order").click()
    await shows(rows_of(page), *FIRST)
    await fits(page)
    assert await page.evaluate(TOO_SMALL) == []
    down = page.get_by_role("button", name="Move Led down")
    await down.click()
    await down.focus()
    await page.keyboard.press("Enter")  # the focus has moved with the light
    await page.keyboard.press("Space")
    await shows(rows_of(page), "desk", "hall", "attic", "led")
    await expect(page.locator(".order-said")).to_have_text("Led is number 4 of 4")
    await expect(down).to_be_focused()
    await page.keyboard.press("Enter")  # it is at the end
    is_kept(panel, "desk", "hall", "attic", "led")
    await shows(lights.page.locator("#lights [data-group=both] .light-tile"), "attic", "led")
    await page.get_by_role("button", name="Move Led up").click()
    await shows(lights.page.locator("#lights [data-group=both] .light-tile"), "led", "attic")
    is_kept(panel, "desk", "hall", "led", "attic")
    await page.locator("#ordering [data-close]").click()
    await shows(page.locator("#rows li"), "desk", "hall", "led", "attic")


async def handle_at(row: Locator) -> tuple[float, float]:
    box = await row.locator(".order-handle").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.mark.slow
@pytest.mark.parametrize("by", ["mouse", "finger"])
async def test_a_light_is_dragged(panel: RunningPanel, open_tab: OpenTab, by: str) -> None:
    tab = await open_tab("/settings/lights", PHONE)
    page = tab.page
    await page.get_by_role("button", name="Order").click()
    rows = rows_of(page)
    await shows(rows, *FIRST)
    (x, y), (_, end) = await handle_at(rows.nth(3)), await handle_at(rows.nth(0))
    if by == "finger":
        await swipe(await tab.devtools(), (x, y), 0, end - y)
    else:
        await page.mouse.move(x, y)
        await page.mouse.down()
        await page.mouse.move(x, end, steps=8)
        await shows(rows, "attic", "led", "desk", "hall")
        assert list(panel.get("/lights").json()["lights"]) == FIRST  # until it is dropped
        await page.mouse.up()
    await shows(rows, "attic", "led", "desk", "hall")
    is_kept(panel, "attic", "led", "desk", "hall")


@pytest.mark.slow
async def test_an_open_sheet_follows(panel: RunningPanel, open_tab: OpenTab) -> None:
    tab = await open_tab("/settings/lights")
    page = tab.page
    await page.get_by_role("button", name="Order").click()
    panel.post("/lights/order", json={"order": FIRST[::-1]})
    await shows(rows_of(page), *FIRST[::-1])
    panel.post("/lights", json={"id": "porch", "pin": 6})
    await shows(rows_of(page), *FIRST[::-1], "porch")
    panel.delete("/lights/porch")
    await shows(rows_of(page), *FIRST[::-1])


@pytest.mark.slow
@pytest.mark.parametrize(("role", "may"), [("viewer", False), ("operator", True)])
async def test_who_moves_lights_orders_them(
    start_panel: Callable[..., RunningPanel], open_tab: OpenTab, role: str, may: bool
) -> None:
    tab = await open_tab("/settings/lights", at=start_panel(lights=LIGHTS, role_loopback=role), locale="zh-CN")
    await shows(tab.page.locator("#rows li"), *FIRST)
    await expect(tab.page.locator("#order")).to_be_visible(visible=may)
    if may:
        await tab.page.locator("#order").click()
        await tab.page.get_by_role("button", name="将Led下移").click()
        await shows(rows_of(tab.page), "desk", "led", "hall", "attic")
