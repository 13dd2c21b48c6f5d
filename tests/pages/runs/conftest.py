"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.pages.conftest import OF_A_RESTART
from tests.support.panel_process import RunningPanel
from tests.support.runs_tab import Watch
from tests.support.tabs import DESKTOP, TakeTab


@pytest_asyncio.fixture(loop_scope="session")
async def watch(request: pytest.FixtureRequest, take_tab: TakeTab, panel: RunningPanel) -> AsyncIterator[Watch]:
    """A tab for the runs of this panel, which may say nothing on the console; its parameter is more options."""
    tab = await take_tab(**{**DESKTOP, **getattr(request, "param", {})})
    tab.belongs_to(panel)
    yield Watch(tab.page, panel)
    said = [trouble for trouble in tab.troubles if trouble.startswith(("console:", "error:"))]
    assert [trouble for trouble in said if not OF_A_RESTART.search(trouble)] == []
