"""The page `/watch`: somebody goes to a line while the panel does not answer, or changes their mind before it does."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import BrowserContext, Page, WebSocketRoute, expect

from tests.support.panel_process import RunningPanel
from tests.support.runs_tab import Watch
from tests.support.tabs import first_of

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them

LINES = 3000
FAR = 700  # a line that the page does not have at first
SOON = 100  # ms in which a page has done what an answer makes it do


async def by_the_field(watch: Watch, line: int) -> None:
    await watch.page.locator(".jump input").fill(str(line))
    await watch.page.locator(".jump input").press("Enter")


async def by_the_address(watch: Watch, line: int) -> None:
    await watch.page.evaluate(f"location.hash = '#run={watch.run}&line={line}'")


async def by_the_first_error(watch: Watch, line: int) -> None:
    await watch.page.locator(".first-error").click()


async def by_the_search(watch: Watch, line: int) -> None:
    await watch.search.fill(f"line {line}")
    await expect(watch.page.locator(".hits")).to_have_text("1")
    await watch.search.press("Enter")


WAYS: dict[str, Callable[[Watch, int], Awaitable[None]]] = {
    "field": by_the_field,
    "address": by_the_address,
    "first error": by_the_first_error,
    "search": by_the_search,
}


async def opened(context: BrowserContext, panel: RunningPanel) -> Watch:
    """The page of a long log, at its end."""
    watch = Watch(await context.new_page(), panel)
    watch.begin()
    watch.say(*({"msg": f"line {n}", "level": "error" if n == FAR else "info"} for n in range(LINES)))
    return watch


LOST = {"en-GB": f"Line {FAR} could not be loaded.", "zh-CN": f"第 {FAR} 行无法加载。"}
LANGUAGES = [{"locale": locale} for locale in LOST]


@pytest.mark.parametrize("context", first_of(*LANGUAGES), indirect=True, ids=LOST)
@pytest.mark.parametrize("way", ["field", "address"])
async def test_without_the_panel_a_line_is_not_said_to_be_gone(
    context: BrowserContext, panel: RunningPanel, way: str
) -> None:
    watch = await opened(context, panel)
    await watch.open()
    gone, marked = watch.page.locator(".gone"), watch.page.locator(".row.marked")
    await expect(watch.lines.last).to_have_text(f"line {LINES - 1}")
    await context.set_offline(True)
    await WAYS[way](watch, FAR)
    language = await watch.page.evaluate("navigator.language")
    await expect(gone).to_have_text(LOST[language])
    await context.set_offline(False)
    await watch.is_live()
    await expect(marked).to_have_attribute("data-n", str(FAR))
    await expect(marked).to_be_in_viewport()
    await expect(gone).to_be_hidden()


async def test_who_has_gone_to_the_end_stays_there(context: BrowserContext, panel: RunningPanel) -> None:
    watch = await opened(context, panel)
    await watch.open()
    await expect(watch.lines.last).to_have_text(f"line {LINES - 1}")
    await context.set_offline(True)
    await by_the_field(watch, FAR)
    await expect(watch.page.locator(".gone")).to_be_visible()
    await watch.latest.click()
    await expect(watch.page.locator(".gone")).to_be_hidden()
    await context.set_offline(False)
    await watch.is_live()
    watch.say("one more")
    await expect(watch.lines.last).to_have_text("one more")
    await watch.is_at_the_end()


class Held:
    """The answers to `get_log`, which the page gets when the test lets it have them."""

    def __init__(self) -> None:
        self._asked: set[int] = set()
        self._answers: list[str] = []
        self._page: WebSocketRoute | None = None

    def between(self, socket: WebSocketRoute) -> None:
        panel = socket.connect_to_server()
        self._page = socket

        def up(frame: str | bytes) -> None:
            said = json.loads(frame)
            if said["do"] == "get_log":
                self._asked.add(said["id"])
            panel.send(frame)

        def down(frame: str | bytes) -> None:
            if json.loads(frame).get("reply") in self._asked:
                self._answers.append(str(frame))
            else:
                socket.send(frame)

        socket.on_message(up)
        panel.on_message(down)

    async def come(self, number: int) -> None:
        """Wait for so many answers."""
        async with asyncio.timeout(30):
            while len(self._answers) < number:
                await asyncio.sleep(0.01)

    def let_go(self, number: int) -> None:
        assert self._page is not None
        self._page.send(self._answers[number])


@asynccontextmanager
async def held(page: Page) -> AsyncIterator[Held]:
    answers = Held()
    await page.route_web_socket(re.compile("/live"), answers.between)
    yield answers


@pytest.mark.parametrize("way", first_of(*WAYS))
async def test_another_run_is_left_alone(context: BrowserContext, panel: RunningPanel, way: str) -> None:
    watch = await opened(context, panel)
    other = Watch(watch.page, panel)
    other.begin()
    other.say("one", "two")
    async with held(watch.page) as answers:
        await watch.open()
        await expect(watch.lines.last).to_have_text(f"line {LINES - 1}")
        await WAYS[way](watch, FAR)
        await answers.come(1)
        await watch.page.evaluate(f"location.hash = '#run={other.run}'")
        await expect(other.lines).to_have_text(["one", "two"])
        answers.let_go(0)
        await watch.page.wait_for_timeout(SOON)
        await expect(watch.page.locator(".gone")).to_be_hidden()
        await expect(other.latest).to_be_hidden()
        await expect(watch.page.locator(".row.marked, .row.at-hit")).to_have_count(0)
        assert watch.page.url.endswith(f"#run={other.run}")


@pytest.mark.slow
async def test_the_last_wish_counts(context: BrowserContext, panel: RunningPanel) -> None:
    watch = await opened(context, panel)
    gone, marked = watch.page.locator(".gone"), watch.page.locator(".row.marked .said")
    async with held(watch.page) as answers:
        await watch.open()
        await expect(watch.lines.last).to_have_text(f"line {LINES - 1}")
        await by_the_field(watch, FAR)
        await answers.come(1)
        await by_the_field(watch, 10)
        await answers.come(2)
        answers.let_go(0)
        await watch.page.wait_for_timeout(SOON)
        await expect(gone).to_be_hidden()
        answers.let_go(1)
        await expect(marked).to_have_text("line 10")
        await expect(marked).to_be_in_viewport()
        await expect(gone).to_be_hidden()
