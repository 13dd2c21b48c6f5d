"""Admission of connections: they are counted, refused if there are too many, and queued if many come at once.

An admitted connection keeps its place until it is closed, also as a WebSocket. A refused one gets an HTTP response to
its request, which may be an upgrade.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import logging
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import Any

from asgi_app.errors import PanelError
from asgi_app.net.address import host_of
from asgi_app.net.limits import ConnectionQuota, RefusalLog, note_cut
from asgi_app.net.proxies import Proxies, address_of
from asgi_app.telemetry.counters import Counters

Leave = Callable[[Exception | None], None]  # gets the error that ended the connection, if nobody closed it

log = logging.getLogger("pilotlight.connections")

BEGUN_A_TURN = 2  # first requests that begin in one turn of the loop; each takes about half a millisecond
ENDED_A_TURN = 20  # WebSockets whose end is handled in one turn; each takes about 40 µs
HEALTH = "/health/"  # has no rate limit, and is answered until the process ends
# Health checks, answered even if all places are taken: else a service manager or load balancer restarts the panel.
ASKS_FOR_HEALTH = re.compile(rb"(?:GET|HEAD) /health/(?:live|ready)[ ?]")
LONGEST_START = 4096  # bytes of a request line that are read for that
ADDRESSES = 1000  # whose function to leave is kept
REFUSED_SECONDS = 1.0  # to wait for the request of a refused connection: closing with unread bytes resets it
REFUSED_AT_ONCE = 8  # TLS connections without a place that finish their handshake, for the refusal


class AdmissionQueue:
    """Queue of the first requests of new connections: it starts a few in each turn of the loop. Addresses take turns.

    So a crowd delays neither open connections nor a newcomer from another address. All clients behind a proxy count as
    one address. A second one of these has the ends of WebSockets, all under one address.
    """

    def __init__(self, a_turn: int = BEGUN_A_TURN) -> None:
        self._a_turn = a_turn
        self._begun = 0  # in this turn
        self._turning = False
        self._waiting: dict[str, deque[Callable[[], None]]] = {}  # by address; the next one first

    def enter(self, address: str, go: Callable[[], None]) -> None:
        """Call `go` when its turn comes, which may be now."""
        if self._begun < self._a_turn and not self._waiting:
            self._begun += 1
            self._turn_later()
            go()
        else:
            self._waiting.setdefault(host_of(address), deque()).append(go)

    def _turn_later(self) -> None:
        if not self._turning:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._turn, context=NO_CONTEXT)

    def _turn(self) -> None:
        self._turning = False
        self._begun = 0
        if self._waiting:
            self._turn_later()
        while self._waiting and self._begun < self._a_turn:
            address = next(iter(self._waiting))
            queue = self._waiting.pop(address)
            go = queue.popleft()
            if queue:
                self._waiting[address] = queue  # behind the other addresses
            self._begun += 1
            go()


NO_CONTEXT = contextvars.Context()  # for timers: the current context would keep the whole request alive
Peer = tuple[str, int]


def _end(peer: Any) -> Peer:
    """The client's address and port."""
    return peer[0], peer[1]


@dataclass(frozen=True)
class AdmissionControl:
    """Admission of connections: their quota, their queue, and how many `seconds` a request may take to arrive."""

    quota: ConnectionQuota
    proxies: Proxies
    seconds: float
    counters: Counters
    refusal_log: RefusalLog
    queue: AdmissionQueue = field(default_factory=AdmissionQueue)
    leaving: AdmissionQueue = field(default_factory=partial(AdmissionQueue, ENDED_A_TURN))
    _arriving: dict[Peer, Leave] = field(default_factory=dict)  # in their TLS handshake
    _refused: set[Peer] = field(default_factory=set)  # in their TLS handshake, without a place

    @cached_property
    def _leave_of(self) -> Callable[[str, bool], Leave]:
        """The function that gives a place of this address back: one for all its connections."""
        return lru_cache(ADDRESSES)(lambda address, many: partial(self._leave, address, many))

    def expect(self, peer: Any) -> bool:
        """Take a place before the TLS handshake. Return False to close the connection without a response."""
        try:
            self._arriving[_end(peer)] = self._enter(peer)
        except PanelError as error:
            if len(self._refused) >= REFUSED_AT_ONCE:
                self._note(peer, error)
                return False
            self._refused.add(_end(peer))
        return True

    def no_longer(self, peer: Any) -> None:
        """Give the place back after the handshake, unless a connection has taken it."""
        self._refused.discard(_end(peer))
        if (leave := self._arriving.pop(_end(peer), None)) is not None:
            leave(None)

    def admit(self, peer: Any) -> Leave:
        """Take a place, and return the function that gives it back. Raises as `ConnectionQuota.check`."""
        if peer and (leave := self._arriving.pop(_end(peer), None)) is not None:
            return leave
        try:
            return self._enter(peer)
        except PanelError as error:
            self._note(peer, error)
            raise

    def _enter(self, peer: Any) -> Leave:
        address = address_of({"client": peer})
        many = self.proxies.trusts(address)
        self.quota.enter(address, many=many)
        return self._leave_of(address, many)

    def _note(self, peer: Any, error: PanelError) -> None:
        self.counters.refused += 1
        self.refusal_log.log("connection", address_of({"client": peer}), error)

    def admit_for_health(self, address: str, said: bytes) -> Leave | None:
        """Take a place for a health check, if the bytes `said` ask for one."""
        if ASKS_FOR_HEALTH.match(said) is None:
            return None
        try:
            self.quota.enter_for_health(address)
        except PanelError:
            return None
        return lambda lost: self.quota.leave_after_health(address)

    def _leave(self, address: str, many: bool, lost: Exception | None) -> None:
        """Give the place back. `lost` is the error that ended the connection, if nobody closed it."""
        self.quota.leave(address, many=many)
        if isinstance(lost, OSError) and lost.errno == errno.ETIMEDOUT:  # by the kernel: `server/run.py`
            why = "it read nothing for more than twice the setting slow_reader"
            note_cut(log, self.counters, "a client", why, wire="connection", client=address, reason="timed_out")
