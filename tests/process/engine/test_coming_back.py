"""A node that comes back is asked by others as soon as they hear of its lights, and answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import Home
from tests.support.live_client import live
from tests.support.panel_process import eventually


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Home(tmp_path) as home:
        yield home


async def test_what_is_asked_at_once_is_answered(home: Home) -> None:
    kitchen, front = home.node("kitchen", "led"), home.front("front")
    eventually(lambda: front.light("kitchen.led")["online"])
    async with live(front) as screen:
        for level in (61, 62, 63, 64):
            began = front.light("kitchen.led")["at"]
            kitchen.kill()
            starting = asyncio.create_task(asyncio.to_thread(kitchen.start))
            while (await screen.event("light_changed", light="kitchen.led"))["state"]["at"] == began:
                pass  # of what was set before
            history = await screen.ask("get_history", light="kitchen.led")
            changed = await screen.ask("set_light", light="kitchen.led", level=level)
            assert (history["ok"], changed["ok"], changed["light"]["level"]) == (True, True, level)
            await starting
