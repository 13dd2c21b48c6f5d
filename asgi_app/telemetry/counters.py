"""Counters: plain numbers, counted where something happens. `/metrics` reads them when somebody asks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

SECONDS = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Counters:
    """Counts of one wire since the start of the panel."""

    __slots__ = ("conflated", "cut", "received", "refused", "resyncs", "sent")

    def __init__(self) -> None:
        self.received = 0  # messages that clients sent
        self.sent = 0  # messages to clients, once for each recipient
        self.conflated = 0  # events that a newer one replaced before they were sent
        self.resyncs = 0  # overflows: one snapshot replaced all unsent events
        self.cut = 0  # connections that the panel closed: they read too slowly, or sent too much
        self.refused = 0  # commands and connections over a limit


class CounterRegistry:
    """The counters of each wire, made when somebody asks for them."""

    def __init__(self) -> None:
        self._of: dict[str, Counters] = {}

    def of(self, wire: str) -> Counters:
        """Return the counters of this wire: always the same object."""
        return self._of.setdefault(wire, Counters())

    def __iter__(self) -> Iterator[tuple[str, Counters]]:
        return iter(sorted(self._of.items()))


class Histogram:
    """Histogram of durations in seconds."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)  # one for each bound, and one for longer durations
        self.total = 0.0

    def note(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds
