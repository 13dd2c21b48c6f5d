"""How much one may ask, and how many there may be: token buckets, and places for connections.

An address of IPv6 counts by its /64, and a /48 may have a few times what one of its /64 may (`addresses`). Everything
from this machine has one address, so limits an address do not hold for loopback; those a connection do.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter

from asgi_app.errors import Full, PanelError, TooFast, TooManyConnections
from asgi_app.net.address import host_of, is_loopback, place_of, site_of
from asgi_app.telemetry.counters import Counters
from asgi_app.telemetry.logs import event

log = logging.getLogger("pilotlight.limits")

BURST = 2.0  # seconds' worth of commands that may come at once
PATIENCE = 10.0  # times that burst, of refused commands, before a connection is ended
ADDRESSES = 10_000  # that are remembered; each costs some 200 bytes
SITE = 4  # times what one host may: for all hosts of a /48 together
KEPT = 8  # places over `max_connections`, for this machine, for the local network, and for questions after health
KEPT_EACH = 2  # of those for questions after health, for one host
QUIET = 60.0  # seconds between two lines of the log about one address and one limit
LINES = 100  # about all limits in that time


class TokenBucket:
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

    def until_next(self) -> float:
        """Seconds until there is a token."""
        self._fill()
        return max((1 - self._left) / self._rate, 0.0)

    @property
    def full(self) -> bool:
        """Whether nobody has taken any for a while."""
        self._fill()
        return self._left >= self._most

    def _fill(self) -> None:
        now = time.monotonic()
        self._left = min(self._left + (now - self._at) * self._rate, self._most)
        self._at = now


class RateLimit:
    """The commands of one connection: refused over `rate` a second, and ended far over that."""

    __slots__ = ("_bucket", "_patience", "_rate")

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._bucket = TokenBucket(rate, rate * BURST)
        self._patience = TokenBucket(rate, rate * BURST * PATIENCE)

    def spend(self) -> None:
        """One command. Raises `TooFast`."""
        if not self._bucket.take():
            self._patience.owe(1)
            raise TooFast(
                f"that is more than {self._rate:g} commands a second (setting command_rate); wait a moment",
                retry_after=self._bucket.until_next(),
            )

    @property
    def used_up(self) -> bool:
        """Whether so many were refused that the connection is to be ended."""
        return self._patience.wait() > 0

    async def spend_slowly(self) -> None:
        """As `spend`, but waits where there are too many: for clients that cannot try again."""
        while not self._bucket.take():
            await asyncio.sleep(1 / self._rate)


class AddressRateLimit:
    """A bucket for each host, and one for each /48: what all connections of one client may ask together."""

    def __init__(self, rate: float, setting: str = "rest_rate", what: str = "commands") -> None:
        self._rate = rate
        self._setting = setting
        self._what = what
        self._buckets: dict[str, TokenBucket] = {}
        self._sites: dict[str, TokenBucket] = {}

    def spend(self, address: str) -> None:
        """One command from this address. Raises `TooFast`."""
        if is_loopback(address):
            return
        self._take(self._buckets, host_of(address), self._rate, f"setting {self._setting}")
        if (site := site_of(address)) is not None:
            self._take(self._sites, site, self._rate * SITE, f"{SITE} times the setting {self._setting}")

    def _take(self, buckets: dict[str, TokenBucket], whom: str, rate: float, why: str) -> None:
        if (bucket := buckets.get(whom)) is None:
            if len(buckets) >= ADDRESSES:
                _forget(buckets)
            bucket = buckets[whom] = TokenBucket(rate, rate * BURST)
        if not bucket.take():
            raise TooFast(
                f"{whom} sent more than {rate:g} {self._what} a second ({why}); wait", retry_after=bucket.until_next()
            )


def _forget(buckets: dict[str, TokenBucket]) -> None:
    """Make room: of whom is quiet, else of a quarter of them, those that came first."""
    for whom in [whom for whom, bucket in buckets.items() if bucket.full] or list(buckets)[: ADDRESSES // 4]:
        del buckets[whom]


class ConnectionQuota:
    """How many connections there are: in all, from each host, and from each /48.

    When strangers have taken all there are, this machine, the local network and questions after health still have
    `KEPT` each.
    """

    def __init__(self, most: int, most_of_one: int) -> None:
        self.taken = 0
        self._most = most
        self._most_of_one = most_of_one
        self._of: Counter[str] = Counter()  # by host, site, place, and for health

    def check(self, address: str, *, many: bool = False) -> None:
        """Whether there is a place; `many` come from this address (a proxy). Raises `Full`, `TooManyConnections`."""
        place = "elsewhere" if many else place_of(address)
        if self.taken >= self._most and (place == "elsewhere" or self._of[place] >= KEPT):
            raise Full(f"there are {self._most} connections (setting max_connections); come back in a moment")
        if many or place == "loopback":
            return
        host, site, most = host_of(address), site_of(address), self._most_of_one
        if self._of[host] >= most:
            raise TooManyConnections(
                f"{host} has {most} connections (setting connections_per_address); close one first"
            )
        if site is not None and self._of[site] >= most * SITE:
            raise TooManyConnections(
                f"{site} has {most * SITE} connections ({SITE} times the setting connections_per_address); "
                "close one first"
            )

    def enter(self, address: str, *, many: bool = False) -> None:
        """Take a place. Raises as `check`."""
        self.check(address, many=many)
        self.taken += 1
        self._of.update(_counted(address, many))

    def leave(self, address: str, *, many: bool = False) -> None:
        """Give the place back; `many` as when it was taken."""
        self.taken -= 1
        self._give_back(_counted(address, many))

    def enter_for_health(self, address: str) -> None:
        """Take one of the places that are kept for questions after health. Raises `Full`."""
        if self._of["health"] >= KEPT or self._of[f"health {host_of(address)}"] >= KEPT_EACH:
            raise Full(f"there are {self._most} connections (setting max_connections); come back in a moment")
        self._of.update(("health", f"health {host_of(address)}"))

    def leave_after_health(self, address: str) -> None:
        """Give that place back."""
        self._give_back(("health", f"health {host_of(address)}"))

    def _give_back(self, keys: tuple[str, ...]) -> None:
        for key in keys:
            self._of[key] -= 1
            if self._of[key] <= 0:
                del self._of[key]


def _counted(address: str, many: bool) -> tuple[str, ...]:
    """What a connection counts in beside the whole."""
    if many:
        return ()
    site = site_of(address)
    return (host_of(address), place_of(address)) + ((site,) if site is not None else ())


class RefusalLog:
    """The log's lines about limits: one a minute for each host and problem, and not more than `LINES` for all."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], float] = {}

    def log(self, wire: str, address: str, error: PanelError) -> None:
        """Log that this was refused, where that has not been said just now."""
        key, now = (host_of(address), error.slug), time.monotonic()
        if now - self._told.get(key, -QUIET) < QUIET:
            return
        if len(self._told) >= LINES:
            self._told = {key: at for key, at in self._told.items() if now - at < QUIET}
        if len(self._told) >= LINES:
            return
        self._told[key] = now
        log.warning(
            "refused %s: %s",
            address or "a client",
            error.detail,
            extra=event("limit", wire=wire, client=address, problem=error.slug),
        )
        if len(self._told) == LINES:
            log.warning("%d clients were over a limit within a minute; the others are only counted", LINES)


def note_cut(log: logging.Logger, counters: Counters, whom: str, why: str, **fields: str) -> None:
    """Count a connection that the panel ends, and log it as `client_cut`, with `wire`, `client` and `reason`."""
    counters.cut += 1
    log.warning("cut %s: %s", whom, why, extra=event("client_cut", **fields))
