"""Fixtures that the tests of this folder share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.chat_tabs import ChatTab, OpenChat, become
from tests.support.panel_process import RunningPanel
from tests.support.tabs import DESKTOP, OpenTab


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    with RunningPanel(tmp_path_factory.mktemp("chat") / "data") as running:
        yield running


@pytest.fixture
def open_chat(open_tab: OpenTab, panel: RunningPanel) -> OpenChat:
    """Open the chat as a person: `open_chat("Ada", "#to=Bob", device=PHONE)`."""

    async def open(
        name: str, path: str = "", device: dict[str, Any] = DESKTOP, *, at: RunningPanel = panel, **more: Any
    ) -> ChatTab:
        if name:
            tab = await open_tab("/health/live", device, at=at, **more)  # of the same origin, and quick
            await become(tab, name, f"/chat{path}")
        else:
            tab = await open_tab("/chat", device, at=at, **more)
        await tab.is_live()
        return ChatTab(tab)

    return open


@pytest.fixture
def room(request: pytest.FixtureRequest) -> str:
    """A room of this test alone."""
    return re.sub(r"\W+", " ", request.node.name)[:40].strip()
