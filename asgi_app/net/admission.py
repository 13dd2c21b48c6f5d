"""The servers' connections: counted, refused where there are too many, ended where no request comes; crowds queue.

A connection that has its place holds it until it is closed, also when it has become a WebSocket. One that is refused is
told so in HTTP, as the answer to its request, which may be an upgrade.
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
from functools import partial
from typing import Any

from asgi_app.errors import PanelError
from asgi_app.net.address import host_of
from asgi_app.net.limits import ConnectionQuota, RefusalLog, note_cut
from asgi_app.net.proxies import Proxies, address_of
from asgi_app.telemetry.counters import Counters

Leave = Callable[[Exception | None], None]  # told by what the connection was lost, if nobody closed it

log = logging.getLogger("pilotlight.connections")

BEGUN_A_TURN = 2  # first requests that the loop begins in one turn; each is about half a millisecond of work
# Answered also when all places are taken: a service manager or a load balancer would take the panel for dead.
ASKS_FOR_HEALTH = re.compile(rb"(?:GET|HEAD) /health/(?:live|ready)[ ?]")
LONGEST_START = 4096  # bytes that are read to see it
REFUSED_SECONDS = 1.0  # for the request of a connection that will be refused: what is unread would reset it
TOLD_AT_ONCE = 8  # connections over TLS that find no place and get as far as being told so


class AdmissionQueue:
    """Newcomers begin their first request a few in each turn of the loop, and addresses take turns.

    So a crowd keeps neither those waiting who are connected, nor the next one from another address. Clients behind one
    proxy are one address here.
    """

    def __init__(self) -> None:
        self._begun = 0  # in this turn
        self._turning = False
        self._waiting: dict[str, deque[Callable[[], None]]] = {}  # by address; the next one first

    def enter(self, address: str, go: Callable[[], None]) -> None:
        """Call `go` when it is its turn, which may be now."""
        if self._begun < BEGUN_A_TURN and not self._waiting:
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
        while self._waiting and self._begun < BEGUN_A_TURN:
            address = next(iter(self._waiting))
            queue = self._waiting.pop(address)
            go = queue.popleft()
            if queue:
                self._waiting[address] = queue  # behind the other addresses
            self._begun += 1
            go()


NO_CONTEXT = contextvars.Context()  # for timers: the one they are started in has the whole request in it
Peer = tuple[str, int]


def _end(peer: Any) -> Peer:
    """The client's end of a connection: its address and its port."""
    return peer[0], peer[1]


@dataclass(frozen=True)
class AdmissionControl:
    """Who gets in, and when it is their turn: the places, and how many seconds a request may take to come."""

    quota: ConnectionQuota
    proxies: Proxies
    seconds: float
    counters: Counters
    refusal_log: RefusalLog
    queue: AdmissionQueue = field(default_factory=AdmissionQueue)
    _arriving: dict[Peer, Leave] = field(default_factory=dict)  # in TLS's handshake
    _told: set[Peer] = field(default_factory=set)  # in it as well, without a place, to be told so

    def expect(self, peer: Any) -> bool:
        """Take a place for a connection that begins with TLS's handshake; False where it is not even told why not."""
        try:
            self._arriving[_end(peer)] = self._enter(peer)
        except PanelError as error:
            if len(self._told) >= TOLD_AT_ONCE:
                self._note(peer, error)
                return False
            self._told.add(_end(peer))
        return True

    def no_longer(self, peer: Any) -> None:
        """The handshake is over, and the place is given back if no connection has taken it."""
        self._told.discard(_end(peer))
        if (leave := self._arriving.pop(_end(peer), None)) is not None:
            leave(None)

    def admit(self, peer: Any) -> Leave:
        """A place for a connection from there; what gives it back. Raises as `ConnectionQuota.check`."""
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
        return partial(self._leave, address, many)

    def _note(self, peer: Any, error: PanelError) -> None:
        self.counters.refused += 1
        self.refusal_log.log("connection", address_of({"client": peer}), error)

    def admit_for_health(self, address: str, said: bytes) -> Leave | None:
        """A place for one question after health, where there is no other and this is what was `said`."""
        if ASKS_FOR_HEALTH.match(said) is None:
            return None
        try:
            self.quota.enter_for_health(address)
        except PanelError:
            return None
        return lambda lost: self.quota.leave_after_health(address)

    def _leave(self, address: str, many: bool, lost: Exception | None) -> None:
        """The connection is over; `lost` by what, if nobody closed it."""
        self.quota.leave(address, many=many)
        if isinstance(lost, OSError) and lost.errno == errno.ETIMEDOUT:  # by the kernel: `serve.listen`
            why = "it took nothing for more than twice the setting slow_reader"
            note_cut(log, self.counters, "a client", why, wire="connection", client=address, reason="timed_out")
