"""Signing in where somebody is: the sheet, controls that ask for it, and the one-time code of a QR code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, Route, expect

from asgi_app.access.qr_code import qr_rows
from tests.support.panel_process import RunningPanel
from tests.support.signing_in import pin_of, sign_in, token_of
from tests.support.tabs import DESKTOP, PHONE, first_of, page_of_its_own

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them

TWO = """
[lights.desk]
pin = 12
name = "Desk lamp"
[lights.shelf]
pin = 13
name = "Bookshelf"
"""
KEPT = "document.documentElement.dataset.kept"  # gone if the page is loaded again


def serving(tmp_path_factory: pytest.TempPathFactory, name: str, **settings: str) -> RunningPanel:
    folder = tmp_path_factory.mktemp(name)
    (folder / "panel.toml").write_text(TWO)
    return RunningPanel(folder / "data", config=str(folder / "panel.toml"), **settings)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel with two lights, on which this machine may only look."""
    with serving(tmp_path_factory, "home", role_loopback="viewer") as running:
        yield running


@pytest.fixture(scope="module")
def shut(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel that everybody must sign in to."""
    with serving(tmp_path_factory, "shut", role_loopback="nobody") as running:
        yield running


def opened(
    browser: Browser, url: str, device: dict[str, Any] = PHONE, **more: Any
) -> AbstractAsyncContextManager[Page]:
    return page_of_its_own(browser, url, **{**device, **more})


def sheet(page: Page) -> Locator:
    return page.locator("#sign-in")


async def type_pin(page: Page, pin: str) -> None:
    await sheet(page).get_by_label("PIN", exact=True).fill(pin)
    await page.keyboard.press("Enter")


def code_of(panel: RunningPanel, role: str = "operator") -> str:
    """The address in a QR code that somebody who is signed in has made."""
    made = panel.post("/access/codes", json={}, headers={"Authorization": f"Bearer {token_of(panel, role)}"})
    url: str = made.json()["url"]
    return url


# --- the sheet ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", first_of("websocket", "socketio", "rest"))
async def test_a_press_of_a_locked_light_asks_for_the_pin_and_the_place_is_kept(
    browser: Browser, home: RunningPanel, transport: str
) -> None:
    async with opened(browser, f"{home.url}/?transport={transport}") as page:
        await page.evaluate(f"{KEPT} = 'yes'")
        tile = page.locator(".light-tile[data-light=desk]")
        slider = tile.get_by_role("slider")
        await expect(page.locator("#access-strip")).to_contain_text("sign in with the PIN")
        await expect(slider).to_have_attribute("aria-disabled", "true")
        await expect(slider).to_have_accessible_description("To control lights, sign in.")
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        before = home.get("/lights").json()["rev"]

        await tile.tap()
        await expect(sheet(page)).to_contain_text("To control lights, sign in.")
        field = sheet(page).get_by_label("PIN", exact=True)
        await expect(field).to_be_focused()
        await expect(field).to_have_attribute("inputmode", "numeric")
        await type_pin(page, "0000")
        await expect(sheet(page).get_by_role("alert")).to_have_text(
            "This is not the PIN of the panel. Check the digits."
        )
        assert home.get("/lights").json()["rev"] == before  # nothing was sent

        await type_pin(page, pin_of(home))
        await expect(sheet(page)).to_be_hidden()
        await expect(page.locator("#access-strip")).to_contain_text("Signed in as operator.")
        await expect(slider).to_have_attribute("aria-disabled", "false")
        await expect(slider).to_have_accessible_description("")
        assert await page.evaluate(KEPT) == "yes"
        await page.locator("body[data-link=live]").wait_for()
        lit = await tile.get_attribute("data-on")
        await tile.tap()
        await expect(tile).to_have_attribute("data-on", "false" if lit == "true" else "true")


@pytest.mark.parametrize("lost", [2, pytest.param(99, marks=pytest.mark.slow)])
async def test_the_sheet_is_asked_for_again_until_it_comes(browser: Browser, home: RunningPanel, lost: int) -> None:
    """It is loaded when it is needed. Where it never comes, the page to sign in opens."""
    asked: list[str] = []

    async def lose(route: Route) -> None:
        asked.append(route.request.url)
        is_lost = len(asked) in range(2, lost + 2) and asked[1] in asked[-1]
        await (route.abort() if is_lost else route.continue_())

    context = await browser.new_context(**DESKTOP, locale="en-GB", service_workers="block")
    page = await context.new_page()
    await page.route(re.compile(r"/static/bundle/\w+\.js"), lose)
    await page.goto(home.url)
    await page.get_by_role("link", name="Sign in").first.click()
    if lost > 3:
        await page.wait_for_url("**/access")
    else:
        await expect(sheet(page).get_by_label("PIN", exact=True)).to_be_focused()
        assert len(asked) == len(set(asked)) == lost + 2
    await context.close()


@pytest.mark.slow
async def test_a_token_will_do_and_an_admin_is_asked_for_one(browser: Browser, home: RunningPanel) -> None:
    async with opened(browser, f"{home.url}/settings", DESKTOP) as page:
        add = page.get_by_role("button", name="Add a light")
        await expect(add).to_have_accessible_description(re.compile("Only an admin"))
        await page.locator("#add:not([disabled])").wait_for()
        await add.click(force=True)  # Playwright waits for what is aria-disabled
        await expect(sheet(page).get_by_label("Token", exact=True)).to_be_focused()
        await sheet(page).get_by_role("button", name="Use the PIN instead").click()
        await expect(sheet(page).get_by_label("PIN", exact=True)).to_be_focused()
        await sheet(page).get_by_role("button", name="Use a token instead").click()
        await sheet(page).get_by_label("Token", exact=True).fill("plt_wrong")
        await page.keyboard.press("Enter")
        await expect(sheet(page).get_by_role("alert")).to_contain_text("does not know this token")
        await sheet(page).get_by_label("Token", exact=True).fill(token_of(home, "admin"))
        await page.keyboard.press("Enter")
        await expect(sheet(page)).to_be_hidden()
        await expect(add).to_have_accessible_description("")
        await add.click()
        await expect(page.locator("#light")).to_be_visible()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("locale", "many", "wait", "lost"),
    [
        ("en-GB", "Too many wrong tries.", r"Try again in \d+ s\.", "This device has no network."),
        ("zh-CN", "错误尝试太多。", r"请在 \d+ 秒后再试。", "此设备没有网络。"),
    ],
)
async def test_the_sheet_says_why_it_waits_and_that_there_is_no_network(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, locale: str, many: str, wait: str, lost: str
) -> None:
    with serving(tmp_path_factory, "wait", role_loopback="viewer") as panel:
        async with opened(browser, panel.url, locale=locale) as page:
            await page.locator("#access-strip a").click()
            for _ in range(6):
                sign_in(panel, pin="0000")
            await page.locator("#sign-in input").fill("0000")
            await page.keyboard.press("Enter")
            await expect(sheet(page).get_by_role("alert")).to_have_text(many)
            await expect(sheet(page).locator(".sign-in-wait")).to_have_text(re.compile(wait))
            send = sheet(page).locator("button.primary")
            await expect(send).to_be_disabled()
            await expect(send).to_be_enabled()  # at the end of the wait
            await expect(sheet(page).locator(".sign-in-wait")).to_be_hidden()

            await page.context.set_offline(True)
            await page.locator("#sign-in input").fill(pin_of(panel))
            await page.keyboard.press("Enter")
            await expect(sheet(page).get_by_role("alert")).to_have_text(lost)
            await page.context.set_offline(False)
            await page.keyboard.press("Enter")
            await expect(sheet(page)).to_be_hidden()


# --- what nobody and a viewer see ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", first_of("/", "/plan", "/chat", "/watch", "/settings/lights", "/lab", "/compare"))
async def test_who_may_see_nothing_signs_in_and_sees_the_page(browser: Browser, shut: RunningPanel, path: str) -> None:
    async with opened(browser, shut.url + path) as page:
        await expect(page.get_by_role("heading", name="Sign in to use this panel")).to_be_visible()
        await expect(page.locator("main")).to_be_hidden()
        await page.locator("#closed").get_by_role("link", name="Sign in").click()
        await type_pin(page, pin_of(shut))
        await expect(page.locator("main")).to_be_visible()
        await expect(page.locator("#closed")).to_be_hidden()
        assert page.url == shut.url + path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "control", "why"),
    [
        ("/", "#all-off", "To control lights"),
        ("/plan", "[data-make] >> nth=0", "To change schedules"),
        ("/plan", "#show-list .start >> nth=0", "To control runs"),
        ("/watch", "#show-list .start >> nth=0", "To control runs"),
        ("/chat#room=lobby", "#say", "To chat"),
        ("/settings", "#rows .flash >> nth=0", "To control lights"),
        ("/settings/system", "#import", "Only an admin"),
    ],
)
async def test_each_control_says_before_the_press_that_it_needs_a_sign_in(
    browser: Browser, home: RunningPanel, path: str, control: str, why: str
) -> None:
    async with opened(browser, home.url + path, DESKTOP) as page:
        found = page.locator(control)
        await expect(found).to_have_attribute("aria-disabled", "true")
        await found.and_(page.locator(":not([disabled])")).wait_for()
        await expect(found).to_have_accessible_description(re.compile(why))
        shown = await found.evaluate("(it) => it.closest('[title]')?.title ?? ''")
        assert why in shown
        await found.click(force=True)
        await expect(sheet(page)).to_contain_text(why)
        await page.keyboard.press("Escape")
        await expect(sheet(page)).to_be_hidden()
        await found.focus()
        await page.keyboard.press("Enter")
        await expect(sheet(page)).to_be_visible()


@pytest.mark.slow
async def test_the_card_of_a_light_is_read_by_a_viewer_and_none_of_it_acts(
    browser: Browser, home: RunningPanel
) -> None:
    async with opened(browser, home.url, DESKTOP) as page:
        tile = page.locator(".light-tile[data-light=desk]")
        await expect(tile).to_have_attribute("data-locked", "lights")
        before = home.get("/lights").json()["rev"]
        await tile.get_by_role("slider").press("ArrowUp")
        await expect(sheet(page)).to_be_visible()
        await page.keyboard.press("Escape")
        await tile.locator(".tile-more").click()  # its card may be looked at
        card = page.locator("#light-sheet .card")
        await expect(card.get_by_role("textbox")).to_have_attribute("readonly", "")
        for control in (".brighter", ".flash", ".bar", ".switch", ".effects .chip >> nth=1", ".level-input"):
            await card.locator(control).click(force=True)
            await expect(sheet(page)).to_be_visible()
            await page.keyboard.press("Escape")
            await expect(sheet(page)).to_be_hidden()
        await expect(card.get_by_role("radio", name="Pulse")).not_to_be_checked()
        await expect(page.locator("#light-sheet")).to_be_visible()
        assert home.get("/lights").json()["rev"] == before


@pytest.mark.slow
async def test_a_viewer_reads_the_chat_without_a_name(browser: Browser, home: RunningPanel) -> None:
    ada = {"Authorization": f"Bearer {token_of(home, 'operator')}", "X-Client-Name": "Ada"}
    home.post("/chat/rooms/lobby/messages", json={"msg": "Good morning"}, headers=ada)
    async with opened(browser, f"{home.url}/chat#room=lobby") as page:
        await expect(page.locator("#log")).to_contain_text("Good morning")
        await expect(page.locator("#say")).to_be_in_viewport(ratio=1)
        home.post("/chat/rooms/lobby/messages", json={"msg": "Good evening"}, headers=ada)
        await expect(page.locator("#log")).to_contain_text("Good evening")
        await page.locator("#say").tap(force=True)
        await type_pin(page, pin_of(home))
        await expect(page.get_by_label("Your name")).to_be_visible()  # now somebody who talks needs one


# --- the code of a QR code ----------------------------------------------------------------------------------


async def test_a_scanned_code_signs_in_once(browser: Browser, home: RunningPanel) -> None:
    url = code_of(home)
    home.get(url.removeprefix(home.url))  # a program that looks at the link for a preview
    async with opened(browser, url) as page:
        await expect(page.locator("#access-strip")).to_contain_text("Signed in as operator.")
        assert page.url == f"{home.url}/"
        await expect(page.get_by_role("slider").first).to_have_attribute("aria-disabled", "false")

    async with opened(browser, url) as other:
        await expect(sheet(other).get_by_role("alert")).to_contain_text("used already, or is too old")
        await expect(sheet(other).get_by_label("PIN", exact=True)).to_be_focused()
        assert other.url == f"{home.url}/"
        await type_pin(other, pin_of(home))
        await expect(other.get_by_role("slider").first).to_have_attribute("aria-disabled", "false")


@pytest.mark.parametrize("role", first_of("admin", "operator"))
async def test_a_phone_is_added_on_the_access_page(browser: Browser, home: RunningPanel, role: str) -> None:
    async with opened(browser, f"{home.url}/access") as page:
        await expect(page.locator("#phone")).to_be_hidden()  # a viewer who is not signed in
        await page.get_by_role("button", name="Use a token instead").click()
        await page.get_by_label("Token", exact=True).fill(token_of(home, role))
        await page.get_by_role("button", name="Sign in", exact=True).click()
        if role == "admin":
            await page.locator("#phone-role").get_by_role("radio", name="Everything").check()
        async with page.expect_response("**/access/codes") as answer:
            await page.get_by_role("button", name="Show a QR code").click()
        made = await (await answer.value).json()
        assert made["role"] == role
        dark = sum(row.count("1") for row in qr_rows(made["url"]))
        await expect(page.get_by_role("img", name="QR code that signs in a phone")).to_be_visible()
        assert (await page.locator(".qr path").get_attribute("d") or "").count("M") == dark
        await expect(page.locator(".phone-left")).to_contain_text("It works once, for another")
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert sign_in(home, code=made["url"].partition("#code=")[2]).json()["role"] == role
