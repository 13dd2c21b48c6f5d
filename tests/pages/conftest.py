"""Fixtures of the pages: one browser a worker, and profiles of a test's own in it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Error, async_playwright

from tests.conftest import SERVERS
from tests.support.browser import launch
from tests.support.panel_process import RunningPanel
from tests.support.tabs import DEFAULTS, DESKTOP, OpenTab, Tab, TakeTab, complaints_of

OF_A_RESTART = re.compile(
    r"ERR_|WebSocket connection to|status of 503"
)  # what a page may say of a panel that ends, or is away


@pytest.fixture(scope="session")
def server() -> str:
    """One server: the wires below the pages are tested on all."""
    return SERVERS[0]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(request: pytest.FixtureRequest) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        running = await launch(playwright, whole=request.config.getoption("--as-users-do"))
        yield running
        await running.close()


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser, request: pytest.FixtureRequest) -> AsyncIterator[BrowserContext]:
    """A new browser profile whose pages may say nothing on the console; its parameter is more options."""
    opened = await browser.new_context(**{**DEFAULTS, **DESKTOP, **getattr(request, "param", {})})
    complaints = complaints_of(opened)
    yield opened
    await opened.close()
    assert [said for said in complaints if not OF_A_RESTART.search(said)] == []


@pytest.fixture(scope="session")
def idle_tabs() -> dict[str, list[Tab]]:
    """Tabs to use again, by how they were made: a new one takes four times as long as an old one."""
    return {}


@pytest_asyncio.fixture(loop_scope="session")
async def take_tab(browser: Browser, idle_tabs: dict[str, list[Tab]]) -> AsyncIterator[TakeTab]:
    """Take an empty tab in a profile of its own: `take_tab(**PHONE, locale="zh-CN")`."""
    used: list[tuple[Tab, list[Tab]]] = []

    async def take(**options: Any) -> Tab:
        options = DEFAULTS | options
        idle = idle_tabs.setdefault(repr(options), [])
        tab = idle.pop() if idle else Tab(await (await browser.new_context(**options)).new_page())
        used.append((tab, idle))
        return tab

    yield take
    for tab, idle in used:
        try:
            await tab.clear()
            idle.append(tab)
        except Error:  # its panel is gone
            await tab.page.context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_tab(take_tab: TakeTab, panel: RunningPanel) -> AsyncIterator[OpenTab]:
    """Open a page in a profile of its own: `open_tab(path="/?transport=rest", device=PHONE, locale="zh-CN")`.

    The test fails at its end if the page complained of anything, unless it was opened with `watch=False`.
    """
    watched: list[Tab] = []

    async def open(
        path: str = "/", device: dict[str, Any] = DESKTOP, *, at: RunningPanel = panel, watch: bool = True, **more: Any
    ) -> Tab:
        tab = await take_tab(**device, **more)
        if watch:
            watched.append(tab)
        await tab.open(at, path)
        if urlsplit(path).path == "/":
            await tab.is_live()
        return tab

    yield open
    assert [trouble for tab in watched for trouble in tab.troubles] == []
