"""Fixtures that the tests of this folder share."""

from __future__ import annotations

import pytest_asyncio
from playwright.async_api import BrowserContext

from tests.support.panel_process import RunningPanel
from tests.support.runs_tab import Watch


@pytest_asyncio.fixture(loop_scope="session")
async def watch(context: BrowserContext, panel: RunningPanel) -> Watch:
    return Watch(await context.new_page(), panel)
