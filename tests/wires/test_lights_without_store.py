"""Lights do not wait for the store: whatever the disk does, a level is answered when the pin has it.

The other process that holds SQLite's lock is a real one: a second connection in this process is a process of its own
for SQLite, since the panel is another one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.support.database_file import NAME, locked, stored_level
from tests.support.panel_process import RunningPanel, eventually
from tests.support.steady_clock import steady

StartPanel = Callable[..., RunningPanel]

AT_PIN_SPEED = 1.5  # seconds for one answer on a busy machine; the store waits for a lock for 2
LOCKS = {"the writers'": "BEGIN IMMEDIATE", "everybody's": "BEGIN EXCLUSIVE"}


def file_of(panel: RunningPanel) -> Path:
    return panel.data / NAME


def ready(panel: RunningPanel) -> httpx.Response:
    return panel.get("/health/ready")


async def seconds_of(ask: Callable[[int], httpx.Response], level: int) -> float:
    """How long the light takes for a level."""
    began = steady()
    assert (await asyncio.to_thread(ask, level)).status_code == 200
    return steady() - began


@pytest.mark.parametrize("statement", LOCKS.values(), ids=LOCKS)
async def test_a_drag_reaches_the_light_while_another_process_holds_the_lock(
    start_panel: StartPanel, statement: str
) -> None:
    panel = await asyncio.to_thread(start_panel)
    async with connect(panel.socket_url("/live")) as screen, connect(panel.socket_url("/live")) as hand:
        await screen.recv(), await hand.recv()
        with locked(file_of(panel), statement):
            began = steady()
            for level in range(40):
                await hand.send(json.dumps({"do": "set_light", "id": level, "light": "led", "level": level}))
            answers = []
            while len(answers) < 40:
                frame = json.loads(await asyncio.wait_for(hand.recv(), 30))
                if "reply" in frame:
                    answers.append(frame)
            assert steady() - began < 40 * AT_PIN_SPEED
            assert all(answer["ok"] for answer in answers)
            assert panel.level() == 39
            # every screen has the newest one too
            while True:
                frame = json.loads(await asyncio.wait_for(screen.recv(), 30))
                levels = [one["state"]["level"] for one in frame["events"] if one["event"] == "light_changed"]
                if 39 in levels:
                    break
            # and on every other wire it is as quick
            for level, ask in enumerate(
                (
                    lambda level: panel.post("/led", json={"level": level}),
                    lambda level: panel.post("/led", data={"level": str(level)}),
                    lambda level: panel.patch("/lights/led", {"level": level}),
                ),
                50,
            ):
                assert await seconds_of(ask, level) < AT_PIN_SPEED
        # once the lock is gone, the newest is in the file without anybody's doing
        await asyncio.to_thread(eventually, lambda: stored_level(file_of(panel)) == 52)
