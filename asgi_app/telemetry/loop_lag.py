"""The lag of the event loop: how late a timer fires that is due twice a second."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from asgi_app.telemetry.counters import Histogram

log = logging.getLogger("pilotlight")

PERIOD = 0.5  # seconds


class LoopLagMonitor:
    """Monitor of how long everything on the loop must wait. `on_tick` is called each time the timer fires."""

    def __init__(self, on_tick: Callable[[], None] = lambda: None) -> None:
        self.lag = Histogram()
        self._on_tick = on_tick
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Measure from now on."""
        self._due = asyncio.get_running_loop().time() + PERIOD
        self._timer = asyncio.get_running_loop().call_at(self._due, self._tick)

    def stop(self) -> None:
        """Stop measuring. Stopping twice is no error."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        late = max(loop.time() - self._due, 0.0)
        self._due = loop.time() + PERIOD
        self._timer = loop.call_at(self._due, self._tick)  # first: a fault below must not end the measuring
        self.lag.note(late)
        try:
            self._on_tick()
        except Exception:
            log.exception("The periodic checks failed; they run again in %g s", PERIOD)
