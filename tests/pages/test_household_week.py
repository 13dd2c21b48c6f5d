"""A week of a household, from no lamps to a new panel from a file: by hand on a phone, and by a script over REST.

After each step the pins, a second page, `/live`, Socket.IO and REST say the same.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Page, expect

from tests.support.panel_process import RunningPanel, eventually
from tests.support.pigpio_board import HOST
from tests.support.pigpiod_standin import StandIn
from tests.support.stepping_panel import SteppingPanel
from tests.support.tabs import PHONE, OpenTab, fits
from tests.support.witnesses import Witnesses, witnesses

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

BERLIN = ZoneInfo("Europe/Berlin")
LAMPS = {"bed": ("Bed", 17), "window": ("Window", 18), "hall": ("Hall", 22)}
# Summer time begins on Sunday, March 28: the clock goes from 2:00 to 3:00.
MONDAY = "2027-03-22T18:00"
NIGHTS = ("2027-03-27", "2027-03-28", "2027-03-29")  # the mornings before, of and after the change
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri"]


def moment(local: str) -> float:
    """Return the instant of a local time in Berlin."""
    return dt.datetime.fromisoformat(local).replace(tzinfo=BERLIN).timestamp()


class Home(SteppingPanel):
    """A panel in Berlin with three lamps' pins."""

    def __init__(self, data: Path, board: StandIn) -> None:
        super().__init__(data, pins="pigpio", pigpio_host=HOST, pigpio_port=board.port, timezone="Europe/Berlin")

    def is_at(self, local: str) -> None:
        """Set the wall clock of the machine to this time, and wait until the panel has seen it."""
        self.set_clock(moment(local) - time.time())
        if self._process is not None:
            eventually(lambda: abs(self._panel_time() - moment(local)) < 20)

    def _panel_time(self) -> float:
        """The panel's own clock: what `history` ends with."""
        until: float = self.get(f"/lights/{next(iter(self.get('/lights').json()['lights']))}/history").json()["until"]
        return until

    def everything(self) -> dict[str, Any]:
        exported: dict[str, Any] = self.get("/export").json()
        return exported


@pytest.fixture
def board() -> Iterator[StandIn]:
    with StandIn() as board:
        yield board


@pytest.fixture
def home(tmp_path: Path, board: StandIn) -> Iterator[Home]:
    home = Home(tmp_path / "data", board)
    home.is_at(MONDAY)
    with home:
        yield home


@pytest.fixture
def new_home(tmp_path: Path, board: StandIn) -> Iterator[Home]:
    """The panel after a wipe: it has no data, and it is not started yet."""
    home = Home(tmp_path / "wiped", board)
    yield home
    home.kill()


async def wakes_at_its_local_time(home: Home, everybody: Witnesses, morning: str) -> None:
    """The wake-up begins at 6:25 by the clocks on the wall of this morning, not an hour beside."""
    assert home.patch("/lights/window", {"on": False}).status_code == 200
    for wrong in ("05:24:58", "05:25:10"):
        home.is_at(f"{morning}T{wrong}")
        assert home.light("window")["on"] is False
    home.is_at(f"{morning}T06:24:58")
    woken = eventually(lambda: (light := home.light("window"))["on"] and light)
    assert woken["by"] == {"name": "Wake up", "via": "schedule"}
    assert (woken["target"], woken["transition"]["seconds"]) == (100, 1200)
    assert woken["at"] == pytest.approx(moment(f"{morning}T06:25"), abs=15)
    schedule = home.get("/schedules/wake-up").json()
    assert (schedule["last"]["at"], schedule["last"]["outcome"]) == (moment(f"{morning}T06:25"), "done")
    assert home.patch("/lights/window", {"level": 100}).status_code == 200
    await everybody.agree(bed=0, window=100, hall=0)


# --- by hand -----------------------------------------------------------------------------------------------


async def add_a_lamp(page: Page, id: str) -> None:
    name, pin = LAMPS[id]
    await page.get_by_role("button", name="Add a light").click()
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_label("Pin", exact=True).select_option(str(pin))
    await page.locator("#light").get_by_role("button", name="Add", exact=True).click()
    await expect(page.locator(f"#rows [data-light='{id}']")).to_contain_text(f"GPIO {pin}")


async def test_by_hand(home: Home, new_home: Home, board: StandIn, open_tab: OpenTab, tmp_path: Path) -> None:
    phone = PHONE | {"timezone_id": "Europe/Berlin"}
    tab, second = await open_tab("/settings/lights", phone, at=home), await open_tab("/", phone, at=home)
    page, everywhere = tab.page, (tab, second)
    async with witnesses(home, board) as everybody:
        everybody.page = second

        # three lamps, and the one that is not there goes
        for id in LAMPS:
            await add_a_lamp(page, id)
        await page.get_by_role("button", name="Change Light", exact=True).click()
        await page.get_by_role("button", name="Remove").click()
        await page.locator("#sure").get_by_role("button", name="Remove").click()
        await everybody.agree(bed=50, window=50, hall=50)

        # in an order, and with another name
        await page.get_by_role("button", name="Order").click()
        await page.get_by_role("button", name="Move Hall up").click()
        await page.get_by_role("button", name="Move Hall up").click()
        await page.locator("#ordering [data-close]").click()
        await page.get_by_role("button", name="Change Bed").click()
        await page.get_by_label("Name", exact=True).fill("Bedside")
        await page.get_by_role("button", name="Save").last.click()
        await expect(second.tile("bed").name).to_have_text("Bedside")
        await everybody.agree(hall=50, bed=50, window=50)
        await page.get_by_role("button", name="Order").click()
        await page.get_by_role("button", name="Move Hall down").click()
        await page.get_by_role("button", name="Move Hall down").click()
        await page.locator("#ordering [data-close]").click()
        await everybody.agree(bed=50, window=50, hall=50)

        # two of them are a room, which is dimmed
        await tab.open(home, "/")
        await page.get_by_role("button", name="New group").click()
        form = page.locator("#form-sheet")
        await form.get_by_label("Bedside", exact=True).check()
        await form.get_by_label("Window", exact=True).check()
        await form.get_by_label("Name").fill("Bedroom")
        await form.get_by_role("button", name="Save").click()
        await (await tab.card("window")).type("25")
        await tab.close_card()
        await everybody.agree(bed=50, window=25, hall=50)
        for level in (60, 70, 80):
            await tab.group("bedroom").bar.press("PageUp")
            await second.group("bedroom").shows(level)
        await everybody.agree(bed=80, window=40, hall=50)

        # a scene, saved, spoilt and recalled
        await page.get_by_role("button", name="New scene").click()
        await form.get_by_label("Name").fill("Dinner")
        await page.keyboard.press("Enter")
        await expect(second.scene("Dinner")).to_have_attribute("aria-pressed", "true")
        await tab.group("bedroom").switch.uncheck()
        await everybody.agree(bed=0, window=0, hall=50)
        await tab.scene("Dinner").click()
        await everybody.agree(bed=80, window=40, hall=50)
        await expect(second.scene("Dinner")).to_have_attribute("aria-pressed", "true")
        await fits(page)

        # all off, and back
        await page.get_by_role("button", name="All off").click()
        await everybody.agree(bed=0, window=0, hall=0)
        await tab.notices.get_by_role("button", name="Undo").last.click()
        await everybody.agree(bed=80, window=40, hall=50)

        # the sleep timer
        await tab.open(home, "/plan")
        await page.locator("#sleep").get_by_role("radio", name="At the end").check()
        await page.get_by_role("button", name=re.compile(r"^30\smin until all lights go off")).click()
        await expect(page.get_by_role("timer")).to_have_text(re.compile(r"^(30:00|29:\d\d)$"))
        await everybody.agree(bed=80, window=40, hall=50)
        home.is_at("2027-03-22T21:00")  # the clock is set, which is no time that passes
        await expect(page.get_by_role("timer")).to_have_text(re.compile(r"^29:\d\d$"))
        assert home.patch("/schedules/sleep-timer", {"when": {"in": 1}}).status_code == 200
        await expect(page.get_by_role("timer")).to_be_hidden()
        await everybody.agree(bed=0, window=0, hall=0)

        # a show of two steps, made by hand, seen everywhere while it plays
        sheet = page.locator("#show-sheet")
        await page.get_by_role("button", name="New show").click()
        await sheet.get_by_label("Name", exact=True).fill("Reading")
        for kind in ("Fade to a level", "Wait"):
            await sheet.locator(".steps > .add-step").last.click()
            await page.get_by_role("menuitem", name=kind, exact=True).click()
        await sheet.locator(".step-words").first.click()
        await sheet.locator("[name=light]").select_option("Hall")
        await sheet.locator("[name=level]").fill("35")
        await sheet.get_by_label("Time", exact=True).first.fill("0")
        await sheet.locator(".step-words").last.click()
        await sheet.get_by_label("Time", exact=True).last.fill("600")
        await sheet.get_by_role("button", name="Create").click()
        await page.get_by_role("button", name="Start Reading").click()
        await everybody.agree(bed=0, window=0, hall=35)
        assert home.light("hall")["by"]["via"] == "show"
        strip = second.page.get_by_role("group", name="Show: Reading")
        await strip.get_by_role("button", name="Stop Reading").click()
        await expect(strip).to_be_hidden()
        await expect(page.get_by_role("button", name="Start Reading")).to_be_visible()
        await everybody.agree(bed=0, window=0, hall=35)
        assert home.patch("/groups/all", {"on": False}).status_code == 200

        # the wake-up: on weekdays, and then on every day, to see the night of the change
        await page.get_by_role("button", name="Wake up").click()
        edit = page.locator("#edit")
        await edit.get_by_label("Which lights").select_option("Window")
        await edit.get_by_label("Bright by").fill("06:45")
        await edit.get_by_label("Over").select_option("20 min")
        await edit.get_by_role("button", name="Create").click()
        wake = page.locator("[data-schedule='wake-up']")
        await expect(wake.locator(".plan-next")).to_have_text(re.compile(r"^Next: \w+ 0?6:25"))
        assert home.get("/schedules/wake-up").json()["when"]["days"] == WEEKDAYS
        await wakes_at_its_local_time(home, everybody, "2027-03-26")
        assert home.get("/schedules/wake-up").json()["next"] == moment("2027-03-29T06:25")
        await expect(wake.locator(".plan-next")).to_have_text(re.compile(r"^Next: Mon\w* 0?6:25"))
        await wake.get_by_role("button", name="Edit").click()
        await edit.get_by_role("button", name="Every day").click()
        await edit.get_by_role("button", name="Save").click()
        for morning in NIGHTS:
            await wakes_at_its_local_time(home, everybody, morning)
        await expect(wake.locator(".plan-next")).to_have_text(re.compile(r"^Next: tomorrow 0?6:25"))
        await expect(wake.locator(".plan-last")).to_contain_text(re.compile("Done today 0?6:25"))

        # everything as a file
        await tab.open(home, "/settings/system")
        async with page.expect_download() as downloading:
            await page.get_by_role("link", name="Export").click()
        saved = tmp_path / "pilotlight.json"
        await (await downloading.value).save_as(saved)
    assert all(trouble == [] for trouble in (one.troubles for one in everywhere))
    home.stop()
    for one in everywhere:
        await one.page.goto("about:blank")

    # a new panel has nothing, and gets everything from the file
    new_home.start()
    await tab.open(new_home, "/settings/system")
    await second.open(new_home, "/")
    async with witnesses(new_home, board) as everybody:
        await page.locator("#import-file").set_input_files(saved)
        await page.locator("#importing").get_by_role("button", name="Replace").click()
        await expect(page.locator("#importing").get_by_role("heading")).to_have_text("Imported")
        everybody.page = second
        await expect(second.tile("bed").name).to_have_text("Bedside")
        assert new_home.everything() == json.loads(saved.read_text())
        await second.scene("Dinner").click()
        await everybody.agree(bed=80, window=40, hall=50)
        await second.group("bedroom").switch.uncheck()
        await everybody.agree(bed=0, window=0, hall=50)
        assert new_home.get("/schedules/wake-up").json()["next"] == moment("2027-03-30T06:25")
    for panel in (home, new_home):
        assert panel.complaints() == []


# --- by a script -------------------------------------------------------------------------------------------


def made(panel: RunningPanel, path: str, content: dict[str, Any]) -> dict[str, Any]:
    answer = panel.post(path, json=content)
    assert answer.status_code == 201, answer.text
    one: dict[str, Any] = answer.json()
    return one


async def test_over_rest(home: Home, new_home: Home, board: StandIn) -> None:
    async with witnesses(home, board) as everybody:
        for id, (name, pin) in LAMPS.items():
            assert made(home, "/lights", {"id": id, "pin": pin, "name": name})["online"] is True
        assert home.delete("/lights/led").status_code == 200
        await everybody.agree(bed=50, window=50, hall=50)
        assert home.post("/lights/order", json={"order": ["hall", "bed", "window"]}).status_code == 200
        assert home.patch("/lights/hall", {"level": 10}).status_code == 200
        await everybody.agree(hall=10, bed=50, window=50)
        assert home.post("/lights/order", json={"order": list(LAMPS)}).status_code == 200
        assert home.patch("/lights/bed/setup", {"name": "Bedside"}).json()["name"] == "Bedside"

        assert made(home, "/groups", {"name": "Bedroom", "lights": ["bed", "window"]})["id"] == "bedroom"
        home.patch("/lights/window", {"level": 25})
        assert home.patch("/groups/bedroom", {"level": 80}).json()["refused"] == {}
        await everybody.agree(bed=80, window=40, hall=10)
        assert made(home, "/scenes", {"name": "Dinner"})["id"] == "dinner"
        home.patch("/groups/bedroom", {"on": False})
        await everybody.agree(bed=0, window=0, hall=10)
        assert home.post("/scenes/dinner/recall", json={"transition": 0.2}).status_code == 200
        await everybody.agree(bed=80, window=40, hall=10)
        assert home.post("/scenes/dinner/undo").status_code == 200
        await everybody.agree(bed=0, window=0, hall=10)
        assert home.post("/scenes/dinner/undo").status_code == 200
        await everybody.agree(bed=80, window=40, hall=10)
        assert home.patch("/groups/all", {"on": False}).status_code == 200
        await everybody.agree(bed=0, window=0, hall=0)
        assert home.post("/groups/all/undo").status_code == 200
        await everybody.agree(bed=80, window=40, hall=10)

        off = {"do": "set_light", "group": "all", "on": False}
        timer = made(home, "/schedules", {"name": "Sleep", "when": {"in": 1800}, "do": off})
        home.is_at("2027-03-22T21:00")  # the clock is set, which is no time that passes
        [moved] = home.get("/schedules").json()["schedules"]
        assert moved["next"] - timer["next"] == pytest.approx(3 * 3600, abs=30)
        assert home.patch("/schedules/sleep", {"when": {"in": 1}}).status_code == 200
        await everybody.agree(bed=0, window=0, hall=0)
        assert home.get("/schedules").json() == {"schedules": []}

        steps = [{"fade": {"light": "hall", "level": 35, "seconds": 0.1}}, {"wait": {"seconds": 600}}]
        made(home, "/shows", {"title": "Reading", "steps": steps})
        run = made(home, "/shows/reading/start", {})
        await everybody.agree(bed=0, window=0, hall=35)
        assert home.post(f"/runs/{run['id']}/signal", json={"signal": "stop"}).status_code in (200, 202)
        eventually(lambda: home.get(f"/runs/{run['id']}").json()["outcome"] == "stopped")
        home.patch("/groups/all", {"on": False})

        window = {"do": "set_light", "light": "window", "level": 100, "transition": 1200}
        made(home, "/schedules", {"name": "Wake up", "when": {"by": "06:45", "days": WEEKDAYS}, "do": window})
        await wakes_at_its_local_time(home, everybody, "2027-03-26")
        assert home.get("/schedules/wake-up").json()["next"] == moment("2027-03-29T06:25")
        home.patch("/schedules/wake-up", {"when": {"by": "06:45"}})
        for morning in NIGHTS:
            await wakes_at_its_local_time(home, everybody, morning)
        exported = home.everything()
    home.stop()

    new_home.start()
    async with witnesses(new_home, board) as everybody:
        assert new_home.post("/import", json=exported).json()["left"] == []
        assert new_home.everything() == exported
        assert new_home.post("/scenes/dinner/recall").status_code == 200
        await everybody.agree(bed=80, window=40, hall=10)
        assert new_home.get("/schedules/wake-up").json()["next"] == moment("2027-03-30T06:25")
    for panel in (home, new_home):
        assert panel.complaints() == []
