"""The heartbeat of the event loop: how late it is, whether what the panel needs is still at work, what time it is.

A timer of two beats a second. A task or a thread that ends by a fault says nothing to those who wait for it: so it is
looked at with each beat.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from asgi_app.telemetry.counters import Histogram

log = logging.getLogger("pilotlight")

BEAT = 0.5  # seconds
STEP = 1.0  # seconds by which the wall clock is off before it is a step; less is how NTP steers a clock


class PanelClock:
    """The time of day, in seconds since the Unix epoch, which steps only when `look` says so.

    A Raspberry Pi has no clock that runs on without power: its wall clock starts in the past and steps, by hours or
    years, once there is a network. What lies between two readings of this one is a duration all the same.
    """

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._steady = steady
        self._offset = wall() - steady()

    def now(self) -> float:
        """The time."""
        return self._steady() + self._offset

    def look(self) -> float:
        """Take over the wall clock's time; by how many seconds it has stepped since the last look."""
        ahead = self._wall() - self.now()
        self._offset += ahead
        return ahead if abs(ahead) >= STEP else 0.0


def ended(tasks: Iterable[asyncio.Task[Any] | None]) -> str | None:
    """Which of these tasks, that are to go on as long as the panel does, has ended, and why."""
    for task in tasks:
        if task is not None and task.done():
            fault = None if task.cancelled() else task.exception()
            why = "was cancelled" if task.cancelled() else f"has ended ({type(fault).__name__}: {fault})"
            return f"the task {task.get_name()!r} {why}"
    return None


class LoopLagMonitor:
    """Notes how late the loop gets to a timer: so long does everybody wait. `on_beat` is told each beat."""

    def __init__(self, on_beat: Callable[[], None] = lambda: None) -> None:
        self.lag = Histogram()
        self._on_beat = on_beat
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Beat from now on."""
        self._due = asyncio.get_running_loop().time() + BEAT
        self._timer = asyncio.get_running_loop().call_at(self._due, self._beat)

    def stop(self) -> None:
        """Beat no more; stopping twice is no error."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        late = max(loop.time() - self._due, 0.0)
        self._due = loop.time() + BEAT
        self._timer = loop.call_at(self._due, self._beat)  # first: a fault of what follows does not end the beat
        self.lag.note(late)
        try:
            self._on_beat()
        except Exception:
            log.exception("what goes with the heartbeat failed")
