"""The page of docs/clients.md, opened from a file as it is written there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.support.clients_page import program
from tests.support.panel_process import RunningPanel
from tests.support.signing_in import token_of
from tests.support.tabs import page_of_its_own

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]


async def test_the_page_sets_the_light_hears_changes_and_comes_back(
    browser: Browser, start_panel: Callable[..., RunningPanel], tmp_path: Path
) -> None:
    panel = start_panel(role_loopback="nobody", cors_origins="null")
    token = token_of(panel, "operator")
    (tmp_path / "light.html").write_text(program("fetch and WebSocket", panel.port, token))

    def set_to(level: int) -> None:
        panel.post("/led", json={"level": level}, headers={"Authorization": f"Bearer {token}"})

    async with page_of_its_own(browser, f"file://{tmp_path}/light.html") as page:
        await expect(page.locator("#level")).to_have_text("40")
        set_to(61)
        await expect(page.locator("#level")).to_have_text("61")
        panel.restart()
        set_to(77)
        await expect(page.locator("#level")).to_have_text("77")
