"""SIGTERM with 300 clients and 50 open long-polls: the lights reach their exit level at once, and the panel ends."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from campaigns.clients import Way
from campaigns.load import Load
from campaigns.site import EXIT_LEVEL, LIGHTS, pins_at
from tests.support.panel_process import RunningPanel
from tests.support.pigpiod_standin import StandIn

CLIENTS = 300
POLLS = 50
EXIT_WITHIN = 0.1  # seconds until the pin shows it
END_WITHIN = 2.0
SERVERS = ("uvicorn", "hypercorn")


async def endings(rounds: int) -> dict[str, Any]:
    """On both servers; the times of each round, in seconds."""
    return {server: [await ending(server) for _ in range(rounds)] for server in SERVERS}


async def ending(server: str) -> dict[str, float]:
    """One end: how long the pin and the process took."""
    with tempfile.TemporaryDirectory(prefix="pilotlight-end-") as directory, StandIn() as pins:
        panel = RunningPanel(
            Path(directory, "data"), lights=LIGHTS, server=server, log_level="warning", chat_rate=1e6, **pins_at(pins)
        )
        await asyncio.to_thread(panel.start)
        try:
            way = Way("127.0.0.1", panel.port)
            async with Load(way, CLIENTS) as load, way.session() as session:
                end = time.monotonic() + 30
                while load.missing():
                    if time.monotonic() > end:
                        raise RuntimeError(f"{len(load.missing())} clients did not connect")
                    await asyncio.sleep(0.05)
                panel.post("/led", json={"level": 50})
                polls = [asyncio.create_task(_poll(session, way)) for _ in range(POLLS)]
                await asyncio.sleep(0.5)  # they have had what there was, and wait
                watching = asyncio.create_task(asyncio.to_thread(_until_shown, pins))
                await asyncio.sleep(0.05)
                began = time.monotonic()
                await asyncio.to_thread(panel.stop)
                took = time.monotonic() - began
                shown = await watching
                for poll in polls:
                    poll.cancel()
                await asyncio.gather(*polls, return_exceptions=True)
                status = panel.returncode
        finally:
            panel.kill()
    return {"exit_level": shown - began, "end": took, "status": float(-1 if status is None else status)}


def is_good(found: dict[str, float]) -> bool:
    """Whether it was as it should be."""
    return found["exit_level"] <= EXIT_WITHIN and found["end"] <= END_WITHIN and found["status"] == 0


def _until_shown(pins: StandIn) -> float:
    """When the pin shows the exit level."""
    end = time.monotonic() + 10
    while pins.duty(21) != EXIT_LEVEL / 100 and time.monotonic() < end:
        time.sleep(0.002)
    return time.monotonic()


async def _poll(session: Any, way: Way) -> None:
    """An old page whose long-poll has nothing to get; it does not come back."""
    base = way.url("/socket.io/?EIO=4&transport=polling")
    async with session.get(base) as response:
        sid = json.loads((await response.text())[1:])["sid"]
    async with session.post(f"{base}&sid={sid}", data="40"):
        pass
    while True:
        async with session.get(f"{base}&sid={sid}") as response:
            if response.status != 200:
                return
            await response.read()
