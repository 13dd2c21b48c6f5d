"""200,000 log lines at full speed, and three viewers, one slow, one that comes and goes: no silent gap, flat memory."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.live_client import LiveClient, live
from tests.support.panel_process import RunningPanel

pytestmark = pytest.mark.for_real

LINES = 200_000
BATCH = 500
UNANSWERED = 8  # batches on their way
MIB = 1024 * 1024
GROWTH = 40 * MIB
SLOW = 0.05  # seconds between two frames that the slow viewer reads

Start = Callable[..., RunningPanel]


def text_of(number: int) -> str:
    return f"line {number}: some words of a build that says a good deal about each file"


class Viewer:
    """Sees the log of one run to its end: which offsets were shown, and which were told to be missing."""

    def __init__(self, panel: RunningPanel, name: str, *, pause: float = 0.0, leaves_at: tuple[int, ...] = ()) -> None:
        self.name = name
        self.shown = 0
        self.fetched = 0
        self.gaps: list[tuple[int, int]] = []
        self.next = 0
        self.last = ""
        self.ended: dict[str, Any] | None = None
        self.visits = 0
        self.ready = asyncio.Event()
        self._panel = panel
        self._pause = pause
        self._leaves_at = list(leaves_at)

    async def see(self) -> None:
        """Watch until the end, coming back after each time one left."""
        while self.ended is None:
            self.visits += 1
            async with live(self._panel, agent=self.name, unread=16 if self._pause else None) as client:
                await self._visit(client)
                if self.ended is not None:
                    await self._fill(client)

    async def _visit(self, client: LiveClient) -> None:
        since = {"from": self.next} if self.visits > 1 else {}
        reply = await client.ask("watch_run", run="long", **since)
        log = reply["log"]
        if log["from"] > self.next:  # away for too long: asked for, page by page
            await self._fetch(client, self.next, log["from"])
        self._take(log["from"], log["lines"])
        for frame in client.frames:
            self._hear(frame)
        self.ready.set()
        if reply["run"]["state"] == "ended":  # while it was away
            self.ended = {"lines": reply["run"]["lines"]}
        while self.ended is None:
            if self._leaves_at and self.next >= self._leaves_at[0]:
                self._leaves_at.pop(0)
                client.socket.transport.abort()  # without a goodbye
                return
            if self._pause:
                await asyncio.sleep(self._pause)
            self._hear(await client.next())
            client.frames.clear()

    def _hear(self, frame: dict[str, Any]) -> None:
        for event in frame.get("events", []):
            if event.get("run") != "long":
                continue
            match event["event"]:
                case "run_log":
                    self._take(event["from"], event["lines"])
                case "gap":
                    assert event["from"] == self.next, "a gap says where it begins"
                    self.gaps.append((event["from"], event["upto"]))
                    self.next = event["upto"]
                case "run_ended":
                    self.ended = event

    def _take(self, since: int, lines: list[dict[str, Any]]) -> None:
        assert since == self.next, f"{self.name}: {self.next} to {since} are missing, and nobody said so"
        for number, line in enumerate(lines, since):
            assert line["msg"] == text_of(number)
        self.shown += len(lines)
        self.next += len(lines)
        if lines:
            self.last = lines[-1]["msg"]

    async def _fetch(self, client: LiveClient, since: int, upto: int) -> None:
        while since < upto:
            log = (await client.ask("get_log", run="long", **{"from": since}, limit=min(1000, upto - since)))["log"]
            assert log["from"] == since
            assert log["lines"][0]["msg"] == text_of(since)
            assert log["lines"][-1]["msg"] == text_of(log["next"] - 1)
            self.fetched += len(log["lines"])
            since = log["next"]
        self.next = since

    async def _fill(self, client: LiveClient) -> None:
        """Ask for what was told to be missing: the first and the last page of each gap stand for all of it."""
        there = self.next
        for since, upto in self.gaps:
            await self._fetch(client, since, min(upto, since + 1000))
            await self._fetch(client, max(since, upto - 1000), upto)
        self.next = there


async def publish(panel: RunningPanel, ready: list[asyncio.Event]) -> float:
    """The run, as fast as the panel takes it; how many seconds that took."""
    async with live(panel, agent="producer") as client:
        await client.ask("start_run", run="long", name="Long")
        ready[0].set()
        for event in ready[1:]:
            await event.wait()
        began = time.monotonic()
        window = asyncio.Semaphore(UNANSWERED)

        async def answers() -> None:
            for number in range(LINES // BATCH):
                reply = await client.reply(number)
                assert reply["ok"], reply
                assert reply["next"] == (number + 1) * BATCH
                client.frames.clear()
                window.release()

        answering = asyncio.create_task(answers())
        for number in range(LINES // BATCH):
            await window.acquire()
            lines = [text_of(offset) for offset in range(number * BATCH, (number + 1) * BATCH)]
            await client.send({"do": "log_run", "id": number, "run": "long", "from": number * BATCH, "lines": lines})
        await answering
        await client.ask("end_run", run="long", exit_code=0)
        return time.monotonic() - began


async def memory(panel: RunningPanel, most: list[int]) -> None:
    """Keep the most memory that the panel had (RSS, bytes)."""
    while True:
        most.append(max(most[-1], panel.process.memory_info().rss))
        await asyncio.sleep(0.05)


async def test_a_run_of_200_000_lines(start_panel: Start) -> None:
    # given a fast viewer, one that reads little by little, and one that is lost twice in the middle
    panel = start_panel()
    begun = asyncio.Event()
    fast = Viewer(panel, "fast")
    slow = Viewer(panel, "slow", pause=SLOW)
    returning = Viewer(panel, "returning", leaves_at=(20_000, 110_000))
    viewers = (fast, slow, returning)
    publishing = asyncio.create_task(publish(panel, [begun, *(viewer.ready for viewer in viewers)]))
    await begun.wait()
    seeing = [asyncio.create_task(viewer.see()) for viewer in viewers]
    for viewer in viewers:
        await viewer.ready.wait()
    before = panel.process.memory_info().rss
    most = [before]
    measuring = asyncio.create_task(memory(panel, most))

    # when 200,000 lines are logged at full speed
    seconds = await publishing
    await asyncio.gather(*seeing)
    measuring.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await measuring

    # then each ends with the true last line, and every line was shown, was told as a gap, or was asked for
    run = panel.get("/runs/long").json()
    assert (run["state"], run["lines"], run["outcome"]) == ("ended", LINES, "done")
    for viewer in viewers:
        assert viewer.next == LINES, viewer.name
        assert viewer.last == text_of(LINES - 1), viewer.name
        assert viewer.ended is not None
        assert viewer.ended["lines"] == LINES
    assert returning.visits == 3
    assert slow.gaps, "the slow viewer kept up: it was no test"
    told = sum(upto - since for since, upto in slow.gaps)
    assert slow.shown + told == LINES
    assert panel.get(f"/runs/long/log?from={LINES - 1}").json()["lines"][0]["msg"] == text_of(LINES - 1)

    # and the panel's memory did not follow
    print(
        f"\n{LINES / seconds:,.0f} lines/s; RSS {before / MIB:.1f} MiB before, {most[-1] / MIB:.1f} at most; "
        f"gaps: fast {len(fast.gaps)}, slow {len(slow.gaps)} ({told} lines), returning {len(returning.gaps)}"
    )
    assert most[-1] - before < GROWTH
    assert "Traceback" not in panel.log()
