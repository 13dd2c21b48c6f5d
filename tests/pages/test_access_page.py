"""Who gets in, as people see it in a browser: signing in, what a viewer's page looks like, tokens, names, the trail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect

from asgi_app.access import SecretStore
from tests.support.panel_process import RunningPanel
from tests.support.tabs import first_of

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


def pin_of(panel: RunningPanel) -> str:
    pin: str = json.loads((panel.data / "access.json").read_text())["pin"]
    return pin


@asynccontextmanager
async def opened(browser: Browser, url: str, device: dict[str, Any] = DESKTOP, **more: Any) -> AsyncIterator[Page]:
    """A page in a profile of its own; it fails at its end if something went wrong in the page."""
    options = {"locale": "en-GB", "reduced_motion": "reduce", **device, **more}
    context = await browser.new_context(**options)
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(url)
    yield page
    await context.close()
    assert errors == []


@pytest.mark.parametrize("transport", first_of("websocket", "socketio", "rest"))
async def test_a_viewer_sees_the_light_signs_in_and_moves_it(
    browser: Browser, home: RunningPanel, transport: str
) -> None:
    async with opened(browser, f"{home.url}/?transport={transport}", PHONE) as page:
        slider = page.get_by_role("slider")
        await expect(slider).to_have_attribute("aria-disabled", "true")
        await expect(page.locator("#access-strip")).to_contain_text("sign in with the PIN")
        overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0

        await page.locator("#access-strip").get_by_role("link", name="Sign in").click()
        await page.get_by_label("PIN, or a token").fill("00000000")
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await expect(page.locator("#pin-form").get_by_role("alert")).to_contain_text("not the PIN")
        await page.get_by_label("PIN, or a token").fill(pin_of(home))
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await expect(page.locator(".me")).to_contain_text("control the lights")

        await page.goto(f"{home.url}/?transport={transport}")
        await expect(slider).to_have_attribute("aria-disabled", "false")
        await expect(page.locator("#access-strip")).to_be_hidden()
        before = int(await slider.get_attribute("aria-valuenow") or 0)
        await slider.press("ArrowUp")
        await expect(page.locator(".who-did")).to_contain_text("You set")
        assert home.level() == before + 1

        await page.goto(f"{home.url}/access")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.locator(".me")).to_contain_text("You can view the panel.")


@pytest.mark.parametrize("transport", first_of("websocket", "socketio", "rest"))
async def test_who_may_see_nothing_is_told_to_sign_in(browser: Browser, shut: RunningPanel, transport: str) -> None:
    async with opened(browser, f"{shut.url}/?transport={transport}", PHONE) as page:
        await expect(page.locator("#access-strip")).to_contain_text("cannot use this panel yet")
        await expect(page.locator("#lost")).to_be_hidden()
        await expect(page.locator("#lights [data-light]")).to_have_count(0)


@pytest.mark.slow
async def test_another_pin_sends_the_page_back_to_looking(browser: Browser, home: RunningPanel) -> None:
    async with opened(browser, f"{home.url}/access") as page:
        await page.get_by_label("PIN, or a token").fill(pin_of(home))
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
        await expect(page.locator("#trail li").first).to_contain_text("add_token")
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

    context = await browser.new_context()
    page = await context.new_page()
    await page.route(f"**/static/js/{path}/main.js", hold)
    await page.goto(f"{panel.url}/{path}", wait_until="commit")
    await page.locator("main").wait_for()
    await page.wait_for_function("document.readyState !== 'loading'")
    sending = page.locator("form:not([method=dialog]) :is(button:not([type]), [type=submit]):enabled:visible")
    await expect(sending).to_have_count(0)
    held.set()
    if form is not None:
        await expect(page.locator(f"{form} button:not([type])")).to_be_enabled()
    await context.close()


@pytest.mark.slow
async def test_a_trail_with_nothing_in_it_says_so(browser: Browser, tmp_path: Path) -> None:
    with RunningPanel(tmp_path / "data") as panel:
        async with opened(browser, f"{panel.url}/access") as page:
            await expect(page.get_by_text("No entries yet.")).to_be_visible()
            panel.post("/led", json={"level": 3})
            await page.reload()
            await expect(page.locator("#trail li")).to_contain_text("set_light")
            await expect(page.locator("#no-trail")).to_be_hidden()


@pytest.mark.slow
async def test_a_token_that_is_made_on_the_page_may_have_a_name(browser: Browser, panel: RunningPanel) -> None:
    async with opened(browser, f"{panel.url}/access") as page:
        await page.get_by_label("Purpose").fill("kettle")
        await page.get_by_label("Name it uses").fill("Kettle")
        await page.get_by_role("button", name="Create a token").click()
        await expect(page.locator("#made code")).to_contain_text("plt_")
        token = await page.locator("#made code").text_content()
        assert panel.get("/access/me", headers={"Authorization": f"Bearer {token}"}).json()["name"] == "Kettle"
        await expect(page.locator("#tokens li", has_text="kettle")).to_contain_text("Kettle")
        await expect(page.locator("#names li")).to_contain_text("Kettle")

        page.on("dialog", lambda dialog: dialog.accept())
        await page.get_by_role("button", name="Revoke").click()
        await page.get_by_role("button", name="Release: Kettle").click()
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
        await page.locator("#names").get_by_role("button", name="Release: Ada").click()
        await expect(page.locator("#names li")).to_have_count(0)


@pytest.mark.slow
async def test_the_page_speaks_chinese(browser: Browser, panel: RunningPanel) -> None:
    async with opened(browser, f"{panel.url}/access", locale="zh-CN") as page:
        await expect(page.get_by_role("heading", level=1)).to_have_text("权限")
        await expect(page.locator(".me")).to_contain_text("你拥有全部权限。")
        words = await page.locator("[data-word]").all_text_contents()
        assert not [word for word in words if word.startswith(("access_", "strip_"))]
