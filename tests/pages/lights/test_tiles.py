"""Several lights are tiles: what a drag, a tap, a long press and keys do, and that scrolling does nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.async_api import expect

from tests.support.fingers import scrolled, swipe
from tests.support.page_lights import TRANSPORTS, revision, set_light
from tests.support.panel_process import RunningPanel, eventually
from tests.support.tabs import PHONE, SHORT_PHONE, TOO_SMALL, OpenTab, first_of, fits

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them

PINS = range(2, 26)


@pytest.mark.parametrize("transport", first_of(*TRANSPORTS))
async def test_a_drag_dims_a_tap_switches_and_off_brings_back_the_level(
    panel: RunningPanel, open_tab: OpenTab, transport: str
) -> None:
    set_light(panel, level=40)
    path = f"/?transport={transport}"
    tab, other = await open_tab(path, PHONE), (await open_tab(path)).tile()
    tile, devtools = tab.tile(), await tab.devtools()
    await tile.shows(40)
    (x, y), (end, _) = await tile.at(20), await tile.at(60)
    await swipe(devtools, (x, y), end - x, 3)
    await expect(tile.text).to_have_text(re.compile("^7[0-9] %$"))  # 40 % further, less the threshold
    level = await tile.level()
    await other.shows(level)
    assert panel.light("desk")["level"] == level

    await tab.page.touchscreen.tap(x, y)
    await other.shows(0)
    await expect(tile.text).to_have_text("Off")
    await tab.page.touchscreen.tap(x, y)
    await other.shows(level)

    # a drag to the left end is off, and on is where the drag began
    await swipe(devtools, (end + 40, y), -350, 0)
    await other.shows(0)
    assert panel.light("desk")["on"] is False
    await other.switch.click()
    await tile.shows(level)
    assert (panel.light("desk")["level"], panel.light("desk")["on"]) == (level, True)


async def test_a_tap_right_after_a_swipe_counts(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=40)
    tab, other = await open_tab(device=PHONE), (await open_tab()).tile()
    tile, devtools = tab.tile(), await tab.devtools()
    x, y = await tile.at(50)
    for across in (60, -60, 60):
        await swipe(devtools, (x, y), across, 3)
        await tab.page.touchscreen.tap(x, y)
        await other.shows(0)
        await tab.page.touchscreen.tap(x, y)
        await expect(other.switch).to_have_attribute("aria-checked", "true")


async def test_scrolling_over_a_tile_changes_no_light(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=40)
    tab = await open_tab(device=SHORT_PHONE)
    devtools, before = await tab.devtools(), revision(panel)
    for across in (0, 6, 60):  # straight, as a thumb does it, and askew
        await swipe(devtools, await tab.tile().at(60), across, -180)
        await scrolled(tab.page)
        await tab.page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
    await tab.tile().shows(40)
    assert revision(panel) == before
    await expect(tab.page.locator("#light-sheet")).to_be_hidden()


@pytest.mark.slow
@pytest.mark.parametrize("width", [320, 390, 1280])
async def test_the_handle_of_a_large_tile_crosses_neither_the_lamp_nor_the_name(
    start_panel: Callable[..., RunningPanel], open_tab: OpenTab, width: int
) -> None:
    lights = '[lights.a]\npin = 2\nname = "Terrace string lights behind the house"\n[lights.b]\npin = 3\n'
    panel = start_panel(lights=lights)
    tab = await open_tab(at=panel, device=PHONE | {"viewport": {"width": width, "height": 800}})
    for level in (5, 20, 50):
        set_light(panel, "a", level=level)
        await tab.tile("a").shows(level)
        lamp, handle, name = [
            await tab.tile("a").root.locator(part).bounding_box() for part in (".lamp", ".tile-handle", ".tile-name")
        ]
        assert lamp
        assert handle
        assert name
        assert lamp["y"] + lamp["height"] <= handle["y"], level
        assert handle["y"] + handle["height"] <= name["y"], level


@pytest.mark.slow
async def test_a_press_the_corner_and_enter_open_the_card(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=40)
    tab = await open_tab()
    tile, card, page = tab.tile(), (await tab.card()), tab.page
    await tab.close_card()
    await expect(tile.more).to_be_focused()

    async def press() -> None:
        await page.mouse.move(*await tile.at(50))
        await page.mouse.down()
        await expect(card.root).to_be_visible()
        await page.mouse.up()

    for act in (press, lambda: tile.bar.press("Enter")):
        await act()
        await expect(card.bar).to_be_focused()
        await card.type("55")
        await tile.shows(55)
        await page.keyboard.press("Escape")
        await expect(card.root).to_be_hidden()
        await expect(tile.bar).to_be_focused()
        eventually(lambda: (panel.light("desk")["level"], panel.light("desk")["on"]) == (55, True))
        set_light(panel, level=40)
        await tile.shows(40)


@pytest.mark.parametrize("at_the_edge", [False, True])
async def test_a_press_that_ends_off_the_tile_is_over(
    panel: RunningPanel, open_tab: OpenTab, at_the_edge: bool
) -> None:
    set_light(panel, level=40)
    tab = await open_tab()
    tile, card, mouse = tab.tile(), await tab.card(), tab.page.mouse
    await tab.close_card()
    x, y = await tile.at(50)
    box = await tile.root.bounding_box()
    assert box is not None
    bottom = box["y"] + box["height"]
    if at_the_edge:
        y = bottom - 2  # so near that the way off the tile does not end the press
    await mouse.move(x, y)
    await mouse.down()
    await mouse.move(x, bottom + (4 if at_the_edge else 60))
    await mouse.up()
    await mouse.move(x - 60, y)
    await mouse.move(x, y, steps=10)  # with no button
    await tab.page.wait_for_timeout(700)  # longer than a press
    await expect(card.root).to_be_hidden()
    await tile.shows(40)
    await mouse.down()
    await mouse.up()
    await tile.shows(0)  # this tap counts
    eventually(lambda: panel.light("desk")["on"] is False)


async def test_a_tile_that_moves_on_the_page_is_let_go_too(panel: RunningPanel, open_tab: OpenTab) -> None:
    tab = await open_tab()
    order = list(panel.get("/lights").json()["lights"])
    last, mouse = order[-1], tab.page.mouse
    set_light(panel, last, level=40)
    tile = tab.tile(last)
    await tile.shows(40)
    await tile.drag(30, 60)
    panel.post("/lights/order", json={"order": order[::-1]}).raise_for_status()
    try:
        await expect(tab.page.locator("#lights .light-tile").first).to_have_attribute("data-light", last)
        await mouse.up()
        await mouse.move(*await tile.at(10))
        await mouse.move(*await tile.at(90), steps=10)
        set_light(panel, last, level=25)  # which a tile in hand does not show
        await tile.shows(25)
    finally:
        panel.post("/lights/order", json={"order": order}).raise_for_status()


@pytest.mark.slow
async def test_a_finger_that_is_held_opens_the_card_and_switches_nothing(
    panel: RunningPanel, open_tab: OpenTab
) -> None:
    set_light(panel, level=40)
    tab = await open_tab(device=PHONE)
    (x, y), devtools, sheet = await tab.tile().at(50), await tab.devtools(), tab.page.locator("#light-sheet")
    await devtools.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    await expect(sheet).to_be_visible()
    await devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    await tab.page.evaluate("new Promise(done => setTimeout(done, 100))")  # a click would come here
    await expect(sheet).to_be_visible()
    assert panel.light("desk")["on"] is True
    await tab.page.touchscreen.tap(x, 30)
    await expect(sheet).to_be_hidden()


@pytest.mark.slow
async def test_keys_dim_and_switch_a_tile(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=40)
    tile = (await open_tab()).tile()
    await expect(tile.bar).to_have_attribute("aria-label", "Level of Desk")
    await expect(tile.switch).to_have_attribute("aria-label", "Desk on or off")
    for key, level in [("ArrowRight", 41), ("PageUp", 51), (" ", 0), (" ", 51), ("Home", 0), (" ", 51), ("End", 100)]:
        await tile.bar.press(key)
        await tile.shows(level)
        await expect(tile.switch).to_have_attribute("aria-checked", str(level > 0).lower())
    await expect(tile.bar).to_have_attribute("aria-valuetext", "100 percent")


@pytest.mark.slow
async def test_24_lights_fit_two_screens_of_a_phone(
    start_panel: Callable[..., RunningPanel], open_tab: OpenTab
) -> None:
    names = ("Terrace string lights", "Desk", "Donaudampfschifffahrtsgesellschaft")
    lights = "".join(f'[lights.l{pin}]\npin = {pin}\nname = "{names[pin % 3]} {pin}"\n' for pin in PINS)
    panel = start_panel(lights=lights)
    for group, of in (("Upstairs", PINS[:12]), ("Downstairs", PINS[12:])):
        panel.post("/groups", json={"name": group, "lights": [f"l{pin}" for pin in of]})
    for scene in ("Dinner", "Film", "Reading by the window", "Night"):
        panel.post("/scenes", json={"name": scene})
    tab = await open_tab(at=panel, device=PHONE)
    await expect(tab.page.locator("#lights .light-tile")).to_have_count(24)
    last = await tab.page.evaluate(
        "[...document.querySelectorAll('.light-tile')].at(-1).getBoundingClientRect().bottom + scrollY"
    )
    assert last < 2 * 844
    await fits(tab.page)
    assert await tab.page.evaluate(TOO_SMALL) == []
    await tab.page.set_viewport_size({"width": 320, "height": 640})
    await fits(tab.page)
    await tab.page.evaluate("scrollTo({ top: 700, behavior: 'instant' })")
    await expect(tab.page.locator("#all-off")).to_be_in_viewport(ratio=1)
