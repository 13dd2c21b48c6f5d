"""Groups, scenes and All off on the page of the lights."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.support.page_lights import CLIENT, LIGHTS, TRANSPORTS, set_light
from tests.support.panel_process import RunningPanel, eventually
from tests.support.tabs import DESKTOP, PHONE, Group, OpenTab, Tab, first_of, fits

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them

NOTE_LEVELS = """bar => {
  window.levels = [];
  const note = () => window.levels.push(Number(bar.ariaValueNow));
  new MutationObserver(note).observe(bar, { attributeFilter: ['aria-valuenow'] });
}"""


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def bare(panel: RunningPanel) -> AsyncIterator[None]:
    """No groups and scenes before each test."""
    for kind in ("groups", "scenes"):
        for one in panel.get(f"/{kind}").json()[kind]:
            if one["id"] != "all":
                CLIENT.delete(f"{panel.url}/{kind}/{one['id']}").raise_for_status()
    yield


async def desk_and_shelf(
    panel: RunningPanel, open_tab: OpenTab, *, desk: int, shelf: int
) -> tuple[list[Tab], list[Group]]:
    """Two tabs that show a group of both lights at these levels."""
    set_light(panel, "desk", level=desk)
    set_light(panel, "shelf", level=shelf)
    set_light(panel, "hall", level=90)
    panel.post("/groups", json={"name": "Office", "lights": ["desk", "shelf"]})
    tabs = [await open_tab(), await open_tab("/?transport=socketio")]
    groups = [tab.group("office") for tab in tabs]
    for group in groups:
        await group.shows(max(desk, shelf))
    return tabs, groups


async def test_a_group_is_dimmed_in_proportion_and_switched_as_one(panel: RunningPanel, open_tab: OpenTab) -> None:
    (tab, other), (group, theirs) = await desk_and_shelf(panel, open_tab, desk=80, shelf=40)
    await expect(group.name).to_have_text("Office")
    await expect(group.tiles).to_have_count(2)
    await group.drag(80, 1, 50)
    await tab.page.mouse.up()
    for tile, level in (("desk", 50), ("shelf", 25)):
        await other.tile(tile).shows(level)
    await theirs.shows(50)
    await theirs.switch.uncheck()
    await expect(group.switch).not_to_be_checked()
    await group.shows(0)
    await expect(tab.tile("shelf").text).to_have_text("Off")
    await group.switch.check()
    await other.tile("shelf").shows(25)
    assert panel.light("hall")["level"] == 90


async def test_a_group_in_hand_does_not_bounce_while_others_move_it(panel: RunningPanel, open_tab: OpenTab) -> None:
    (tab, other), (group, theirs) = await desk_and_shelf(panel, open_tab, desk=80, shelf=40)
    await group.bar.evaluate(NOTE_LEVELS)
    await group.drag(80, 70)
    await theirs.drag(70, 20)  # another hand, at the same time
    await asyncio.gather(
        tab.page.mouse.move(*await group.at(30), steps=40),
        other.page.mouse.move(*await theirs.at(90), steps=40),
    )
    await group.shows(30)
    levels = await tab.page.evaluate("levels")
    assert levels == sorted(levels, reverse=True), "it showed what another hand did"
    await other.page.mouse.up()
    async with asyncio.timeout(30):
        for level in itertools.cycle((31, 30)):
            await tab.page.mouse.move(*await group.at(level))
            await asyncio.sleep(0.1)
            if await theirs.level() == level:
                break  # the other page follows, so all that its hand did has come
    await tab.page.mouse.move(*await group.at(28))  # the last one that moves
    await tab.page.mouse.up()
    for hand in (group, theirs):
        await hand.shows(28)
    for one in (tab, other):
        await one.tile("desk").shows(28)
        await one.tile("shelf").shows(14)
    assert [panel.light(light)["level"] for light in ("desk", "shelf")] == [28, 14]


@pytest.mark.slow
@pytest.mark.parametrize("transport", first_of(*TRANSPORTS))
async def test_groups_are_made_changed_and_deleted_on_the_page(
    panel: RunningPanel, open_tab: OpenTab, transport: str
) -> None:
    panel.post("/groups", json={"name": "First", "lights": ["desk"]})
    # Over REST a refusal has a status, which a browser's console always complains of.
    tab = await open_tab(f"/?transport={transport}", PHONE, watch=transport != "rest")
    page, form = tab.page, tab.page.locator("#form-sheet")
    sections = (await open_tab()).page.locator("#lights [data-group] h2")
    await page.get_by_role("button", name="New group").click()
    await expect(form.get_by_role("checkbox")).to_have_count(4)
    sizes = await form.get_by_role("checkbox").evaluate_all("boxes => boxes.map(box => box.offsetWidth)")
    assert sizes == [20] * 4  # also beside a long name
    await form.get_by_label("Hall", exact=True).check()
    await form.get_by_label("Shelf", exact=True).check()
    await form.get_by_label("Name").fill("first")
    await form.get_by_role("button", name="Save").click()
    await expect(form.get_by_role("alert")).to_contain_text("is there already")  # and the form is still there
    await form.get_by_label("Name").fill("Evening")
    await form.get_by_role("button", name="Save").click()
    await expect(form).to_be_hidden()
    await expect(sections).to_have_text(["First", "Evening"])
    await expect(tab.group("evening").tiles).to_have_count(2)
    await expect(page.locator(".of-node .light-tile")).to_have_count(1)  # the kitchen's, which is in no group

    await tab.group("evening").choose("Move up")
    await expect(sections).to_have_text(["Evening", "First"])
    # The other page may know it first, and no press counts on a button that moves away under it.
    await expect(page.locator("#lights [data-group] h2")).to_have_text(["Evening", "First"])
    await tab.group("evening").choose("Choose lights")
    await form.get_by_label("Hall", exact=True).uncheck()
    await form.get_by_role("button", name="Save").click()
    await expect(tab.group("evening").tiles).to_have_count(1)
    await tab.group("evening").choose("Rename")
    await form.get_by_label("Name").fill("Night")
    await page.keyboard.press("Enter")
    await expect(sections).to_have_text(["Night", "First"])
    await expect(tab.group("evening").root.locator(".group-more")).to_be_focused()
    await tab.group("evening").choose("Delete group")
    await form.get_by_role("button", name="Delete group").click()
    await expect(sections).to_have_text(["First"])
    await fits(page)


@pytest.mark.parametrize("transport", first_of(*TRANSPORTS))
async def test_a_menu_stays_open_and_at_its_button_while_groups_move(
    panel: RunningPanel, open_tab: OpenTab, transport: str
) -> None:
    for group in ("north", "south"):
        panel.post("/groups", json={"name": group.title(), "lights": ["desk", "hall", "shelf"]})
    panel.post("/groups/order", json={"order": ["north", "south"]})
    tab = await open_tab(f"/?transport={transport}", PHONE)
    page, south = tab.page, tab.group("south").root
    more, menu = south.locator(".group-more"), page.get_by_role("menu")
    await more.click()
    await expect(menu.get_by_role("menuitem").first).to_be_focused()

    # when somebody else puts the groups in another order
    panel.post("/groups/order", json={"order": ["south", "north"]})
    await expect(page.locator("#lights [data-group] h2")).to_have_text(["South", "North"])

    # then it is still open, beside the button, which is elsewhere, and what is chosen is of the same group
    await expect(menu.get_by_role("menuitem").first).to_be_focused()
    button, place = await more.bounding_box(), await menu.bounding_box()
    assert button is not None
    assert place is not None
    assert 6 in (place["y"] - button["y"] - button["height"], button["y"] - place["y"] - place["height"])
    await menu.get_by_role("menuitem", name="Rename").click()
    await expect(page.locator("#form-sheet").get_by_label("Name")).to_have_value("South")
    await page.keyboard.press("Escape")

    # and it closes where its group is deleted
    await more.click()
    panel.delete("/groups/south")
    await expect(south).to_have_count(0)
    await expect(page.locator("[role=menu]")).to_have_count(0)
    panel.delete("/groups/north")


@pytest.mark.parametrize("transport", first_of(*TRANSPORTS))
async def test_a_scene_is_saved_recalled_and_undone(panel: RunningPanel, open_tab: OpenTab, transport: str) -> None:
    set_light(panel, "desk", level=72)
    set_light(panel, "hall", level=30, effect="candle")
    set_light(panel, "shelf", on=False)
    tab, other = await open_tab(f"/?transport={transport}", PHONE), await open_tab()
    page = tab.page
    await page.get_by_role("button", name="New scene").click()
    await page.locator("#form-sheet").get_by_label("Name").fill("Dinner")
    await page.keyboard.press("Enter")
    for one in (tab, other):
        await expect(one.scene("Dinner")).to_have_attribute("aria-pressed", "true")
    set_light(panel, "desk", level=5)
    set_light(panel, "shelf", level=100)
    for one in (tab, other):
        await expect(one.scene("Dinner")).to_have_attribute("aria-pressed", "false")

    await tab.scene("Dinner").click()
    await expect(other.scene("Dinner")).to_have_attribute("aria-pressed", "true")
    await other.tile("desk").shows(72)
    await other.tile("shelf").shows(0)
    assert panel.light("hall")["effect"] == "candle"
    await tab.notices.get_by_role("button", name="Undo").click()
    await other.tile("desk").shows(5)
    await other.tile("shelf").shows(100)
    await expect(tab.notices).to_have_count(0)

    await page.get_by_role("button", name="Menu of the scene Dinner").click()
    await page.get_by_role("menuitem", name="Save what is now").click()
    await expect(other.scene("Dinner")).to_have_attribute("aria-pressed", "true")
    await page.get_by_role("button", name="Menu of the scene Dinner").click()
    await page.get_by_role("menuitem", name="Delete scene").click()
    await page.locator("#form-sheet").get_by_role("button", name="Delete scene").click()
    await expect(other.scene("Dinner")).to_have_count(0)


@pytest.mark.parametrize("device", first_of(PHONE, DESKTOP), ids=["390 px", "1280 px"])
async def test_all_off_is_one_tap_and_can_be_undone(
    panel: RunningPanel, open_tab: OpenTab, device: dict[str, object]
) -> None:
    for light, level in {"desk": 40, "shelf": 100, "hall": 90, "kitchen": 70}.items():
        set_light(panel, light, level=level)
    set_light(panel, "hall", on=False)
    tab = await open_tab(device=device)
    await tab.page.get_by_role("button", name="All off").click()
    await expect(tab.page.locator("#summary")).to_have_text("All off")
    assert not any(panel.light(light)["on"] for light in ("desk", "shelf", "hall", "kitchen"))
    await tab.notices.get_by_role("button", name="Undo").click()
    await tab.tile("kitchen").shows(70)
    await expect(tab.page.locator("#summary")).to_have_text("3 of 4 on")  # the one that was off stays so


@pytest.mark.slow
async def test_what_every_light_refuses_is_one_notice_that_names_them(
    start_panel: Callable[..., RunningPanel], open_tab: OpenTab
) -> None:
    panel = start_panel(lights=LIGHTS, pins="pigpio", pigpio_port=1)
    eventually(lambda: panel.light("kitchen")["reason"] != "the panel is starting")
    tab = await open_tab("/?transport=rest", at=panel, watch=False)  # the console complains of the status
    await expect(tab.tile("hall").text).to_have_text("Offline")
    for _ in range(2):
        async with tab.page.expect_response(f"{panel.url}/groups/all"):
            await tab.page.get_by_role("button", name="All off").click()
        await expect(tab.notices.first).to_contain_text("Not done: Desk, Shelf, Hall, Donau")
    await tab.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    await expect(tab.notices).to_have_count(1)


@pytest.mark.slow
async def test_a_viewer_sees_levels_and_can_change_nothing(
    start_panel: Callable[..., RunningPanel], open_tab: OpenTab
) -> None:
    panel = start_panel(lights=LIGHTS, role_loopback="viewer")
    tab = await open_tab(at=panel, device=PHONE)
    await expect(tab.page.locator("#access-strip")).to_contain_text("sign in with the PIN")
    await expect(tab.tile().bar).to_have_attribute("aria-disabled", "true")
    await expect(tab.tile().text).to_have_text("50 %")
    await expect(tab.tile().switch).to_be_disabled()
    await expect(tab.page.locator("#all-off")).to_be_disabled()
    for hidden in ("#scenes", "#add-group"):
        await expect(tab.page.locator(hidden)).to_be_hidden()
    await (await tab.card()).is_usable(False)
