"""Limits: rates of commands, numbers of connections, and the log of what was refused.

An IPv6 address counts by its /64. A /48 has a few times the limit of one /64. All programs of this machine share an
address, so limits for each address do not hold for loopback. Limits for each connection do.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter

from asgi_app.errors import Full, PanelError, TooFast, TooManyConnections
from asgi_app.net.address import host_of, place_of, site_of
from asgi_app.telemetry.counters import Counters
from asgi_app.telemetry.logs import LogLimit, event

log = logging.getLogger("pilotlight.limits")

BURST = 2.0  # seconds of the rate that may come at once
PATIENCE = 10.0  # times the burst: refused commands before the connection is closed
ADDRESSES = 10_000  # remembered at once; each takes some 200 bytes
SITE = 4  # times the limit of one host: for all hosts of a /48 together
KEPT = 8  # connections over `max_connections` for each of: this machine, the local network, health checks
KEPT_EACH = 2  # of those for health checks, for each host
QUIET = 60.0  # seconds between two log lines about one address and one limit
LINES = 100  # log lines about all limits in that time


class TokenBucket:
    """A token bucket: `rate` tokens a second, and `most` at once."""

    __slots__ = ("_at", "_left", "_most", "_rate")

    def __init__(self, rate: float, most: float) -> None:
        self._rate = rate
        self._most = max(most, 1.0)
        self._left = self._most
        self._at = time.monotonic()

    def take(self) -> bool:
        """Take a token. Return False if there is none."""
        self._fill()
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def owe(self, count: int) -> None:
        """Take so many tokens, even if there are fewer. `wait` then returns when the debt is paid."""
        self._fill()
        self._left -= count

    def wait(self, tokens: int = 0) -> float:
        """Return the seconds until there are so many tokens; with 0, until nothing is owed."""
        self._fill()
        return max((tokens - self._left) / self._rate, 0.0)

    @property
    def full(self) -> bool:
        """Whether no token is missing."""
        self._fill()
        return self._left >= self._most

    def _fill(self) -> None:
        now = time.monotonic()
        self._left = min(self._left + (now - self._at) * self._rate, self._most)
        self._at = now


class RateLimit:
    """The rate of one connection: `rate` commands a second. Far over that, the connection is closed."""

    __slots__ = ("_bucket", "_patience", "_rate")

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._bucket = TokenBucket(rate, rate * BURST)
        self._patience = TokenBucket(rate, rate * BURST * PATIENCE)

    def spend(self) -> None:
        """Count one command. Raises `TooFast`."""
        if not self._bucket.take():
            self._patience.owe(1)
            raise TooFast(
                f"More than {self._rate:g} commands a second came (setting command_rate). Wait a moment.",
                retry_after=self._bucket.wait(1),
            )

    @property
    def used_up(self) -> bool:
        """Whether to close the connection: too many commands were refused."""
        return self._patience.wait() > 0

    async def spend_slowly(self) -> None:
        """Spend like `spend`, but wait instead of refusing: for clients that cannot try again."""
        while not self._bucket.take():
            await asyncio.sleep(1 / self._rate)


class AddressRateLimit:
    """The rate of each host and of each /48, whatever their number of connections."""

    def __init__(self, rate: float, setting: str = "rest_rate", what: str = "commands") -> None:
        self._rate = rate
        self._setting = setting
        self._what = what
        self._buckets: dict[str, TokenBucket] = {}
        self._sites: dict[str, TokenBucket] = {}

    def spend(self, address: str) -> None:
        """Count one command from this address. Raises `TooFast`."""
        if place_of(address) == "loopback":
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
                f"{whom} sent more than {rate:g} {self._what} a second ({why}). Wait a moment.",
                retry_after=bucket.wait(1),
            )


def _forget(buckets: dict[str, TokenBucket]) -> None:
    """Make room: forget idle clients, or else the oldest quarter."""
    for whom in [whom for whom, bucket in buckets.items() if bucket.full] or list(buckets)[: ADDRESSES // 4]:
        del buckets[whom]


class ConnectionQuota:
    """The number of connections: in all, from each host, and from each /48.

    When all are taken, this machine, the local network and health checks still have `KEPT` each.
    """

    def __init__(self, most: int, most_of_one: int) -> None:
        self.taken = 0
        self._most = most
        self._most_of_one = most_of_one
        self._of: Counter[str] = Counter()  # by host, site, place, and for health

    def check(self, address: str, *, many: bool = False) -> None:
        """Raise `Full` or `TooManyConnections` if there is no place. `many`: it is the address of a proxy."""
        place = "elsewhere" if many else place_of(address)
        if self.taken >= self._most and (place == "elsewhere" or self._of[place] >= KEPT):
            raise Full(f"There are {self._most} connections (setting max_connections). Come back in a moment.")
        if many or place == "loopback":
            return
        host, site, most = host_of(address), site_of(address), self._most_of_one
        if self._of[host] >= most:
            raise TooManyConnections(
                f"{host} has {most} connections (setting connections_per_address). Close one first."
            )
        if site is not None and self._of[site] >= most * SITE:
            raise TooManyConnections(
                f"{site} has {most * SITE} connections ({SITE} times the setting connections_per_address). "
                "Close one first."
            )

    def enter(self, address: str, *, many: bool = False) -> None:
        """Take a place. Raises as `check`."""
        self.check(address, many=many)
        self.taken += 1
        self._of.update(_counted(address, many))

    def leave(self, address: str, *, many: bool = False) -> None:
        """Give the place back, with the same `many`."""
        self.taken -= 1
        self._give_back(_counted(address, many))

    def enter_for_health(self, address: str) -> None:
        """Take one of the places that are kept for health checks. Raises `Full`."""
        if self._of["health"] >= KEPT or self._of[f"health {host_of(address)}"] >= KEPT_EACH:
            raise Full(f"There are {self._most} connections (setting max_connections). Come back in a moment.")
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
    """Return the counts that a connection is part of, besides the total."""
    if many:
        return ()
    site = site_of(address)
    return (host_of(address), place_of(address)) + ((site,) if site is not None else ())


class RefusalLog:
    """Log lines about limits: one a minute for each host and limit, and at most `LINES` in all."""

    def __init__(self) -> None:
        self._limit = LogLimit(LINES, QUIET)

    def log(self, wire: str, address: str, error: PanelError) -> None:
        """Log a refusal, unless the same was logged just now."""
        if not self._limit.allows((host_of(address), error.slug)):
            return
        log.warning(
            "Refused %s: %s",
            address or "a client",
            error.detail,
            extra=event("limit", wire=wire, client=address, problem=error.slug),
        )
        if self._limit.is_used_up:
            log.warning("%d clients were over a limit within a minute; others are counted, not logged", LINES)


def note_cut(log: logging.Logger, counters: Counters, whom: str, why: str, **fields: str) -> None:
    """Count a connection that the panel closes, and log it as `client_cut`, with `wire`, `client` and `reason`."""
    counters.cut += 1
    log.warning("Closed the connection of %s: %s", whom, why, extra=event("client_cut", **fields))
