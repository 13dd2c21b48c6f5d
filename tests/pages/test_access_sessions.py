"""The browsers that are signed in, on the page of who gets in: seen, and ended one by one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.support.panel_process import RunningPanel
from tests.support.signing_in import cookie_of, pin_of, sign_in, token_of
from tests.support.tabs import DEFAULTS, DESKTOP, PHONE

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel on which this machine may only look."""
    with RunningPanel(tmp_path_factory.mktemp("home") / "data", role_loopback="viewer") as running:
        yield running


async def signed_in(browser: Browser, home: RunningPanel, secret: str, device: dict) -> tuple[BrowserContext, Page]:
    context = await browser.new_context(**{**DEFAULTS, **device})
    page = await context.new_page()
    page.on("dialog", lambda dialog: dialog.accept())
    await page.goto(f"{home.url}/access")
    await page.get_by_label("PIN", exact=True).fill(secret)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.locator("#sessions li")).not_to_have_count(0)
    return context, page


async def test_an_admin_ends_one_and_the_others_stay(browser: Browser, home: RunningPanel) -> None:
    lost, kept = ({"Cookie": cookie_of(sign_in(home, pin=pin_of(home)))} for _ in range(2))
    context, page = await signed_in(browser, home, token_of(home, "admin"), DESKTOP)
    lines = page.locator("#sessions li")
    await expect(lines).to_have_count(3)
    await expect(lines.first).to_contain_text("this browser")
    await expect(lines.first).to_contain_text("Signed in with the token “a admin”")
    await expect(lines.nth(1)).to_contain_text("Signed in with the PIN")

    await lines.nth(2).get_by_role("button").click()  # the first that signed in

    await expect(lines).to_have_count(2)
    assert home.get("/access/me", headers=lost).json()["signed_in"] is False
    assert home.get("/access/me", headers=kept).json()["signed_in"] is True
    await lines.first.get_by_role("button").click()
    await expect(page.locator("#sessions-tile")).to_be_hidden()
    await expect(page.locator(".me")).to_contain_text("You can view the panel.")
    await context.close()


async def test_what_did_not_work_is_said(browser: Browser, home: RunningPanel) -> None:
    sign_in(home, pin=pin_of(home))
    context, page = await signed_in(browser, home, token_of(home, "admin"), DESKTOP)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    lines = page.locator("#sessions li")
    before = await lines.count()
    await context.set_offline(True)
    await lines.nth(1).get_by_role("button").click()
    await expect(page.get_by_role("alert").first).to_have_text("The panel does not answer.")
    await context.set_offline(False)
    await lines.nth(1).get_by_role("button").click()
    await expect(lines).to_have_count(before - 1)
    await expect(page.locator("#failed")).to_be_empty()
    assert errors == []
    await context.close()


@pytest.mark.slow
async def test_somebody_sees_their_own_on_a_phone(browser: Browser, home: RunningPanel) -> None:
    sign_in(home, pin=pin_of(home))
    other = {"Cookie": cookie_of(sign_in(home, pin=pin_of(home), name="Ada", password=PASSWORD))}
    context, page = await signed_in(browser, home, pin_of(home), PHONE)
    await expect(page.locator("#sessions li")).to_have_count(1)
    await page.get_by_label("Name", exact=True).fill("Ada")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in with this name").click()
    await expect(page.locator("#sessions li")).to_have_count(2)
    overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0
    await page.locator("#sessions li").nth(1).get_by_role("button").click()
    await expect(page.locator("#sessions li")).to_have_count(1)
    assert home.get("/access/me", headers=other).json()["name"] is None
    await expect(page.locator(".me")).to_contain_text("Your name is Ada")
    await context.close()
