"""The page `/watch`: find a run in the list, pin it, delete it, start it again, and one whose producer is gone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.async_api import BrowserContext, expect

from tests.support.live_client import live
from tests.support.panel_process import RunningPanel
from tests.support.runs_tab import Watch

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them


async def test_a_run_is_pinned_and_deleted_on_every_page(watch: Watch, context: BrowserContext):
    watch.begin(kind="command", command="make 'all of it'")
    other = Watch(await context.new_page(), watch.panel)
    other.run = watch.run
    await watch.open()
    await other.open("/watch")
    delete = watch.page.get_by_role("button", name="Delete")
    await expect(delete).to_be_hidden()  # it goes on
    watch.end(2)
    await expect(other.card().locator(".pill")).to_have_text("exit 2")
    await watch.page.get_by_role("button", name="Pin", exact=True).click()
    await expect(other.card().locator(".pinned")).to_be_visible()
    first = other.page.locator(".run-card").first
    await expect(first).to_have_attribute("data-run", watch.run)

    await watch.page.get_by_role("button", name="Run again").click()
    await expect(watch.page.locator("#again code")).to_have_text("pilotlight run -- make 'all of it'")
    await watch.page.keyboard.press("Escape")

    await other.card().get_by_role("link").click()
    await expect(other.pill).to_have_text("exit 2")
    await delete.click()
    sure = watch.page.locator("#sure")
    await sure.get_by_role("button", name="Keep").click()
    await expect(watch.card()).to_be_visible()
    await delete.click()
    await expect(sure).to_contain_text(f"Delete “make {watch.run}”?")
    await sure.get_by_role("button", name="Delete").click()
    await expect(watch.card()).to_have_count(0)
    await expect(watch.page.locator("#run")).to_be_hidden()
    await expect(other.page.locator(".run-missing")).to_contain_text("This run was deleted")
    assert watch.panel.get(f"/runs/{watch.run}").status_code == 404


@pytest.mark.slow
async def test_a_run_is_found_in_the_list(context: BrowserContext, start_panel: Callable[..., RunningPanel]):
    watch = Watch(await context.new_page(), start_panel())
    for number in range(20):
        watch.run = f"old-{number}"
        watch.begin()
        watch.end(number % 2)
    await watch.open("/watch")
    cards = watch.page.locator(".run-card")
    await expect(cards).to_have_count(5)
    await watch.page.get_by_role("searchbox", name="Search runs").fill("OLD-1")
    await expect(cards).to_have_count(11)  # older ones, too
    await watch.page.locator("#run-looks .chip", has_text="Failed").click()
    await expect(cards).to_have_count(6)
    await watch.page.locator("#run-looks .chip", has_text="Running").click()
    await expect(watch.page.locator("#no-such-run")).to_be_visible()


@pytest.mark.slow
async def test_a_show_is_started_again(watch: Watch):
    await watch.open("/watch")
    await watch.page.locator("[data-show=sunrise] .stepped").click()
    await watch.button("stop").click()
    await expect(watch.pill).to_have_text("Stopped")
    before = watch.page.url
    await watch.page.get_by_role("button", name="Run again").click()
    await watch.page.wait_for_url(lambda url: url != before)
    await watch.button("stop").click()
    await expect(watch.pill).to_have_text("Stopped")


@pytest.mark.slow
async def test_a_producer_that_is_gone_is_said(context: BrowserContext, start_panel: Callable[..., RunningPanel]):
    watch = Watch(await context.new_page(), start_panel(run_contact=0.5))
    async with live(watch.panel) as producer:
        await producer.ask("start_run", run=watch.run, name="Backup")
        await watch.open()
        await expect(watch.pill).to_have_text("Running")
    await expect(watch.pill).to_have_text("Lost contact")
    await expect(watch.card().locator(".pill")).to_have_text("Lost contact")
    await expect(watch.page.locator(".no-producer")).to_contain_text("Nothing has come from it for")
    async with live(watch.panel) as producer:
        await producer.ask("start_run", run=watch.run, name="Backup")
        await expect(watch.pill).to_have_text("Running")
