"""Open pages learn the new time when the panel's clock steps: "5 s ago" stays true."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.support.page_lights import TRANSPORTS, set_light
from tests.support.stepping_panel import SteppingPanel, shows
from tests.support.tabs import OpenTab

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]  # one browser for all of them

LED = "[lights.led]\npin = 12\n"
JUST_NOW = re.compile(r"now|\d+ s ago")
YEAR = 365 * 86_400.0


async def test_what_was_just_now_still_was(tmp_path: Path, open_tab: OpenTab) -> None:
    with SteppingPanel(tmp_path / "data", lights=LED, command_rate=1e6) as panel:
        tabs = [await open_tab(f"/?transport={transport}", watch=False, at=panel) for transport in TRANSPORTS]
        for offset in (YEAR, -YEAR, 0.0):
            set_light(panel, "led", level=70)
            await asyncio.to_thread(shows, panel, offset)
            set_light(panel, "led", level=40)  # with the new time, which a page of the old one would put far away
            for tab in tabs:
                card = await tab.card("led")
                await card.shows(40)
                await expect(card.when).to_have_text(JUST_NOW)
