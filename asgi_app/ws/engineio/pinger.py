"""Time limits of Engine.IO connections: pings, their answers, and joining a namespace."""

from __future__ import annotations

import heapq
import itertools
import math
import time
from collections import deque
from typing import TYPE_CHECKING

from asgi_app.ws.engineio.packets import PING_PACKET

if TYPE_CHECKING:
    from asgi_app.ws.engineio.connection import EngineConnection
    from asgi_app.ws.engineio.old_connection import OldEngineConnection

TICK_SECONDS = 0.05  # between two beats, at least: connections that are due together share one
TICKS = 200  # in the timeout of a ping, at least: short timeouts are kept more exactly
LATE_SECONDS = 0.1  # by which a beat may be late; a later one first lets the answers that came meanwhile be read


class Pinger:
    """One timer for all connections. Stock python-engineio has a task for each ping, and one that visits all in turn.

    All times are in seconds: `interval` from an answer to the next ping, `timeout` from a ping to its answer, and
    `connect_timeout` for a client to join a namespace, at first and after it has left its last one. A client that sends
    the pings itself has `interval` and `timeout` from one packet to the next.
    """

    def __init__(self, interval: float, timeout: float, connect_timeout: float) -> None:
        self._interval = interval
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._tick = min(TICK_SECONDS, timeout / TICKS)
        self._due: deque[tuple[float, EngineConnection]] = deque()
        self._expected: deque[tuple[float, EngineConnection, float]] = deque()
        self._outside: deque[tuple[float, EngineConnection, object]] = deque()
        self._heard: list[tuple[float, int, OldEngineConnection]] = []  # a heap: a packet moves only its own limit
        self._order = itertools.count()
        self._next = math.inf
        self._waited = False

    def ping_later(self, connection: EngineConnection) -> None:
        """Ping the connection after the interval."""
        self._due.append((time.monotonic() + self._interval, connection))

    def expect_to_join(self, connection: EngineConnection) -> None:
        """Start the time limit of a connection that is in no namespace."""
        connection.outside = object()
        self._outside.append((time.monotonic() + self._connect_timeout, connection, connection.outside))

    def expect_packets(self, connection: OldEngineConnection) -> None:
        """Start the time limit of a client that sends the pings."""
        limit = connection.heard + self._interval + self._timeout
        heapq.heappush(self._heard, (limit, next(self._order), connection))

    def beat(self) -> list[EngineConnection]:
        """Ping the connections that are due. Return those that did not answer, or join a namespace, in time."""
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            due, connection = self._due.popleft()
            if not connection.closing:
                connection.pinged = due
                connection.queue.put_nowait(PING_PACKET)
                self._expected.append((max(due, now - self._tick) + self._timeout, connection, due))
        self._waited = not self._waited and now - self._next > LATE_SECONDS
        if self._waited:  # so late that answers may wait unread; never twice in a row
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
        while self._heard and self._heard[0][0] <= now:
            _, _, old = heapq.heappop(self._heard)
            if old.heard + self._interval + self._timeout > now:
                self.expect_packets(old)
            elif not old.closing:
                old.is_silent = True
                ended.append(old)
        return ended

    def is_overdue(self, connection: EngineConnection) -> bool:
        """Return whether the connection has not answered a ping in time, even if no beat has noticed yet."""
        now = time.monotonic()
        in_time = connection.pinged is None or now < connection.pinged + self._timeout
        return not in_time and now - self._next <= LATE_SECONDS

    def rest(self) -> float:
        """Return the seconds until the next beat. Every limit that starts meanwhile ends after that beat."""
        now = time.monotonic()
        firsts = [queue[0][0] for queue in (self._due, self._expected, self._outside, self._heard) if queue]
        longest = min(self._interval, self._timeout, self._connect_timeout)
        self._next = max(min([*firsts, now + longest]), now + self._tick)
        return self._next - now
