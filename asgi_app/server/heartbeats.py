"""`Heartbeats`: one timer for the pings of all WebSockets. A timer for each takes 400 bytes a connection."""

from __future__ import annotations

import asyncio
from typing import Protocol

from asgi_app.net.admission import NO_CONTEXT


class Beating(Protocol):
    """A connection that is looked after from time to time."""

    def due(self) -> None:
        """Its time has come. Raises nothing."""


class Heartbeats:
    """Connections that wait equally long, so the one that came first is due first."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop = loop
        self._seconds = seconds
        self._waiting: dict[Beating, float] = {}  # by the loop's clock, when each is due
        self._timer: asyncio.TimerHandle | None = None  # for the first of them; there is only one at a time

    def later(self, connection: Beating) -> None:
        """Call its `due` after these seconds, in the place of a call that it waits for."""
        self._waiting.pop(connection, None)  # it comes last, then
        self._waiting[connection] = self._loop.time() + self._seconds
        if self._timer is None:
            self._start(self._seconds)

    def forget(self, connection: Beating) -> None:
        """Do not call it. Does nothing if it does not wait."""
        self._waiting.pop(connection, None)

    def _start(self, seconds: float) -> None:
        self._timer = self._loop.call_later(seconds, self._beat, context=NO_CONTEXT)

    def _beat(self) -> None:
        now = self._loop.time()
        try:
            while self._waiting and (first := next(iter(self._waiting.items())))[1] <= now:
                connection = first[0]
                del self._waiting[connection]
                connection.due()
        finally:
            self._timer = None  # not before: who waits meanwhile must not start another one
            if self._waiting:
                self._start(max(0.0, next(iter(self._waiting.values())) - now))
