"""The page of schedules: made, changed and deleted by hand, and the same on every screen."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.support.page_lights import LIGHTS, TRANSPORTS
from tests.support.panel_process import RunningPanel, eventually
from tests.support.tabs import DESKTOP, PHONE, TOO_SMALL, OpenTab, Tab, first_of, fits

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them

NIGHT = {"name": "Night", "when": {"at": "23:30"}, "do": {"do": "set_light", "group": "all", "on": False}}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    with RunningPanel(tmp_path_factory.mktemp("plan") / "data", lights=LIGHTS) as running:
        yield running


@pytest.fixture
def panel(shared: RunningPanel) -> RunningPanel:
    """A panel with four lights and no schedules."""
    for schedule in schedules(shared):
        shared.delete(f"/schedules/{schedule['id']}")
    return shared


def schedules(panel: RunningPanel) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = panel.get("/schedules").json()["schedules"]
    return found


def made(panel: RunningPanel, **content: Any) -> str:
    answer = panel.post("/schedules", json=NIGHT | content)
    assert answer.status_code == 201, answer.text
    id: str = answer.json()["id"]
    return id


def is_so(panel: RunningPanel, id: str, **fields: Any) -> None:
    """Wait until the schedule has these."""
    eventually(lambda: fields.items() <= panel.get(f"/schedules/{id}").json().items())


async def opened(open_tab: OpenTab, path: str = "/plan", device: dict[str, Any] = DESKTOP, **more: Any) -> Tab:
    tab = await open_tab(path, device, **more)
    await tab.is_live()
    return tab


def soon() -> str:
    """A date and time in a second or two, as a schedule has it."""
    return (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)).isoformat(timespec="seconds")


def card(page: Page, id: str) -> Locator:
    return page.locator(f"[data-schedule='{id}']")


def chip(page: Page, name: str) -> Locator:
    return page.locator("#edit").get_by_role("radio", name=name, exact=True)


async def test_a_wake_up_is_made_by_hand_and_then_another_one(panel: RunningPanel, open_tab: OpenTab) -> None:
    # given a page that has nothing, which offers one
    tab = await opened(open_tab, device=PHONE)
    page, sheet = tab.page, tab.page.locator("#edit")
    await page.get_by_role("button", name="Wake up").click()

    # when somebody takes it, for the desk at half past six
    await sheet.get_by_label("Which lights").select_option("Desk")
    await sheet.get_by_label("Bright by").fill("06:30")
    await sheet.get_by_label("Over").select_option("30 min")
    await fits(page)
    assert await page.evaluate(TOO_SMALL) == []
    await sheet.get_by_role("button", name="Create").click()

    # then the panel has it, and the page says it
    await expect(sheet).to_be_hidden()
    wake = card(page, "wake-up")
    await expect(wake.locator(".plan-when")).to_have_text(re.compile(r"^Mon to Fri, bright by 0?6:30$"))
    await expect(wake.locator(".plan-what")).to_have_text("Desk to 100 %, over 30 min")
    await expect(wake.locator(".plan-next")).to_have_text(re.compile(r"^Next: .* 0?6:00(,\sin\s\d+\smin)?$"))
    schedule = panel.get("/schedules/wake-up").json()
    assert schedule["when"] == {"by": "06:30", "days": ["mon", "tue", "wed", "thu", "fri"]}
    assert schedule["do"] == {"do": "set_light", "light": "desk", "level": 100, "transition": 1800}
    assert (schedule["name"], schedule["enabled"], schedule["if_missed"]) == ("Wake up", True, "skip")

    # and what the panel refuses is said at its field: here the name, and a date that is over
    await page.get_by_role("button", name="New schedule").click()
    name, date = sheet.locator("[data-field=name]"), sheet.locator("[data-field=date]")
    await name.get_by_role("textbox").fill("wake up")
    await chip(page, "Once").check()
    await date.locator("input").fill("2020-01-01T07:00")
    await sheet.get_by_role("button", name="Create").click()
    await expect(name.locator(".field-problem")).to_have_text("'Wake up' is there already, with the id 'wake-up'.")
    await expect(name.get_by_role("textbox")).to_be_focused()
    await name.get_by_role("textbox").fill("Past")
    await sheet.get_by_role("button", name="Create").click()
    await expect(date.locator(".field-problem")).to_have_text("Give a date and time to come.")
    await expect(name.locator(".field-problem")).to_be_hidden()
    assert [one["name"] for one in schedules(panel)] == ["Wake up"]


async def test_a_date_that_is_switched_off_and_on_is_the_same_date(panel: RunningPanel, open_tab: OpenTab) -> None:
    when = {"once": "2099-12-24T18:00"}
    to_come, over = made(panel, name="Tree", when=when), made(panel, name="Over", when={"once": soon()})
    page = (await opened(open_tab)).page
    tree = card(page, to_come)
    await tree.get_by_role("switch").uncheck()
    await expect(tree.locator(".plan-next")).to_have_text("Off")
    await tree.get_by_role("switch").check()
    is_so(panel, to_come, enabled=True, when=when)
    await expect(page.locator("#edit")).to_be_hidden()
    # and one that is over needs another date
    is_so(panel, over, enabled=False)
    await expect(card(page, over).locator(".plan-next")).to_have_text("Over")
    await card(page, over).get_by_role("switch").click()
    await expect(page.locator("#edit [name=date]")).to_be_focused()
    await page.locator("#edit [name=date]").fill("2099-12-31T23:59")
    await page.locator("#edit").get_by_role("button", name="Save").click()
    is_so(panel, over, enabled=True, when={"once": "2099-12-31T23:59"})


WAYS: list[tuple[str, dict[str, str], dict[str, Any]]] = [
    ("Time", {"time": "22:15"}, {"at": "22:15"}),
    ("Sun", {"offset": "20"}, {"sun": "sunset", "offset": -20}),
    ("Repeat", {"every": "90"}, {"every": 5400}),
    ("Once", {"date": "2099-12-31T23:59"}, {"once": "2099-12-31T23:59"}),
]


@pytest.mark.slow
async def test_it_is_changed_by_hand_to_every_kind_of_time(panel: RunningPanel, open_tab: OpenTab) -> None:
    panel.post("/scenes", json={"name": "Dinner"})
    id = made(panel)
    page = (await opened(open_tab)).page
    sheet = page.locator("#edit")
    for kind, fields, when in WAYS:
        await card(page, id).get_by_role("button", name="Edit").click()
        await chip(page, kind).check()
        for name, value in fields.items():
            await sheet.locator(f"[name={name}]").fill(value)
        await sheet.get_by_role("button", name="Save").click()
        await expect(sheet).to_be_hidden()
        is_so(panel, id, when=when, do=NIGHT["do"])
    await card(page, id).get_by_role("button", name="Edit").click()
    await chip(page, "Scene").check()
    await chip(page, "Do it late").check()
    await sheet.get_by_role("button", name="Save").click()
    await expect(card(page, id).locator(".plan-what")).to_have_text("Scene Dinner")
    is_so(panel, id, when=WAYS[-1][-1], do={"do": "recall_scene", "scene": "dinner"}, if_missed="run")


@pytest.mark.parametrize("transport", first_of(*TRANSPORTS))
async def test_switch_skip_and_delete_are_the_same_on_two_screens(
    panel: RunningPanel, open_tab: OpenTab, transport: str
) -> None:
    id = made(panel)
    one, other = [card((await opened(open_tab, f"/plan?transport={transport}")).page, id) for _ in range(2)]
    await one.get_by_role("button", name="Skip the next one").click()
    await expect(other.locator(".plan-next")).to_have_text(re.compile("^Leaves out t"))
    is_so(panel, id, skips=True)
    await other.get_by_role("button", name="Do not skip it").click()
    await expect(one.locator(".plan-next")).to_have_text(re.compile("^Next: t"))
    is_so(panel, id, skips=False)
    await one.get_by_role("switch").uncheck()
    await expect(other.get_by_role("switch")).not_to_be_checked()
    await expect(other.locator(".plan-next")).to_have_text("Off")
    is_so(panel, id, enabled=False, next=None)

    sure = other.page.locator("#sure")
    await other.get_by_role("button", name="Delete").click()
    await sure.get_by_role("button", name="Keep").click()
    await expect(sure).to_be_hidden()
    assert schedules(panel)
    await other.get_by_role("button", name="Delete").click()
    await sure.get_by_role("button", name="Delete").click()
    for shown in (one, other):
        await expect(shown).to_have_count(0)
        await expect(shown.page.locator("#empty")).to_be_visible()
    assert schedules(panel) == []


@pytest.mark.slow
async def test_timers_are_counted_down_and_gone_from_every_screen(panel: RunningPanel, open_tab: OpenTab) -> None:
    panel.patch("/groups/all", {"level": 40})
    pages = [(await opened(open_tab)).page for _ in range(2)]

    # a sleep timer: dimming from now on, or off at its end; both can be cancelled by anybody
    for way, text in [("Fading", re.compile("^All lights: dimming")), ("At the end", re.compile("^All lights go off"))]:
        sleeps = [page.locator("#sleep") for page in pages]
        await sleeps[0].get_by_role("radio", name=way).check()
        await sleeps[0].get_by_role("button", name="15\u00a0min until all lights go off").click()
        for sleep in sleeps:
            await expect(sleep.get_by_role("timer")).to_have_text(re.compile(r"^(15:00|14:\d\d)$"))
            await expect(sleep.locator(".sleep-how")).to_have_text(text)
        assert panel.light("desk")["on"] is (way != "Fading")
        await sleeps[1].get_by_role("button", name="Cancel").click()
        for sleep in sleeps:
            await expect(sleep.get_by_role("timer")).to_be_hidden()
        assert (panel.light("desk")["on"], panel.light("desk")["level"], schedules(panel)) == (True, 40, [])

    # a timer that fires
    id = made(panel, name="Soon", when={"in": 2}, do={"do": "set_light", "light": "desk", "level": 77})
    for page in pages:
        await expect(card(page, id)).to_be_visible()
    for page in pages:
        await expect(card(page, id)).to_have_count(0)
    assert panel.light("desk")["level"] == 77


@pytest.mark.slow
async def test_a_show_is_started_paused_and_stopped(panel: RunningPanel, open_tab: OpenTab) -> None:
    page = (await opened(open_tab)).page
    show = page.locator("[data-show=sunrise]")
    await show.get_by_role("button", name="Start Sunrise").click()
    await expect(show.locator(".pill")).to_have_text("Running")
    await show.get_by_role("button", name="Pause: Sunrise").click()
    await expect(show.locator(".pill")).to_have_text("Paused")
    await show.get_by_role("button", name="Stop: Sunrise").click()
    await expect(show.get_by_role("button", name="Start Sunrise")).to_be_visible()
    assert [run["outcome"] for run in panel.get("/runs").json()["runs"]] == ["stopped"]


@pytest.mark.slow
async def test_who_may_only_look_sees_all_of_it(start_panel: Callable[..., RunningPanel], open_tab: OpenTab) -> None:
    panel = start_panel(role_loopback="viewer", lights=LIGHTS)
    page = (await opened(open_tab, at=panel)).page
    await expect(page.locator("#access-strip")).to_contain_text("sign in with the PIN")
    for button in ("New schedule", "Wake up", "15\u00a0min until all lights go off", "Start Sunrise"):
        await expect(page.get_by_role("button", name=button)).to_be_disabled()
        await expect(page.get_by_role("button", name=button)).to_have_accessible_description(re.compile("sign in"))


@pytest.mark.slow
async def test_the_page_says_it_if_the_clock_of_the_panel_is_another_one(
    panel: RunningPanel, open_tab: OpenTab
) -> None:
    id = made(panel)
    page = (await opened(open_tab, timezone_id="Asia/Kolkata")).page  # half an hour beside every full hour
    await expect(card(page, id).locator(".plan-next")).to_have_text(re.compile(r"^Next: \w+ 23:30"))
    await expect(page.locator("#zone")).to_contain_text("Times are those of the panel")


@pytest.mark.slow
async def test_a_chinese_browser_gets_chinese_words(panel: RunningPanel, open_tab: OpenTab) -> None:
    id = made(panel, when={"at": "23:30", "days": ["mon", "tue", "wed"]})
    tab = await opened(open_tab, device=PHONE, locale="zh-CN")
    await expect(tab.page.get_by_role("heading", level=1)).to_have_text("灯光秀与定时")
    await expect(card(tab.page, id).locator(".plan-when")).to_have_text("周一至周三 23:30")
    await expect(card(tab.page, id).locator(".plan-what")).to_have_text("关闭所有灯")
    await tab.page.get_by_role("button", name="新建定时").click()
    await tab.page.locator("#edit [name=name]").fill("night")
    await tab.page.get_by_role("button", name="创建").click()
    await expect(tab.page.locator("[data-field=name] .field-problem")).to_contain_text("不能与其他定时相同")
    words = await tab.page.evaluate("[...document.querySelectorAll('[data-word]')].map((element) => element.innerText)")
    assert [word for word in words if word and not re.search("[\u4e00-\u9fff]", word)] == []
    await fits(tab.page)
