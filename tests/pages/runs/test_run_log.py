"""The page `/watch`: the list of runs, and a run's log."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import BrowserContext, WebSocketRoute, expect

from tests.support.panel_process import RunningPanel
from tests.support.runs_tab import IMAGE_TAG, Watch
from tests.support.tabs import at_rest

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them


DESKTOP = {"viewport": {"width": 1280, "height": 800}}


MOST_ROWS = 400  # of a log, on the page at once


FIRST_LINES = 500  # that the page asks for


expect.set_options(timeout=30_000)  # ms; on an idle machine nothing takes a tenth of it


# --- the list -----------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_a_panel_without_runs_says_how_to_get_one(
    context: BrowserContext, start_panel: Callable[..., RunningPanel]
):
    watch = Watch(await context.new_page(), start_panel())
    await watch.open("/watch")
    none = watch.page.locator("#no-runs")
    await expect(none).to_contain_text("pilotlight run -- make all")
    await expect(none).to_contain_text(f"{watch.panel.url}/runs")
    watch.begin()
    await expect(watch.card()).to_be_visible()
    await expect(none).to_be_hidden()


async def test_a_run_appears_and_moves_and_ends(watch: Watch):
    await watch.open("/watch")
    watch.begin(kind="command")
    card = watch.card()
    await expect(card.locator(".pill")).to_have_text("Running")
    bar = card.get_by_role("progressbar")
    await expect(bar).not_to_have_attribute("aria-valuenow", re.compile(".*"))
    watch.update(progress=42, step="compiling")
    await expect(bar).to_have_attribute("aria-valuenow", "42")
    await expect(card).to_contain_text("compiling")
    await expect(card).to_contain_text("python-httpx")

    await card.get_by_role("link").click()
    assert watch.page.url.endswith(f"#run={watch.run}")
    await expect(watch.page.get_by_role("heading", level=2, name=f"make {watch.run}")).to_be_visible()
    watch.update(progress=43.9)
    await expect(watch.page.locator(".run-head .percent")).to_have_text("43 %")
    await expect(watch.page).to_have_title(re.compile(r"^43 % · make "))
    watch.end(2)
    await expect(watch.pill).to_have_text("exit 2")
    await expect(watch.page.locator(".ended")).to_contain_text("It failed · exit code 2")
    await expect(watch.page.locator("#spoken")).to_have_text(f"make {watch.run}: It failed")


async def test_running_ones_come_first(watch: Watch):
    old, new = watch.run, f"{watch.run}-new"
    for id in (old, new):
        watch.run = id
        watch.begin()
    watch.end(0)
    await watch.open("/watch")
    runs = watch.page.locator(".run-card")
    await expect(watch.card(new)).to_be_visible()
    order: list[str] = await runs.evaluate_all("cards => cards.map(card => card.dataset.run)")
    assert order.index(old) < order.index(new)


@pytest.mark.slow
async def test_a_run_that_is_not_there(watch: Watch):
    await watch.open("/watch#run=nobody%20has%20this")
    await expect(watch.page.locator(".run-missing")).to_contain_text("There is no such run")


# --- the log ------------------------------------------------------------------------------------------------


async def test_lines_arrive_once_and_are_text(watch: Watch):
    watch.begin()
    watch.say("before anybody looked")
    await watch.open()
    await expect(watch.lines).to_have_text(["before anybody looked"])
    watch.say(IMAGE_TAG, "10 %\r90 %\r\x1b[1;31mred\x1b[0m and plain\x1b[K\r", {"msg": {"ok": True, "n": [1]}})
    await expect(watch.lines).to_have_text(
        ["before anybody looked", IMAGE_TAG, "red and plain", '{"ok":true,"n":[1]}'], use_inner_text=True
    )
    assert await watch.offsets() == [0, 1, 2, 3]
    await expect(watch.page.locator(".ansi-red.bold")).to_have_text("red")
    await expect(watch.page.locator(".log-lines img")).to_have_count(0)
    await expect(watch.rows.first.locator(".at")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))


async def test_the_log_follows_until_somebody_reads(watch: Watch):
    watch.begin()
    watch.say(*(f"line {n}" for n in range(100)))
    await watch.open()
    await expect(watch.lines.last).to_have_text("line 99")
    await watch.is_at_the_end()
    watch.say(*(f"line {n}" for n in range(100, 150)))
    await expect(watch.lines.last).to_have_text("line 149")
    await watch.is_at_the_end()
    await expect(watch.latest).to_be_hidden()

    await watch.scroller.hover()
    await watch.page.mouse.wheel(0, -300)
    await expect(watch.latest).to_be_visible()
    top = await at_rest(watch.page, "document.querySelector('.log-lines').scrollTop")
    watch.say("line 150")
    await expect(watch.lines.last).to_have_text("line 150")
    assert await watch.scroller.evaluate("log => log.scrollTop") == pytest.approx(top, abs=2)

    await watch.latest.click()
    await watch.is_at_the_end()
    await expect(watch.latest).to_be_hidden()


@pytest.mark.slow
async def test_a_long_log_is_loaded_as_one_reads_up(watch: Watch):
    watch.begin()
    watch.say(*(f"line {n}" for n in range(4000)))
    await watch.open()
    await expect(watch.lines.last).to_have_text("line 3999")
    assert len(await watch.offsets()) == MOST_ROWS
    async with asyncio.timeout(60):
        while 0 not in await watch.offsets():
            await watch.scroll_to_the_top()
            await watch.page.wait_for_timeout(50)
    offsets = await watch.offsets()
    assert offsets == list(range(len(offsets)))
    assert len(offsets) <= MOST_ROWS
    await watch.latest.click()
    await expect(watch.lines.last).to_have_text("line 3999")
    await watch.is_at_the_end()


async def test_search_goes_from_match_to_match(watch: Watch):
    watch.begin()
    watch.say(*(f"part {n} of MANY {IMAGE_TAG if n == 30 else ''}" for n in range(200)))
    await watch.open()
    await expect(watch.rows).to_have_count(200)
    await watch.search.fill("Part 3")
    count = watch.page.locator(".hits")
    await expect(count).to_have_text("11")  # 3 and 30..39
    await watch.search.press("Enter")
    await expect(count).to_have_text("1 of 11")
    await expect(watch.page.locator(".row.at-hit .said")).to_have_text("part 3 of MANY")
    await expect(watch.page.locator(".row.at-hit")).to_be_in_viewport()
    await expect(watch.page.locator(".row.at-hit mark")).to_have_text("part 3")
    await watch.page.get_by_role("button", name="Next match").click()
    await expect(count).to_have_text("2 of 11")
    await watch.search.press("Shift+Enter")
    await expect(count).to_have_text("1 of 11")
    await watch.page.get_by_role("button", name="Previous match").click()
    await expect(count).to_have_text("11 of 11")
    watch.say("and part 3 again")
    await expect(count).to_have_text("11 of 12")
    await watch.page.get_by_role("button", name="Only matches").click()
    await expect(watch.rows).to_have_count(12)
    assert await watch.offsets() == [3, *range(30, 40), 200]
    watch.say("part 3 once more", "something else")
    await expect(watch.rows).to_have_count(13)
    await watch.search.fill(IMAGE_TAG)
    await expect(watch.rows).to_have_count(1)
    await expect(watch.page.locator("mark")).to_have_text(IMAGE_TAG)
    await watch.search.press("Escape")
    await expect(watch.rows).to_have_count(203)
    await expect(count).to_be_hidden()


async def test_search_goes_through_the_whole_log(watch: Watch):
    watch.begin()
    words = {123: "needle one", 20_000: "needle two", 39_990: "Needle three"}
    watch.say(*({"msg": words.get(n, f"line {n}"), "level": "error" if n in words else "info"} for n in range(40_000)))
    await watch.open()
    await expect(watch.page.locator(".run-facts")).to_contain_text("40,000 lines · 3 errors")
    count = watch.page.locator(".hits")
    await watch.search.fill("NEEDLE")
    await watch.search.press("Enter")
    await expect(count).to_have_text("1 of 3")
    at = watch.page.locator(".row.at-hit")
    await expect(at).to_be_in_viewport()
    await expect(at.locator(".offset")).to_have_text("123")
    await watch.search.press("Enter")
    await expect(count).to_have_text("2 of 3")
    await expect(at.locator(".offset")).to_have_text("20,000")
    await expect(at).to_be_in_viewport()
    await watch.search.press("Enter")
    await expect(count).to_have_text("3 of 3")
    await expect(at).to_be_in_viewport()
    await watch.search.press("Enter")
    await expect(count).to_have_text("1 of 3")

    await watch.page.get_by_role("button", name="Only matches").click()
    await expect(watch.rows).to_have_count(3)
    await watch.search.press("Escape")
    await watch.level("Errors")
    await expect(watch.rows).to_have_count(3)
    await watch.level("All")

    await watch.page.get_by_role("button", name="First error").click()
    marked = watch.page.locator(".row.marked")
    await expect(marked.locator(".offset")).to_have_text("123")
    await expect(marked).to_be_in_viewport()
    assert watch.page.url.endswith(f"#run={watch.run}&line=123")
    await watch.page.get_by_role("textbox", name="Jump to line").fill("31,000")
    await watch.page.get_by_role("textbox", name="Jump to line").press("Enter")
    await expect(marked.locator(".offset")).to_have_text("31,000")
    await expect(marked).to_be_in_viewport()


async def test_a_line_has_an_address(watch: Watch):
    watch.begin()
    watch.say(*(f"line {n}" for n in range(3000)))
    await watch.open(f"/watch#run={watch.run}&line=700")
    marked = watch.page.locator(".row.marked")
    await expect(marked.locator(".said")).to_have_text("line 700")
    await expect(marked).to_be_in_viewport()
    await watch.page.locator(".row[data-n='703'] a").click()
    await expect(marked.locator(".said")).to_have_text("line 703")
    assert watch.page.url.endswith("&line=703")
    await watch.page.evaluate("location.hash = location.hash.replace('703', '9999')")
    await expect(watch.page.locator(".gone")).to_have_text("There is no line 9,999. The last one is 2,999.")
    await expect(watch.rows.last).to_be_attached()
    await watch.page.go_back()
    await expect(marked.locator(".said")).to_have_text("line 703")
    await expect(watch.page.locator(".gone")).to_be_hidden()


async def test_levels_are_filtered(watch: Watch):
    watch.begin()
    levels = ("debug", "info", "warning", "error", "critical", "notice")
    watch.say(*({"msg": f"one of {level}", "level": level} for level in levels))
    await watch.open()
    await expect(watch.rows).to_have_count(6)
    await expect(watch.page.locator(".row[data-level=error]")).to_have_count(2)
    shown = {"Errors": [3, 4], "Warnings": [2, 3, 4], "Info": [1, 2, 3, 4, 5], "All": [0, 1, 2, 3, 4, 5]}
    for name, offsets in shown.items():
        await watch.level(name)
        await expect(watch.rows).to_have_count(len(offsets))
        assert await watch.offsets() == offsets
    await watch.level("Errors")
    watch.say({"msg": "new", "level": "error"}, "not shown")
    await expect(watch.lines.last).to_have_text(re.compile("new$"))


@pytest.mark.slow
async def test_a_sign_is_a_notice(watch: Watch):
    watch.begin()
    watch.say({"msg": "an old one", "sign": "success"})
    await watch.open()
    await expect(watch.lines).to_have_count(1)
    await expect(watch.notices).to_have_count(0)
    watch.say({"msg": f"all is built {IMAGE_TAG}", "sign": "success"})
    await expect(watch.notices).to_contain_text(f"make {watch.run}: success")
    await expect(watch.notices).to_contain_text(f"all is built {IMAGE_TAG}")
    await watch.notices.get_by_role("button").click()
    await expect(watch.notices).to_have_count(0)


@pytest.mark.slow
async def test_lines_that_were_skipped_can_be_loaded(context: BrowserContext, panel: RunningPanel):
    """A panel whose viewer is too slow leaves lines out; the proxy here is that slow viewer's connection."""
    watch = Watch(await context.new_page(), panel)
    watch.begin()
    watch.say("line 0")
    held: list[dict[str, Any]] = []
    epochs: list[str] = []
    sockets: list[WebSocketRoute] = []

    def between(socket: WebSocketRoute) -> None:
        panel = socket.connect_to_server()

        def down(frame: str | bytes) -> None:
            heard = json.loads(frame)
            if "events" in heard:
                epochs.append(heard["epoch"])
                held.extend(event for event in heard["events"] if event["event"] == "run_log")
                heard["events"] = [event for event in heard["events"] if event["event"] != "run_log"]
            socket.send(json.dumps(heard))

        panel.on_message(down)
        socket.on_message(panel.send)
        sockets.append(socket)

    await watch.page.route_web_socket(re.compile("/live"), between)
    await watch.open()
    await expect(watch.lines).to_have_text(["line 0"])
    watch.say(*(f"line {n}" for n in range(1, 1300)))
    await expect(watch.page.locator(".run-facts")).to_contain_text("1,300 lines")
    href = f"/runs/{watch.run}/log?from=1"
    gap = {"event": "gap", "of": "run", "run": watch.run, "from": 1, "upto": 1300, "href": href}
    async with asyncio.timeout(30):
        while not held:
            await asyncio.sleep(0.05)
    sockets[0].send(json.dumps({"epoch": epochs[0], "events": [gap]}))
    await expect(watch.gap).to_contain_text("Lines 1–1,299 were skipped here")
    await watch.gap.get_by_role("button", name="Load").click()
    await expect(watch.gap).to_have_count(0)
    await expect(watch.lines.last).to_have_text("line 1299")
    offsets = await watch.offsets()
    assert offsets == list(range(offsets[0], 1300))


async def test_the_log_goes_on_after_a_restart(context: BrowserContext, start_panel: Callable[..., RunningPanel]):
    watch = Watch(await context.new_page(), start_panel())
    watch.begin()
    watch.say(*(f"line {n}" for n in range(20)))
    await watch.open()
    await expect(watch.lines).to_have_count(20)
    watch.panel.restart()
    watch.say(*(f"line {n}" for n in range(20, 40)))
    await expect(watch.lines).to_have_text([f"line {n}" for n in range(40)])
    watch.say("line 40")
    await expect(watch.lines.last).to_have_text("line 40")
    assert await watch.offsets() == list(range(41))


@pytest.mark.slow
async def test_the_log_can_be_downloaded(watch: Watch):
    watch.begin()
    watch.say("one", "two", "三")
    await watch.open()
    link = watch.page.get_by_role("link", name="Download the log")
    await expect(link).to_have_attribute("href", f"/runs/{watch.run}/log")
    async with watch.page.expect_download() as started:
        await link.click()
    download = await started.value
    assert download.suggested_filename == f"{watch.run}.log"
    assert (await download.path()).read_text() == "one\ntwo\n三\n"
