"""The engine's time of day, as a process knows it between two answers of the engine."""

from __future__ import annotations

import time
from collections import deque
from typing import NamedTuple

DRIFT = 0.01  # seconds by which two clocks go apart between two samples, at most
SAMPLES = 8  # of which the one with the shortest round trip counts


class _Sample(NamedTuple):
    trip: float
    offset: float  # at most this is to be added to our clock, and at least `trip` less

    def contradicts(self, other: _Sample) -> bool:
        """Return whether the engine's clock was not the same in both."""
        apart = max(self.offset - self.trip - other.offset, other.offset - other.trip - self.offset)
        return apart > DRIFT


def boot_time() -> float:
    """Return the seconds since the machine was started, its sleep included: what has waited meanwhile is late."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class EngineClock:
    """Estimates of the engine's time, in seconds since the Unix epoch."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew: another engine, or the same after a restart."""
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES)

    def note(self, asked_at: float, answer: tuple[int, int]) -> None:
        """Note the time (seconds, microseconds) that the engine gave to a question asked at this `boot_time`."""
        at = answer[0] + answer[1] / 1_000_000
        new = _Sample(boot_time() - asked_at, at - asked_at)
        if any(new.contradicts(old) for old in self._samples):  # its clock was set
            self._samples.clear()
        self._samples.append(new)

    def earliest(self) -> float:
        """Return a time that the engine has reached for certain."""
        best = min(self._samples)
        return boot_time() + best.offset - best.trip

    def latest(self) -> float:
        """Return a time that the engine has not passed yet."""
        return boot_time() + min(self._samples).offset
