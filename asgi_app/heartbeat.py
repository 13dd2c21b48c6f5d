"""The heartbeat of the event loop: how late it is, measured by a timer of two beats a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from asgi_app.tally import Histogram

BEAT = 0.5  # seconds


class Heartbeat:
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
        self.lag.note(max(loop.time() - self._due, 0.0))
        self._on_beat()
        self._due = loop.time() + BEAT
        self._timer = loop.call_at(self._due, self._beat)
