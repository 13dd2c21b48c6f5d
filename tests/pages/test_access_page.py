"""Who gets in, as people see it in a browser: signing in, what a viewer's page looks like, tokens, names, the trail."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect

from asgi_app.access import SecretStore
from tests.support.page_lights import set_light
from tests.support.panel_process import RunningPanel
from tests.support.signing_in import pin_of, sign_in
from tests.support.tabs import DEFAULTS, first_of, page_of_its_own

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them

expect.set_options(timeout=30_000)  # ms; on an idle machine nothing takes a tenth of it

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}


# No network of their own: chromium gives up what is under way when an interface comes or goes.
@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel on which this machine may only look."""
    with RunningPanel(tmp_path_factory.mktemp("home") / "data", role_loopback="viewer") as running:
        yield running


@pytest.fixture(scope="module")
def shut(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel that everybody must sign in to."""
    with RunningPanel(tmp_path_factory.mktemp("shut") / "data", role_loopback="nobody") as running:
        yield running


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    with RunningPanel(tmp_path_factory.mktemp("panel") / "data") as running:
        yield running


def opened(
    browser: Browser, url: str, device: dict[str, Any] = DESKTOP, **more: Any
) -> AbstractAsyncContextManager[Page]:
    return page_of_its_own(browser, url, **{**device, **more})


@pytest.mark.parametrize("transport", first_of("websocket", "socketio", "rest"))
async def test_who_may_see_nothing_is_told_to_sign_in(browser: Browser, shut: RunningPanel, transport: str) -> None:
    async with opened(browser, f"{shut.url}/?transport={transport}", PHONE) as page:
        await expect(page.get_by_role("heading", name="Sign in to use this panel")).to_be_visible()
        await expect(page.locator("#mark .mark-status")).to_have_text("Not signed in")
        await expect(page.locator("#lost")).to_be_hidden()
        await expect(page.locator("#lights [data-light]")).to_have_count(0)


@pytest.mark.slow
async def test_another_pin_sends_the_page_back_to_looking(browser: Browser, home: RunningPanel) -> None:
    async with opened(browser, f"{home.url}/access") as page:
        await page.get_by_label("PIN", exact=True).fill(pin_of(home))
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await expect(page.locator(".me")).to_contain_text("control the lights")
        await page.goto(home.url)
        slider = page.get_by_role("slider")
        await expect(slider).to_have_attribute("aria-disabled", "false")

        keys = SecretStore(home.data)
        keys.open()
        await asyncio.to_thread(keys.renew_pin)

        await expect(slider).to_have_attribute("aria-disabled", "true")
        await expect(page.locator("#access-strip")).to_be_visible()


@pytest.mark.parametrize("device", first_of(PHONE, DESKTOP), ids=["phone", "desktop"])
async def test_an_admin_makes_and_revokes_tokens_and_reads_the_trail(
    browser: Browser, panel: RunningPanel, device: dict[str, Any]
) -> None:
    async with opened(browser, f"{panel.url}/access", device) as page:
        page.on("dialog", lambda dialog: dialog.accept())
        await page.get_by_label("Purpose").fill("<img src=x>")
        await page.locator("#token-role").get_by_role("radio", name="View").check()
        await page.get_by_role("button", name="Create a token").click()
        await expect(page.locator("#made code")).to_contain_text("plt_")
        token = await page.locator("#made code").text_content()
        assert panel.get("/access/me", headers={"Authorization": f"Bearer {token}"}).json()["role"] == "viewer"
        await expect(page.locator("#tokens li")).to_contain_text("<img src=x>")
        await expect(page.locator("#trail li").first).to_contain_text("created the token <img src=x>")
        overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0

        await page.get_by_role("button", name="Revoke").click()
        await expect(page.locator("#tokens li")).to_have_count(0)
        assert panel.get("/led", headers={"Authorization": f"Bearer {token}"}).status_code == 401


@pytest.mark.parametrize(("path", "form"), [("access", "#pin-form"), ("lab", "#raw-text"), ("chat", None)])
async def test_a_form_is_sent_by_the_script_or_not_at_all(
    browser: Browser, panel: RunningPanel, path: str, form: str | None
) -> None:
    held = asyncio.Event()

    async def hold(route: Route) -> None:
        await held.wait()
        await route.continue_()

    context = await browser.new_context(**DEFAULTS)
    page = await context.new_page()
    await page.route("**/static/bundle/*.js", hold)
    await page.goto(f"{panel.url}/{path}", wait_until="commit")
    await page.locator("main").wait_for()
    await page.wait_for_function("document.readyState !== 'loading'")
    sending = page.locator("form:not([method=dialog]) :is(button:not([type]), [type=submit]):enabled:visible")
    await expect(sending).to_have_count(0)
    held.set()
    if form is not None:
        await expect(page.locator(f"{form} button:not([type])")).to_be_enabled()
    await context.close()


LAMP = '[lights.desk]\npin = 12\nname = "Desk lamp"\n[lights.shelf]\npin = 13\nname = "Bookshelf"\n'


@pytest.mark.parametrize(
    "words",
    first_of(
        ("en-GB", "Ada set Desk lamp to 99 %", "Bob switched Bookshelf off", "Somebody failed to sign in"),
        ("zh-CN", "Ada将Desk lamp设为99 %", "Bob关闭了Bookshelf", "有人登录失败"),
    ),
)
async def test_the_trail_is_in_sentences_of_one_person_or_one_light(
    browser: Browser, tmp_path: Path, words: tuple[str, ...]
) -> None:
    locale, set_to, off, refused = words
    with RunningPanel(tmp_path / "data", lights=LAMP) as panel:
        set_light(panel, "desk", by="Ada", level=99)
        set_light(panel, "shelf", by="Bob", on=False)
        sign_in(panel, pin="0000")
        async with opened(browser, f"{panel.url}/access", locale=locale) as page:
            rows = page.locator("#trail .entry-what")
            await expect(rows).to_have_text([refused, off, set_to])
            person, light = (page.locator(f"#trail-of [name={name}]") for name in ("who", "light"))
            await person.fill("ada")
            await person.press("Tab")
            await expect(rows).to_have_text([set_to])
            await light.select_option(label="Bookshelf")
            await expect(rows).to_have_count(0)
            await expect(page.locator("#no-trail")).to_be_visible()
            await person.fill("")
            await person.press("Tab")
            await expect(rows).to_have_text([off])


@pytest.mark.slow
async def test_a_trail_with_nothing_in_it_says_so(browser: Browser, tmp_path: Path) -> None:
    with RunningPanel(tmp_path / "data") as panel:
        async with opened(browser, f"{panel.url}/access") as page:
            await expect(page.get_by_text("No entries yet.")).to_be_visible()
            panel.post("/led", json={"level": 3})
            await page.reload()
            await expect(page.locator("#trail li")).to_contain_text("set Light to 3 %")
            await expect(page.locator("#no-trail")).to_be_hidden()


@pytest.mark.slow
async def test_a_token_that_is_made_on_the_page_may_have_a_name(browser: Browser, panel: RunningPanel) -> None:
    async with opened(browser, f"{panel.url}/access") as page:
        await page.get_by_label("Purpose").fill("kettle")
        await page.get_by_label("Acts as").fill("Kettle")
        await page.get_by_role("button", name="Create a token").click()
        await expect(page.locator("#made code")).to_contain_text("plt_")
        token = await page.locator("#made code").text_content()
        assert panel.get("/access/me", headers={"Authorization": f"Bearer {token}"}).json()["name"] == "Kettle"
        await expect(page.locator("#tokens li", has_text="kettle")).to_contain_text("Kettle")
        await expect(page.locator("#names li")).to_contain_text("Kettle")

        page.on("dialog", lambda dialog: dialog.accept())
        await page.get_by_role("button", name="Revoke").click()
        await page.get_by_role("button", name="Give up name: Kettle").click()
        await expect(page.locator("#names li")).to_have_count(0)


@pytest.mark.slow
async def test_somebody_claims_a_name_and_another_browser_is_told(browser: Browser, panel: RunningPanel) -> None:
    async with opened(browser, f"{panel.url}/access") as page:
        page.on("dialog", lambda dialog: dialog.accept())
        await page.get_by_label("Name", exact=True).fill("Ada")
        await page.get_by_label("Password").fill("correct horse")
        await page.get_by_role("button", name="Sign in with this name").click()
        await expect(page.locator(".me")).to_contain_text("Your name is Ada.")

        async with opened(browser, f"{panel.url}/access") as other:
            await other.evaluate("localStorage.setItem('pilotlight.name', JSON.stringify('Ada'))")
            await other.goto(panel.url)
            await expect(other.locator("#access-strip")).to_contain_text("belongs to somebody")
            await expect(page.locator("#names li")).to_contain_text("Ada")

        await page.goto(panel.url)
        await expect(page.locator("body[data-link=live]")).to_be_visible()
        await page.goto(f"{panel.url}/access")
        await page.locator("#names").get_by_role("button", name="Give up name: Ada").click()
        await expect(page.locator("#names li")).to_have_count(0)


@pytest.mark.slow
async def test_the_page_speaks_chinese(browser: Browser, panel: RunningPanel) -> None:
    async with opened(browser, f"{panel.url}/access", locale="zh-CN") as page:
        await expect(page.get_by_role("heading", level=1)).to_have_text("成员与权限")
        await expect(page.locator(".me")).to_contain_text("你拥有全部权限。")
        words = await page.locator("[data-word]").all_text_contents()
        assert not [word for word in words if word.startswith(("access_", "strip_"))]
