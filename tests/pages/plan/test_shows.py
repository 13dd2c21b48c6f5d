"""Shows on the page of schedules: made of steps, tried, changed, copied and deleted, the same on every screen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.support.page_lights import LIGHTS, TRANSPORTS
from tests.support.panel_process import RunningPanel, eventually
from tests.support.tabs import DESKTOP, PHONE, TOO_SMALL, OpenTab, first_of, fits

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them

WAIT = {"wait": {"seconds": 30}}
SMALL = PHONE | {"viewport": {"width": 320, "height": 640}}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    with RunningPanel(tmp_path_factory.mktemp("shows") / "data", lights=LIGHTS, rest_rate=1e6) as running:
        yield running


@pytest.fixture
def panel(shared: RunningPanel) -> RunningPanel:
    """A panel with four lights, and no shows of its own."""
    shared.post("/import", json={"pilotlight": 1, "shows": [], "schedules": []})
    for run in shared.get("/runs").json()["runs"]:
        if run["state"] != "ended":
            shared.post(f"/runs/{run['id']}/signal", json={"signal": "stop"})
    return shared


def own(panel: RunningPanel) -> list[dict[str, Any]]:
    return [show for show in panel.get("/shows").json()["shows"] if show["source"] == "own"]


async def opened(open_tab: OpenTab, path: str = "/plan", device: dict[str, Any] = DESKTOP, **more: Any) -> Page:
    tab = await open_tab(path, device, **more)
    await tab.is_live()
    return tab.page


def card(page: Page, name: str) -> Locator:
    return page.locator(f"[data-show='{name}']")


async def choose(page: Page, button: Locator, item: str) -> None:
    """Open the menu at the button, and choose from it."""
    await button.click()
    await page.get_by_role("menuitem", name=item, exact=True).click()


async def add(page: Page, kind: str, within: Locator | None = None) -> None:
    """Add a step at the end of the show, or of the steps inside one."""
    button = (within or page.locator("#show-sheet .steps > .add-step")).last
    await choose(page, button, kind)


def steps(page: Page) -> Locator:
    """The steps of the show, without those inside of them."""
    return page.locator("#show-sheet .steps > .step-list > .step")


async def test_a_show_is_made_by_hand_tried_and_on_every_screen(panel: RunningPanel, open_tab: OpenTab) -> None:
    page, other = await opened(open_tab, device=SMALL), await opened(open_tab)
    sheet = page.locator("#show-sheet")
    await page.get_by_role("button", name="New show").click()

    # a fade of the desk, and a repeat with a wait in it
    await sheet.get_by_label("Name", exact=True).fill("Good night")
    await add(page, "Fade to a level")
    await sheet.locator("[name=light]").select_option("Desk")
    await sheet.locator("[name=level]").fill("5")
    await sheet.get_by_label("Time", exact=True).fill("2")
    await sheet.get_by_label("Unit").select_option("min")
    await expect(steps(page).nth(0).locator(".step-says")).to_have_text("Desk to 5 %, over 2 min")
    await add(page, "Repeat steps")
    await sheet.get_by_label("How often", exact=True).last.fill("4")
    await add(page, "Wait", sheet.locator(".step-inner .add-step"))
    await expect(sheet.locator(".total")).to_have_text("Takes 2 min 20 s in all.")
    await fits(page)
    assert await page.evaluate(TOO_SMALL) == []

    # the repeat goes first
    await steps(page).nth(1).locator(".step-words").first.click()
    await sheet.get_by_role("button", name="Move up").click()
    await expect(steps(page).nth(0).locator(".step-words").first).to_have_text("4 times")
    await expect(sheet.get_by_role("button", name="Move down")).to_be_focused()

    # it is tried without being saved
    await sheet.get_by_role("button", name="Try it").click()
    await expect(sheet.get_by_role("button", name="Stop")).to_be_enabled()
    [run] = [one for one in panel.get("/runs").json()["runs"] if one["state"] != "ended"]
    assert (run["name"], own(panel)) == ("Good night", [])
    await sheet.get_by_role("button", name="Stop").click()
    await expect(sheet.get_by_role("button", name="Try it")).to_be_enabled()
    assert panel.get(f"/runs/{run['id']}").json()["outcome"] == "stopped"

    # then it is saved, and there for everybody
    await sheet.get_by_role("button", name="Create").click()
    await expect(sheet).to_be_hidden()
    assert panel.get("/shows/good-night").json()["steps"] == [
        {"repeat": {"times": 4, "steps": [{"wait": {"seconds": 5.0}}]}},
        {"fade": {"light": "desk", "level": 5, "seconds": 120.0}},
    ]
    for shown in (page, other):
        await expect(card(shown, "good-night").get_by_role("heading")).to_have_text("Good night")
        await expect(card(shown, "good-night").locator(".show-kind")).to_have_text("2 min 20 s")
    await card(other, "good-night").get_by_role("button", name="Start Good night").click()
    await expect(card(page, "good-night").locator(".pill")).to_have_text("Running")


@pytest.mark.parametrize("transport", first_of(*TRANSPORTS))
async def test_a_show_is_copied_changed_and_deleted(panel: RunningPanel, open_tab: OpenTab, transport: str) -> None:
    page, other = [await opened(open_tab, f"/plan?transport={transport}") for _ in range(2)]
    sheet = page.locator("#show-sheet")

    # one that comes with the panel can only be copied
    more = card(page, "sunrise").get_by_role("button", name="More about Sunrise")
    await expect(card(page, "sunrise").locator(".show-kind")).to_have_text("30 min, built-in")
    await more.click()
    await expect(page.get_by_role("menuitem")).to_have_text(["Duplicate"])
    await page.get_by_role("menuitem").click()
    await expect(sheet.get_by_label("Name", exact=True)).to_have_value("Sunrise 2")
    await expect(steps(page)).to_have_count(4)
    await sheet.get_by_role("button", name="Create").click()
    await expect(card(other, "sunrise-2")).to_be_visible()
    assert panel.get("/shows/sunrise-2").json()["steps"] == panel.get("/shows/sunrise").json()["steps"]

    # the copy is changed
    await choose(page, card(page, "sunrise-2").locator(".show-more"), "Edit")
    await sheet.get_by_label("Name", exact=True).fill("Early")
    await steps(page).nth(1).locator(".step-words").click()
    await sheet.get_by_role("button", name="Remove").click()
    await expect(steps(page)).to_have_count(3)
    await sheet.get_by_role("button", name="Save").click()
    await expect(sheet).to_be_hidden()
    await expect(card(other, "sunrise-2").get_by_role("heading")).to_have_text("Early")
    assert len(panel.get("/shows/sunrise-2").json()["steps"]) == 3

    # and deleted, once that is confirmed; the question names what starts it
    start = {"do": "start_show", "show": "sunrise-2"}
    panel.post("/schedules", json={"name": "Wake", "when": {"at": "06:00"}, "do": start})
    await expect(page.locator("[data-schedule=wake] .plan-what")).to_have_text("Show Early")
    await choose(page, card(page, "sunrise-2").locator(".show-more"), "Delete")
    await expect(page.locator("#sure")).to_contain_text("These schedules start it, and cannot any more: Wake.")
    await page.locator("#sure").get_by_role("button", name="Keep").click()
    assert len(own(panel)) == 1
    await choose(page, card(page, "sunrise-2").locator(".show-more"), "Delete")
    await page.locator("#sure").get_by_role("button", name="Delete").click()
    for shown in (page, other):
        await expect(card(shown, "sunrise-2")).to_have_count(0)
        await expect(shown.locator("[data-schedule=wake] .plan-gone")).to_be_visible()
    assert own(panel) == []


@pytest.mark.slow
async def test_what_is_refused_is_said_at_its_step(panel: RunningPanel, open_tab: OpenTab) -> None:
    page = await opened(open_tab, device=PHONE)
    sheet = page.locator("#show-sheet")
    await page.get_by_role("button", name="New show").click()
    await sheet.get_by_label("Name", exact=True).fill("sunrise")
    await sheet.get_by_role("button", name="Create").click()
    await expect(sheet.locator(".form-problem")).to_have_text("Add at least one step.")
    await add(page, "Repeat steps")
    await sheet.get_by_role("radio", name="Again and again").check()
    await add(page, "Wait", sheet.locator(".step-inner .add-step"))
    await sheet.get_by_label("Time", exact=True).fill("")
    await steps(page).nth(0).locator(".step-words").first.click()  # what is wrong is not in sight
    await sheet.get_by_role("button", name="Create").click()
    await expect(sheet.locator(".step .field-problem")).to_have_text("Give a time of 0 seconds to 24 hours.")
    await expect(sheet.get_by_label("Time", exact=True)).to_be_focused()
    await sheet.get_by_label("Time", exact=True).fill("0")
    await sheet.get_by_role("button", name="Create").click()
    await expect(sheet.locator(".step .field-problem")).to_contain_text("must take time")
    await steps(page).nth(0).locator(".step-inner .step-words").click()
    await sheet.get_by_label("Time", exact=True).fill("1")
    await sheet.get_by_role("button", name="Create").click()
    title = sheet.locator("[data-field=title]")
    await expect(title.locator(".field-problem")).to_have_text("'Sunrise' is there already, with the name 'sunrise'.")
    await expect(title.get_by_role("textbox")).to_be_focused()
    assert own(panel) == []
    await title.get_by_role("textbox").fill("Mine")
    await sheet.get_by_role("button", name="Create").click()
    await expect(card(page, "mine").locator(".show-kind")).to_have_text("Until it is stopped")


@pytest.mark.slow
async def test_a_show_is_made_with_the_keyboard_alone(panel: RunningPanel, open_tab: OpenTab) -> None:
    page = await opened(open_tab)
    keys = page.keyboard
    await page.get_by_role("button", name="New show").focus()
    await keys.press("Enter")
    await page.locator("#show-sheet").get_by_label("Name", exact=True).focus()
    await keys.type("Keys")
    await keys.press("Tab")  # add a step
    await keys.press("Enter")
    for _ in range(3):
        await keys.press("ArrowDown")
    await keys.press("Enter")
    await expect(steps(page).locator(".step-words")).to_be_focused()
    await keys.press("Tab")
    await keys.press("ControlOrMeta+a")
    await keys.type("7")
    await keys.press("Enter")
    await expect(page.locator("#show-sheet")).to_be_hidden()
    await expect(page.get_by_role("button", name="New show")).to_be_focused()
    assert panel.get("/shows/keys").json()["steps"] == [{"wait": {"seconds": 7.0}}]


@pytest.mark.slow
async def test_a_slip_of_the_finger_loses_no_steps(panel: RunningPanel, open_tab: OpenTab) -> None:
    page = await opened(open_tab, device=PHONE)
    sheet, sure = page.locator("#show-sheet"), page.locator("#sure")
    await page.get_by_role("button", name="New show").click()
    await add(page, "Wait")
    await sheet.get_by_label("Name", exact=True).fill("Kept")
    for _ in range(2):
        await expect(sheet).to_be_visible()
        await page.mouse.click(20, 20)  # outside
        await sure.get_by_role("button", name="Go back").click()
        await expect(sheet.get_by_label("Name", exact=True)).to_have_value("Kept")
        await expect(steps(page)).to_have_count(1)
    await sheet.get_by_role("button", name="Create").click()
    await expect(card(page, "kept")).to_be_visible()
    await expect(sure).to_be_hidden()
    await choose(page, card(page, "kept").locator(".show-more"), "Edit")
    await expect(sheet).to_be_visible()
    await expect(steps(page)).to_have_count(1)
    await page.keyboard.press("Escape")  # nothing was changed
    await expect(sheet).to_be_hidden()
    await expect(sure).to_be_hidden()
    await choose(page, card(page, "kept").locator(".show-more"), "Edit")
    await expect(sheet).to_be_visible()
    await sheet.get_by_label("Name", exact=True).fill("Lost")
    await sheet.get_by_role("button", name="Close").click()
    await sure.get_by_role("button", name="Leave").click()
    await expect(sheet).to_be_hidden()
    assert [show["title"] for show in own(panel)] == ["Kept"]


EVERY_STEP: list[dict[str, Any]] = [
    {"label": "Low", "set": {"level": 40, "on": False}},
    {"set": {"light": "hall", "on": True}},
    {"fade": {"light": "gone", "level": 0, "seconds": 0.3}},
    {"effect": {"effect": "none"}},
    {"effect": {"light": "desk", "effect": "candle", "level": 40}},
    {
        "parallel": {
            "branches": [[{"wait": {"seconds": 5400.0}}], [{"repeat": {"times": 1, "steps": [{"set": {"level": 0}}]}}]]
        }
    },
]
IN_WORDS = [
    "LowAll lights off",
    "Hall on",
    "gone to 0 %, over 0.3 s",
    "All lights, no effect",
    "Desk, effect Candle at 40 %",
    "At the same time",
    "Wait 1 h 30 min",
    "Once",
    "All lights to 0 %",
]


@pytest.mark.slow
async def test_every_kind_of_step_is_said_and_stays_as_it_is(panel: RunningPanel, open_tab: OpenTab) -> None:
    show = {"id": "all", "title": "All", "steps": EVERY_STEP}
    assert panel.post("/import", json={"pilotlight": 1, "shows": [show]}).status_code == 200
    page = await opened(open_tab)
    sheet = page.locator("#show-sheet")
    await choose(page, card(page, "all").locator(".show-more"), "Edit")
    said = sheet.locator(".step-says")
    await expect(said).to_have_count(len(IN_WORDS))
    assert [re.sub("\u00a0", " ", text) for text in await said.all_text_contents()] == IN_WORDS
    for n in range(len(IN_WORDS)):  # opened, and closed again
        await sheet.locator(".step-words").nth(n).click()
        await sheet.locator(".step-words").nth(n).click()
    await steps(page).nth(2).locator(".step-words").click()
    await sheet.get_by_role("button", name="Save").click()
    await expect(steps(page).nth(2).locator(".field-problem")).to_have_text(
        "This light is not there any more. Choose another one."
    )
    await sheet.locator("[name=light]").select_option("All lights")
    await sheet.get_by_role("button", name="Save").click()
    await expect(sheet).to_be_hidden()
    del EVERY_STEP[2]["fade"]["light"]
    assert panel.get("/shows/all").json()["steps"] == EVERY_STEP


@pytest.mark.slow
async def test_who_may_only_look_cannot_change_them(
    start_panel: Callable[..., RunningPanel], open_tab: OpenTab
) -> None:
    panel = start_panel(role_loopback="viewer", lights=LIGHTS)
    page = await opened(open_tab, at=panel)
    for button in ("New show", "More about Sunrise", "Start Sunrise"):
        await expect(page.get_by_role("button", name=button)).to_be_disabled()
        await expect(page.get_by_role("button", name=button)).to_have_accessible_description(
            "To control runs and shows, sign in."
        )


@pytest.mark.slow
async def test_a_chinese_browser_gets_chinese_words_for_shows(panel: RunningPanel, open_tab: OpenTab) -> None:
    page = await opened(open_tab, device=SMALL, locale="zh-CN")
    await choose(page, card(page, "candle_evening").locator(".show-more"), "复制")
    sheet = page.locator("#show-sheet")
    await expect(sheet.get_by_label("名称", exact=True)).to_have_value("烛光之夜 2")
    await sheet.get_by_label("名称", exact=True).fill("日出")
    await sheet.get_by_role("button", name="创建").click()
    await expect(card(page, "show")).to_be_visible()
    await choose(page, card(page, "show").locator(".show-more"), "编辑")
    await add(page, "同时进行")
    await sheet.get_by_role("button", name="保存").click()
    await expect(sheet.locator(".step .field-problem")).to_have_text("每一行都需要步骤。")
    await fits(page)
    eventually(lambda: [show["title"] for show in own(panel)] == ["日出"])
