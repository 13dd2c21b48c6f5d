"""The audit log on the page Access, and presses there that come twice, or whose answers overtake each other."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.support.page_lights import CLIENT, set_light
from tests.support.panel_process import RunningPanel
from tests.support.signing_in import sign_in
from tests.support.tabs import DESKTOP, PHONE, first_of, fits, page_of_its_own

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them

LAMP = '[lights.desk]\npin = 12\nname = "Desk lamp"\n'
PAGE = 30  # rows that the page asks for at once
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    with RunningPanel(tmp_path_factory.mktemp("panel") / "data", lights=LAMP) as running:
        yield running


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel whose log is longer than the page shows at once."""
    with RunningPanel(tmp_path_factory.mktemp("busy") / "data", lights=LAMP) as running:
        for number in range(2 * PAGE + 5):
            set_light(running, "desk", by=f"Person {number}", level=number)
        yield running


@asynccontextmanager
async def held(page: Page, pattern: str) -> AsyncIterator[list[Route]]:
    """The requests to these addresses, which go on when the test lets them."""
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    await page.route(pattern, hold)
    yield waiting
    await page.unroute(pattern)


async def comes(waiting: list[Route], number: int) -> Route:
    """Wait for the request with this number, from 0 on."""
    async with asyncio.timeout(30):
        while len(waiting) <= number:
            await asyncio.sleep(0.01)
    return waiting[number]


def does(panel: RunningPanel, who: str, method: str, path: str, **body: Any) -> None:
    """Somebody sends a request."""
    answer = CLIENT.request(method, panel.url + path, json=body or None, headers={"X-Client-Name": who})
    assert answer.is_success, answer.text


OF_EACH_KIND = {
    "zh-CN": ["Ada：删除成员 Bob", "有人：创建令牌 desk", "有人登录失败", "Cleo将Work设为40 %", "Ada关闭了所有灯"],
    "en-GB": [
        "Ada deleted the person Bob",
        "Somebody created the token desk",
        "Somebody failed to sign in",
        "Cleo set Work to 40 %",
        "Ada switched all lights off",
    ],
}
NOT_SIGNED_IN = {"en-GB": "Not signed in", "zh-CN": "未登录"}


@pytest.mark.parametrize("device", first_of(DESKTOP, PHONE), ids=["desktop", "phone"])
@pytest.mark.parametrize("locale", first_of(*OF_EACH_KIND))
async def test_each_kind_of_row_is_a_sentence(
    browser: Browser, tmp_path: Path, locale: str, device: dict[str, Any]
) -> None:
    with RunningPanel(tmp_path / "data", lights=LAMP) as panel:
        does(panel, "Ada", "PATCH", "/groups/all", on=False)
        does(panel, "Ada", "POST", "/groups", name="Work", lights=["desk"])
        does(panel, "Cleo", "PATCH", "/groups/work", level=40)
        assert panel.get("/led", headers={"Authorization": "Bearer plt_wrong"}).status_code == 401
        does(panel, "Ada", "POST", "/access/tokens", label="desk", role="viewer")
        does(panel, "Bob", "POST", "/chat/rooms/lobby/messages", msg="Hi")
        does(panel, "Ada", "DELETE", "/chat/people/Bob")
        async with page_of_its_own(browser, f"{panel.url}/access", locale=locale, **device) as page:
            rows = page.locator("#trail li")
            for sentence in OF_EACH_KIND[locale]:
                await expect(rows.filter(has_text=sentence)).to_have_count(1)
            await expect(rows.filter(has_text=NOT_SIGNED_IN[locale])).to_have_count(1)
            words = await page.locator("#trail").inner_text()
            assert not re.search("access_|deed_|delete_|set_light", words)
            await fits(page)


async def test_a_second_press_of_earlier_adds_no_row_twice(browser: Browser, busy: RunningPanel) -> None:
    async with page_of_its_own(browser, f"{busy.url}/access", **DESKTOP) as page:
        rows, earlier = page.locator("#trail .entry-what"), page.get_by_role("button", name="Earlier")
        await expect(rows).to_have_count(PAGE)
        async with held(page, "**/audit?*") as waiting:
            await earlier.dblclick()
            await comes(waiting, 0)
            await page.wait_for_timeout(100)  # a second request would have come
            for route in waiting:
                await route.continue_()
            await expect(rows).to_have_count(2 * PAGE)
        await earlier.click()
        await expect(rows).to_have_count(2 * PAGE + 5)
        texts = await rows.all_text_contents()
        assert len(set(texts)) == len(texts)
        await expect(earlier).to_be_hidden()


ASKED = {
    "another person": ("Person 7", "Person 9", ["Person 9 set Desk lamp to 9 %"]),
    "nobody": ("Person 7", "Nobody", []),
}


@pytest.mark.parametrize("case", first_of(*ASKED))
async def test_the_newest_question_wins(browser: Browser, busy: RunningPanel, case: str) -> None:
    first, second, sentences = ASKED[case]
    async with page_of_its_own(browser, f"{busy.url}/access", **DESKTOP) as page:
        rows, person = page.locator("#trail .entry-what"), page.locator("#trail-of [name=who]")
        await expect(rows).to_have_count(PAGE)
        async with held(page, "**/audit?*") as waiting:
            for number, name in enumerate((first, second)):
                await person.fill(name)
                await person.press("Tab")
                await comes(waiting, number)
            await waiting[1].continue_()
            await expect(rows).to_have_text(sentences)
            async with page.expect_response("**/audit?*") as response:
                await waiting[0].continue_()
            await (await response.value).finished()
            await page.wait_for_timeout(50)
            await expect(rows).to_have_text(sentences)


@pytest.mark.slow
async def test_an_earlier_page_of_another_question_is_dropped(browser: Browser, busy: RunningPanel) -> None:
    async with page_of_its_own(browser, f"{busy.url}/access", **DESKTOP) as page:
        rows, person = page.locator("#trail .entry-what"), page.locator("#trail-of [name=who]")
        await expect(rows).to_have_count(PAGE)
        async with held(page, "**/audit?*") as waiting:
            await page.get_by_role("button", name="Earlier").click()
            await comes(waiting, 0)
            await person.fill("Person 9")
            await person.press("Tab")
            await (await comes(waiting, 1)).continue_()
            await expect(rows).to_have_text(["Person 9 set Desk lamp to 9 %"])
            async with page.expect_response("**/audit?*") as response:
                await waiting[0].continue_()
            await (await response.value).finished()
            await page.wait_for_timeout(50)
            await expect(rows).to_have_count(1)


FORMS = {
    "a token": ("**/access/tokens", "#token-form", {"label": "kettle", "name": ""}),
    "a name": ("**/access/sign-in", "#name-form", {"name": "Dora", "password": PASSWORD}),
}


@pytest.mark.parametrize("what", first_of(*FORMS))
async def test_a_second_press_does_nothing_while_the_first_is_answered(
    browser: Browser, panel: RunningPanel, what: str
) -> None:
    address, form, fields = FORMS[what]
    async with page_of_its_own(browser, f"{panel.url}/access", **DESKTOP) as page:
        await expect(page.locator("#token-form")).to_be_visible()
        for name, value in fields.items():
            await page.locator(f"{form} [name={name}]").fill(value)
        send = page.locator(f"{form} button:not([type])")
        first, *_, last = (page.locator(f"{form} [name={name}]") for name in fields)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.method))
        async with held(page, address) as waiting:
            await send.dblclick()
            await last.press("Enter")
            await comes(waiting, 0)
            await page.wait_for_timeout(100)  # a second request would have come
            for route in waiting:
                await route.continue_()
        await expect(send).to_be_enabled()
        await expect(first).to_have_value("")
        assert asked.count("POST") == 1


async def test_ages_are_by_the_clock_of_the_panel(browser: Browser, panel: RunningPanel) -> None:
    panel.post("/access/tokens", json={"label": "clock", "role": "viewer", "name": "Clock"})
    sign_in(panel, name="Eve", password=PASSWORD)
    async with page_of_its_own(browser, "about:blank", **DESKTOP) as page:
        await page.clock.set_system_time(time.time() + 5 * 3600)
        await page.goto(f"{panel.url}/access")
        for list_, words in {"trail": "signed in", "tokens": "clock", "names": "Eve", "sessions": "Eve"}.items():
            row = page.locator(f"#{list_} li", has_text=words).first
            await expect(row.locator(".entry-more")).to_have_text(re.compile(r"(^|· )(now|\d+ s ago)$"))
