"""Counters: plain numbers, counted where something happens. `/metrics` reads them when somebody asks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

BOUNDS = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)  # seconds


@dataclass(slots=True, eq=False)
class Counters:
    """Counts of one wire since the start of the panel."""

    received: int = 0  # messages that clients sent
    sent: int = 0  # messages to clients, once for each recipient
    conflated: int = 0  # events that a newer one replaced before they were sent
    resyncs: int = 0  # overflows: one snapshot replaced all unsent events
    cut: int = 0  # connections that the panel closed: they read too slowly, or sent too much
    refused: int = 0  # commands and connections over a limit


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
    """Histogram of durations in seconds, with the bounds `BOUNDS`."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)  # one for each bound, and one for longer durations
        self.total = 0.0

    def note(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds
