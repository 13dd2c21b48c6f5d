"""How much one may ask, and how many there may be: token buckets, and places for connections.

Everything from this machine has one address, so limits an address do not hold for loopback; those a connection do.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time

from asgi_app.errors import Full, PanelError, TooFast, TooManyConnections
from asgi_app.journal import event
from asgi_app.tally import Tally

log = logging.getLogger("pilotlight.limits")

BURST = 2.0  # seconds' worth of commands that may come at once
PATIENCE = 10.0  # times that burst, of refused commands, before a connection is ended
ADDRESSES = 10_000  # that are remembered; each costs some 200 bytes
QUIET = 60.0  # seconds between two lines of the log about one address and one limit


class Bucket:
    """A token bucket: `rate` a second, and `most` at once."""

    __slots__ = ("_at", "_left", "_most", "_rate")

    def __init__(self, rate: float, most: float) -> None:
        self._rate = rate
        self._most = max(most, 1.0)
        self._left = self._most
        self._at = time.monotonic()

    def take(self) -> bool:
        """One token, where there is one."""
        self._fill()
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def owe(self, count: int) -> None:
        """So many tokens, also where there are not as many: then `wait` says when there will be."""
        self._fill()
        self._left -= count

    def wait(self) -> float:
        """Seconds until nothing is owed."""
        self._fill()
        return max(-self._left / self._rate, 0.0)

    @property
    def full(self) -> bool:
        """Whether nobody has taken any for a while."""
        self._fill()
        return self._left >= self._most

    def _fill(self) -> None:
        now = time.monotonic()
        self._left = min(self._left + (now - self._at) * self._rate, self._most)
        self._at = now


class Allowance:
    """The commands of one connection: refused over `rate` a second, and ended far over that."""

    __slots__ = ("_bucket", "_patience", "_rate")

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._bucket = Bucket(rate, rate * BURST)
        self._patience = Bucket(rate, rate * BURST * PATIENCE)

    def spend(self) -> None:
        """One command. Raises `TooFast`."""
        if not self._bucket.take():
            self._patience.owe(1)
            raise TooFast(f"that is more than {self._rate:g} commands a second (setting command_rate); wait a moment")

    @property
    def used_up(self) -> bool:
        """Whether so many were refused that the connection is to be ended."""
        return self._patience.wait() > 0

    async def spend_slowly(self) -> None:
        """As `spend`, but waits where there are too many: for clients that cannot try again."""
        while not self._bucket.take():
            await asyncio.sleep(1 / self._rate)


class Addresses:
    """A bucket for each address: what all connections of one client may ask together."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._buckets: dict[str, Bucket] = {}

    def spend(self, address: str) -> None:
        """One command from this address. Raises `TooFast`."""
        if is_loopback(address):
            return
        if (bucket := self._buckets.get(address)) is None:
            if len(self._buckets) >= ADDRESSES:
                self._forget()
            bucket = self._buckets[address] = Bucket(self._rate, self._rate * BURST)
        if not bucket.take():
            raise TooFast(f"{address} sent more than {self._rate:g} commands a second (setting rest_rate); wait")

    def _forget(self) -> None:
        busy = {address: bucket for address, bucket in self._buckets.items() if not bucket.full}
        self._buckets = busy if len(busy) < ADDRESSES else {}


class Places:
    """How many connections there are, in all and from each address."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self.taken = 0
        self._most = most
        self._most_of_one = most_of_one
        self._of: dict[str, int] = {}

    def check(self, address: str, *, many: bool = False) -> None:
        """Whether there is a place; `many` come from this address (a proxy). Raises `Full`, `TooManyConnections`."""
        if self.taken >= self._most:
            raise Full(f"there are {self._most} connections (setting max_connections); come back in a moment")
        if not many and self._of.get(address, 0) >= self._most_of_one and not is_loopback(address):
            raise TooManyConnections(
                f"{address} has {self._most_of_one} connections (setting connections_per_address); close one first"
            )

    def enter(self, address: str, *, many: bool = False) -> None:
        """Take a place. Raises as `check`."""
        self.check(address, many=many)
        self.taken += 1
        self._of[address] = self._of.get(address, 0) + 1

    def leave(self, address: str) -> None:
        """Give the place back."""
        self.taken -= 1
        if (left := self._of[address] - 1) > 0:
            self._of[address] = left
        else:
            del self._of[address]


class Complaints:
    """The log's lines about limits: one a minute for each address and problem."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], float] = {}

    def tell(self, wire: str, address: str, error: PanelError) -> None:
        """Log that this was refused, where that has not been said just now."""
        key, now = (address, error.slug), time.monotonic()
        if now - self._told.get(key, -QUIET) < QUIET:
            return
        if len(self._told) >= ADDRESSES:
            self._told.clear()
        self._told[key] = now
        log.warning(
            "refused %s: %s",
            address or "a client",
            error.detail,
            extra=event("limit", wire=wire, client=address, problem=error.slug),
        )


def note_cut(log: logging.Logger, tally: Tally, whom: str, why: str, **fields: str) -> None:
    """Count a connection that the panel ends, and log it as `client_cut`, with `wire`, `client` and `reason`."""
    tally.cut += 1
    log.warning("cut %s: %s", whom, why, extra=event("client_cut", **fields))


def is_loopback(address: str) -> bool:
    """Whether it is an address of this machine's own."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
