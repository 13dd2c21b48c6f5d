"""The settings page: lights that are added, tuned and removed by hand, and everything as one file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.support.panel_process import RunningPanel, eventually
from tests.support.pigpio_board import HOST
from tests.support.pigpiod_standin import StandIn
from tests.support.tabs import DESKTOP, PHONE, TOO_SMALL, OpenTab, Tab, fits

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them

INPUT = 0  # mode of a pin, as pigpio has it
REFUSALS = re.compile(r"status of 4\d\d")  # the browser itself says this on its console
HALL = '[lights.hall]\npin = 19\nname = "Hallway"\n'
GERMAN = "Donaudampfschifffahrtsgesellschaftskapitänskajütenleuchte, links"


@pytest.fixture(scope="module")
def board() -> Iterator[StandIn]:
    with StandIn() as board:
        yield board


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory, board: StandIn) -> Iterator[RunningPanel]:
    """A panel on which the settings file has one light; each test removes what it added."""
    data = tmp_path_factory.mktemp("setup") / "data"
    with RunningPanel(data, lights=HALL, pins="pigpio", pigpio_host=HOST, pigpio_port=board.port) as running:
        yield running


def is_at(board: StandIn, pin: int, duty: float) -> None:
    eventually(lambda: board.duty(pin) == pytest.approx(duty, abs=0.01))


def row(page: Page, light: str) -> Locator:
    return page.locator(f"#rows [data-light='{light}']")


def said_at(page: Page, field: str) -> Locator:
    return page.locator(f"#light [data-field='{field}'] .field-problem")


def forgive_refusals(tab: Tab) -> None:
    tab.troubles[:] = [trouble for trouble in tab.troubles if not REFUSALS.search(trouble)]


async def test_a_lamp_is_added_tuned_and_removed_and_another_tab_follows(
    panel: RunningPanel, board: StandIn, open_tab: OpenTab
) -> None:
    tab, other = await open_tab("/settings/lights", PHONE), await open_tab("/settings")
    page = tab.page
    await expect(row(page, "hall")).to_contain_text("in the settings file")
    await expect(row(page, "hall").get_by_role("button")).to_have_count(1)  # it can flash, and that is all
    await page.get_by_role("button", name="Add a light").click()
    await page.get_by_label("Name", exact=True).fill("Küche links")
    await expect(page.get_by_label("Id", exact=True)).to_have_value("kuche-links")
    assert "19" not in await page.get_by_label("Pin", exact=True).locator("option").evaluate_all(
        "all => all.map((option) => option.value)"
    )
    await page.get_by_label("Pin", exact=True).select_option("17")
    await expect(page.locator("#light-pin-how")).to_contain_text("Pin 11 is number 6 from the left in the lower row")
    await page.locator("#light").get_by_role("button", name="Add", exact=True).click()
    for each in (page, other.page):
        await expect(row(each, "kuche-links")).to_contain_text("GPIO 17 · pin 11 · kuche-links")
    is_at(board, 17, 0.5)
    eventually(lambda: [deed["what"] for deed in panel.get("/audit").json()["audit"][:2]] == ["set_light", "add_light"])
    assert panel.get("/audit").json()["audit"][0]["detail"] == {"flash": 1}

    await other.page.get_by_role("button", name="Change Küche links").click()
    await other.page.get_by_text("More", exact=True).last.click()
    await other.page.get_by_label("Gamma").fill("2")
    await other.page.get_by_label("Goes off by itself").fill("30")
    await other.page.get_by_role("radiogroup", name="When the panel starts").get_by_role("radio", name="Level").check()
    await other.page.get_by_role("textbox", name="Level in percent").fill("20")
    await other.page.get_by_role("button", name="Save").last.click()
    for each in (page, other.page):
        await expect(row(each, "kuche-links").locator(".special")).to_have_text(
            ["gamma 2", "off after 30 min", "20 % at the start"]
        )
    is_at(board, 17, 0.25)
    setup = next(light for light in panel.get("/setup").json()["lights"] if light["id"] == "kuche-links")
    assert (setup["gamma"], setup["auto_off"], setup["restore"], setup["exit"]) == (2, 1800, 20, "keep")

    await page.get_by_role("button", name="Change Küche links").click()
    await page.get_by_role("button", name="Remove").click()
    await expect(page.locator("#sure")).to_contain_text("GPIO 17 goes dark and is free")
    await page.locator("#sure").get_by_role("button", name="Remove").click()
    for each in (page, other.page):
        await expect(row(each, "kuche-links")).to_have_count(0)
    eventually(lambda: not board.duty(17) and board.mode(17) == INPUT)


@pytest.mark.slow
async def test_what_cannot_be_is_said_at_its_field(panel: RunningPanel, open_tab: OpenTab) -> None:
    tab = await open_tab("/settings/lights", PHONE)
    page = tab.page
    add = page.locator("#save")
    await page.get_by_role("button", name="Add a light").click()
    await page.get_by_label("Name", exact=True).fill(GERMAN)
    await page.get_by_label("Id", exact=True).fill("Desk lamp")
    await add.click()
    await expect(said_at(page, "id")).to_contain_text("Begin with a small letter")
    await page.get_by_label("Id", exact=True).fill("hall")
    await add.click()
    await expect(said_at(page, "id")).to_contain_text("There is a light with the id 'hall' already.")
    await page.get_by_label("Id", exact=True).fill("desk")
    await page.locator("#light summary").click()
    wrong = {"Frequency": "5", "Gamma": "bright", "Maximum": "160", "Goes off by itself": "-1"}
    for label, value in wrong.items():
        await page.get_by_label(label).fill(value)
    await add.click()
    for field in ("frequency", "gamma", "max", "auto_off"):
        await expect(said_at(page, field)).to_contain_text("number")
    await expect(page.get_by_label("Frequency")).to_be_focused()
    right = {"Frequency": "100", "Gamma": "2,8", "Maximum": "100", "Goes off by itself": ""}
    for label, value in right.items():
        await page.get_by_label(label).fill(value)
    await page.get_by_label("Pin", exact=True).select_option("22")
    assert panel.post("/lights", json={"id": "thief", "pin": 22}).status_code == 201
    await add.click()
    await expect(said_at(page, "pin")).to_contain_text("Pin 22 has another light.")
    assert await page.evaluate(TOO_SMALL) == []
    await page.get_by_label("Pin", exact=True).select_option("23")
    await add.click()
    await expect(row(page, "desk")).to_contain_text("gamma 2.8")
    await fits(page)
    assert await page.evaluate(TOO_SMALL) == []
    forgive_refusals(tab)
    for light in ("desk", "thief"):
        assert panel.delete(f"/lights/{light}").status_code == 200


@pytest.mark.slow
async def test_export_wipe_and_import(
    start_panel: Callable[..., RunningPanel], open_tab: OpenTab, tmp_path: Path
) -> None:
    panel = start_panel()
    assert panel.post("/lights", json={"id": "desk", "pin": 17, "name": "Desk", "gamma": 2.8}).status_code == 201
    panel.post("/groups", json={"name": "Room", "lights": ["desk"]})
    panel.post("/scenes", json={"name": "Dinner"})
    tab = await open_tab("/settings/system", DESKTOP, at=panel)
    page = tab.page
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="Export").click()
    download = await downloading.value
    assert download.suggested_filename == "pilotlight.json"
    saved = tmp_path / "pilotlight.json"
    await download.save_as(saved)
    for path in ("/lights/desk", "/groups/room"):
        assert panel.delete(path).status_code == 200
    panel.post("/lights", json={"id": "attic", "pin": 22, "name": "Attic"})

    picker, sheet = page.locator("#import-file"), page.locator("#importing")
    await expect(page.locator("#import")).to_be_enabled()
    await picker.set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"tea"})
    await expect(sheet).to_contain_text("a.txt is not a file that a panel has exported.")
    await sheet.get_by_role("button", name="Cancel").click()
    content = json.loads(saved.read_text())
    wrong = {**content, "lights": [{"id": "desk", "pin": 99}]}
    await picker.set_input_files(
        {"name": "b.json", "mimeType": "application/json", "buffer": json.dumps(wrong).encode()}
    )
    await sheet.get_by_role("button", name="Replace").click()
    await expect(sheet.locator(".wrong")).to_contain_text("lights.0.pin")
    await sheet.get_by_role("button", name="Cancel").click()

    no_keeper = "**/export", lambda route: route.fulfill(json={"pilotlight": 1})  # which has nothing of it
    await page.route(*no_keeper)
    await picker.set_input_files(saved)
    await expect(sheet.get_by_role("row", name="Groups").get_by_role("cell")).to_have_text(["0", "1"])
    await sheet.get_by_role("button", name="Cancel").click()
    await page.unroute(*no_keeper)

    await picker.set_input_files(saved)
    numbers = {"Lights": ["2", "2"], "Groups": ["0", "1"], "Scenes": ["1", "1"], "Schedules": ["0", "0"]}
    for kind, (now, then) in numbers.items():
        await expect(sheet.get_by_role("row", name=kind).get_by_role("cell")).to_have_text([now, then])
    await expect(sheet).to_contain_text("Lights that go: Attic")
    await sheet.get_by_role("button", name="Replace").click()
    await expect(sheet.get_by_role("heading")).to_have_text("Imported")
    await sheet.get_by_role("button", name="Done").click()
    await expect(page.locator("#lights-state")).to_have_text("2, all online")
    assert panel.get("/export").json() == content
    forgive_refusals(tab)


@pytest.mark.slow
async def test_who_is_no_admin_may_look_and_is_told_what_to_sign_in_with(
    start_panel: Callable[..., RunningPanel], open_tab: OpenTab
) -> None:
    panel = start_panel(role_loopback="viewer")
    tab = await open_tab("/settings/lights", PHONE, at=panel, locale="zh-CN")
    page = tab.page
    await expect(page).to_have_title("灯光 · Pilot Light")
    await expect(page.locator("#access-strip")).to_contain_text("管理员令牌")
    await expect(row(page, "led")).to_contain_text("GPIO 21 · 针脚 40 · led")
    for button in (page.locator("#add"), *await row(page, "led").get_by_role("button").all()):
        await expect(button).to_be_disabled()
    words = await page.evaluate("[...document.querySelectorAll('[data-word]')].map((element) => element.textContent)")
    assert [word for word in words if word and not re.search("[\u4e00-\u9fff]", word)] == ["API", "ID"]
    await fits(page)

    await tab.open(panel, "/settings/system")
    await expect(page.locator("#access-strip")).to_contain_text("管理员令牌")
    await expect(page.locator("#import")).to_be_disabled()
    await expect(page.locator("#export")).to_be_visible()
