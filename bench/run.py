"""A run: its options, its clock, and the rounds of a comparison, one server after the other, again and again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from bench.servers import OURS, Server, running

ROUND_SECONDS = 120  # a round that takes longer has lost something
Figures = dict[str, float]  # of one round: "cpu_us", "p99_ms", …
Measure = Callable[[int], Awaitable[Figures]]  # of a round; number 0 is the warm-up


@dataclass
class Run:
    """What was asked for, and what was found."""

    quick: bool
    rounds: int
    peers: set[str] | None
    server_core: int | None
    missing: dict[str, str]
    say: Callable[[str], None]
    deadline: float
    results: dict[str, dict[str, list[Figures]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Say it now, and in the report."""
        self.say(f"  note: {text}")
        self.notes.append(text)

    def late(self) -> bool:
        """Whether the time of the whole run is over."""
        return time.monotonic() > self.deadline

    def wanted(self, names: Iterable[str]) -> list[str]:
        """Those kinds of servers that can be had, and were not left out."""
        asked = [name for name in names if name in OURS or self.peers is None or name in self.peers]
        for name in asked:
            if name in self.missing and not any(name in note for note in self.notes):
                self.note(f"{name} is left out: {self.missing[name]}")
        return [name for name in asked if name not in self.missing]

    @contextlib.asynccontextmanager
    async def servers(self, names: Iterable[str]) -> AsyncIterator[dict[str, Server]]:
        """These servers, started, on the servers' core."""
        async with running(self.wanted(names), self.server_core) as servers:
            yield servers

    async def alternate(self, scenario: str, series: dict[str, Measure], rounds: int | None = None) -> None:
        """A warm-up and the rounds, A B C A B C …; a series that fails is left out from there on, with a note."""
        found = self.results.setdefault(scenario, {})
        alive = dict(series)
        for number in range((rounds or self.rounds) + 1):
            if number > 1 and self.late():
                self.note(f"{scenario}: {number - 1} rounds, for the time of the run was over")
                break
            for label, measure in list(alive.items()):
                try:
                    figures = await measure(number)
                except Exception as error:
                    self.note(f"{scenario}, {label}: failed in round {number}: {type(error).__name__}: {error}")
                    del alive[label]
                    found.pop(label, None)
                    continue
                if number:
                    found.setdefault(label, []).append(figures)
        for label in found:
            self.say(f"  {label:<34} {summary(found[label])}")


def summary(rounds: list[Figures]) -> str:
    """The medians of a series, for the terminal."""
    return "  ".join(f"{name} {median([figures[name] for figures in rounds]):.4g}" for name in rounds[0])


def median(values: list[float]) -> float:
    """The middle one, or the mean of the two in the middle."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def plain(results: dict[str, Any]) -> dict[str, Any]:
    """The figures with as many digits as they are worth."""
    return {
        scenario: {
            label: [{name: float(f"{value:.5g}") for name, value in figures.items()} for figures in rounds]
            for label, rounds in series.items()
        }
        for scenario, series in results.items()
    }
