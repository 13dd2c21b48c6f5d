"""The clock of the panel: the time of day, without the steps of the wall clock."""

from __future__ import annotations

import time
from collections.abc import Callable

STEP = 1.0  # seconds between panel and wall clock that count as a step; NTP corrects less than that smoothly


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
