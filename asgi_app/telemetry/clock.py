"""The clock of the panel: the time of day, without the steps of the wall clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

STEP = 1.0  # seconds between panel and wall clock that count as a step; NTP corrects less than that smoothly
SYNCED = Path("/run/systemd/timesync/synchronized")
RTC = Path("/sys/class/rtc/rtc0/since_epoch")  # seconds
PATIENCE = 600.0  # seconds after the start of the machine in which its clock may still be set
EARLIEST = 1_790_000_000.0  # September 2026: a clock that is before it was never set


def clock_is_set(wall: Callable[[], float] = time.time) -> bool:
    """Return whether the wall clock can be believed.

    A Pi has no clock that runs without power, and starts at the time when it was stopped, until timesyncd has asked the
    network. Without a network it never does; then the clock counts after `PATIENCE`.
    """
    if wall() < EARLIEST:
        return False
    is_waiting = SYNCED.parent.is_dir() and not SYNCED.exists() and not _has_battery()
    return not is_waiting or time.clock_gettime(time.CLOCK_BOOTTIME) > PATIENCE


def _has_battery() -> bool:
    """Return whether there is a clock that runs without power. That of a Pi 5 without a battery begins in 1970."""
    try:
        return float(RTC.read_text()) >= EARLIEST
    except (OSError, ValueError):
        return False


class PanelClock:
    """The time of day in seconds since the Unix epoch. It steps only when `look` is called.

    A Raspberry Pi without power loses the time, so its wall clock starts in the past. Once there is a network, it steps
    by hours or years. Two readings of this clock still give the duration between them.
    """

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._steady = steady
        self._offset = wall() - steady()

    def now(self) -> float:
        """Return the time."""
        return self._steady() + self._offset

    def look(self) -> float:
        """Take over the wall clock's time. Return by how many seconds it has stepped since the last call."""
        ahead = self._wall() - self.now()
        self._offset += ahead
        return ahead if abs(ahead) >= STEP else 0.0
