"""Time limits of Engine.IO connections: pings, their answers, and how long one may stay outside every namespace."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING

from asgi_app.ws.engineio.packets import PING_PACKET

if TYPE_CHECKING:
    from asgi_app.ws.engineio.connection import EngineSocket

TICK_SECONDS = 0.05  # between two beats, at least: connections whose time comes together share one
TICKS = 200  # in a ping's time to be answered, at least: short times are kept more exactly
LATE_SECONDS = 0.1  # that a beat may be late before it gives what has come meanwhile a chance to be read


class Heart:
    """One timer for all connections, where stock python-engineio has a task for each ping and one that goes through all
    connections all the time.

    `interval` is between a ping's answer and the next ping, `timeout` is a ping's time to be answered, and
    `connect_timeout` is the time for a client to join a namespace: all in seconds.
    """

    def __init__(self, interval: float, timeout: float, connect_timeout: float = 45.0) -> None:
        self._interval = interval
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._tick = min(TICK_SECONDS, timeout / TICKS)
        self._due: deque[tuple[float, EngineSocket]] = deque()
        self._expected: deque[tuple[float, EngineSocket, float]] = deque()
        self._outside: deque[tuple[float, EngineSocket, object]] = deque()
        self._next = math.inf
        self._waited = False

    def ping_later(self, connection: EngineSocket) -> None:
        """Ping it after the interval."""
        self._due.append((time.monotonic() + self._interval, connection))

    def expect_to_join(self, connection: EngineSocket) -> None:
        """It is in no namespace: it has to join one in time."""
        connection.outside = object()
        self._outside.append((time.monotonic() + self._connect_timeout, connection, connection.outside))

    def beat(self) -> list[EngineSocket]:
        """Ping those whose time has come; those who have not answered, or not joined anything, in time."""
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            due, connection = self._due.popleft()
            if not connection.closing:
                connection.pinged = due
                connection.queue.put_nowait(PING_PACKET)
                self._expected.append((max(due, now - self._tick) + self._timeout, connection, due))
        if self._must_wait(now):
            return []
        ended = []
        while self._expected and self._expected[0][0] <= now:
            _, connection, pinged = self._expected.popleft()
            if connection.pinged == pinged and not connection.closing:
                connection.is_silent = True
                ended.append(connection)
        while self._outside and self._outside[0][0] <= now:
            _, connection, outside = self._outside.popleft()
            if connection.outside is outside and not connection.closing:
                ended.append(connection)
        return ended

    def is_overdue(self, connection: EngineSocket) -> bool:
        """Whether it has not answered a ping in time, also where the next beat would only find that."""
        now = time.monotonic()
        in_time = connection.pinged is None or now < connection.pinged + self._timeout
        return not in_time and now - self._next <= LATE_SECONDS

    def rest(self) -> float:
        """Seconds until the next beat. Whatever is begun meanwhile has its time after that."""
        now = time.monotonic()
        firsts = [queue[0][0] for queue in (self._due, self._expected, self._outside) if queue]
        longest = min(self._interval, self._timeout, self._connect_timeout)
        self._next = max(min([*firsts, now + longest]), now + self._tick)
        return self._next - now

    def _must_wait(self, now: float) -> bool:
        """Whether this beat comes so late that answers may have come which nobody has read yet. Never twice in turn."""
        self._waited = not self._waited and now - self._next > LATE_SECONDS
        return self._waited
