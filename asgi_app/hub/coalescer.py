"""Bursts: what is sent to many connections in quick succession becomes one write for each."""

from __future__ import annotations

import asyncio
import itertools
import operator
import time
from collections.abc import Callable
from typing import Any

from asgi_app.telemetry.counters import Histogram

Deliver = Callable[[list[Any]], None]  # takes items that go out together, in order

LONG_FANOUT = 0.0002  # seconds; after a shorter one, the next message does not wait
LEAST_PAUSE = 0.0005  # seconds


class Coalescer:
    """Joiner of messages that arrive while a long fan-out is still recent. A lone message goes out at once.

    After a long fan-out, messages wait for a quarter of its duration (at least 0.5 ms), then go out together.
    One coalescer serves all connections of a process, because it keeps the order of everything that passes it.
    """

    def __init__(self) -> None:
        self.pending: list[tuple[Deliver, Any]] = []
        self.joined = 0  # messages that waited for others
        self.fanouts = Histogram()
        self._free_at = 0.0

    def publish(self, deliver: Deliver, item: Any) -> None:
        """Call `deliver` with the item. If the item has to wait, adjacent items of `deliver` share one call."""
        if self.pending:
            self.pending.append((deliver, item))
            return
        now = time.perf_counter()
        if now < self._free_at:
            self.pending.append((deliver, item))
            asyncio.get_running_loop().call_later(self._free_at - now, self.flush)
            return
        deliver([item])
        self._took(time.perf_counter() - now)

    def defer(self, call: Callable[..., object], *arguments: object) -> None:
        """Call this after everything that is `pending`, to keep the order. If nothing is pending, call it directly."""
        self.pending.append((_call_each, (call, arguments)))

    def flush(self) -> None:
        """Send everything that waits."""
        if not self.pending:
            return
        began = time.perf_counter()
        pending, self.pending = self.pending, []
        self.joined += len(pending)
        for deliver, run in itertools.groupby(pending, operator.itemgetter(0)):
            deliver([item for _, item in run])
        self._took(time.perf_counter() - began)

    def _took(self, seconds: float) -> None:
        self.fanouts.note(seconds)
        if seconds > LONG_FANOUT:
            self._free_at = time.perf_counter() + max(LEAST_PAUSE, seconds / 4)


def _call_each(calls: list[tuple[Callable[..., object], tuple[object, ...]]]) -> None:
    for call, arguments in calls:
        call(*arguments)
