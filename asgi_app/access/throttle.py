"""Guessing made slow: a few free tries an address, then each wrong one doubles the wait."""

from __future__ import annotations

import ipaddress
import logging
import math
import time
from collections import Counter
from collections.abc import Callable

from asgi_app.errors import TooManyTries

log = logging.getLogger("pilotlight.access")

FREE = 5  # wrong tries that cost nothing: people mistype
LONGEST = 900.0  # seconds
FORGOTTEN = 3600.0  # seconds without a wrong try, after which an address starts afresh
ADDRESSES = 10_000  # that are remembered


class _Tries:
    """The wrong tries of one address."""

    def __init__(self) -> None:
        self.wrong: Counter[str] = Counter()
        self.until = 0.0
        self.last = 0.0
        self.told = False


class Throttle:
    """Wrong secrets by address: a /64 is one address, since anybody with IPv6 has as many as they like.

    What was guessed has a `subject` ("pin", "name Ada", …): a right answer forgives only what was wrong on that, so
    that whoever has one secret of his own cannot buy tries at another's with it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._of: dict[str, _Tries] = {}

    def check(self, address: str) -> None:
        """Raises `TooManyTries` while the address must wait."""
        tries = self._of.get(_source(address))
        wait = tries.until - self._clock() if tries is not None else 0.0
        if wait > 0:
            seconds = math.ceil(wait)
            raise TooManyTries(f"too many wrong tries; wait {seconds} s", retry_after=seconds)

    def wrong(self, address: str, subject: str) -> None:
        """A wrong try: from the sixth on, the next one must wait."""
        source, now = _source(address), self._clock()
        tries = self._of.pop(source, None)
        if tries is None or now - tries.last > FORGOTTEN:
            tries = _Tries()
        self._of[source] = tries  # last: the first ones are forgotten first
        if len(self._of) > ADDRESSES:
            del self._of[next(iter(self._of))]
        tries.last = now
        tries.wrong[subject] += 1
        over = tries.wrong.total() - FREE
        if over >= 0:
            tries.until = now + min(2.0 ** min(over, 30), LONGEST)
            if not tries.told:
                tries.told = True
                log.warning("%s tried %d wrong secrets (the last: %s); it is slowed down", source, over + FREE, subject)

    def right(self, address: str, subject: str) -> None:
        """A right answer: what was wrong on this subject is forgiven."""
        source = _source(address)
        if (tries := self._of.get(source)) is not None:
            del tries.wrong[subject]
            if not tries.wrong:
                del self._of[source]


def _source(address: str) -> str:
    """Whom an address stands for."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
