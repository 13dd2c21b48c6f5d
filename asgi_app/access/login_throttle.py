"""Throttling of sign-ins: a host has a few free attempts, then each wrong one doubles its wait.

IPv6 gives everybody many addresses. So a host is a /64, and each /48 has a budget for all its hosts. Strangers, the
local network and known devices have separate budgets, so strangers do not lock out people at home.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from asgi_app.errors import TooManyTries
from asgi_app.net.address import host_of, place_of, site_of
from asgi_app.net.limits import RefusalLog
from asgi_app.telemetry.counters import Counters

WIRE = "sign-in"  # in the log
FREE = 5  # wrong attempts without a wait: people mistype
LONGEST = 900.0  # seconds
FORGOTTEN = 3600.0  # seconds without a wrong attempt, after which a host starts again
HOSTS = 10_000  # remembered at once
UNGUESSABLE = (
    "token",
    "ticket",
    "code",
)  # 96 random bits and more: attempts at them do not count as attempts at the PIN


class SignInSource(NamedTuple):
    """The source of an attempt: `place` as in `net.address.place_of`, and `device` if it is known."""

    address: str
    place: str
    device: str | None = None


class Budget(NamedTuple):
    """Wrong attempts of many hosts together: so many at once, then one in so many seconds."""

    at_once: int
    seconds: float


SITE = Budget(20, 120.0)  # of each /48
STRANGERS = Budget(100, 60.0)  # at this rate 10**8 PINs take 190 years
TOGETHER = {
    "all strangers": STRANGERS,
    "all strangers' tokens": Budget(1000, 1.0),
    "the local network": Budget(1000, 10.0),
    "all known devices": Budget(100, 60.0),
}


class _Host:
    """The wrong attempts of one host or device."""

    def __init__(self) -> None:
        self.wrong: Counter[str] = Counter()
        self.until = 0.0
        self.last = 0.0


class _Spent:
    """The used part of a budget, which shrinks with time."""

    def __init__(self, budget: Budget, now: float) -> None:
        self.budget = budget
        self._spent = 0.0
        self._at = now

    def wait(self, now: float) -> float:
        """Return the seconds until the next attempt."""
        return max(self.now(now) - self.budget.at_once + 1, 0.0) * self.budget.seconds

    def now(self, now: float) -> float:
        """Return how many attempts are used now."""
        self._spent = max(self._spent - (now - self._at) / self.budget.seconds, 0.0)
        self._at = now
        return self._spent

    def spend(self, tries: int, now: float) -> None:
        """Use so many attempts, or give so many back."""
        self._spent = max(self.now(now) + tries, 0.0)


class LoginThrottle:
    """Delay of sign-ins, by host and by budget.

    Each attempt has a `subject` ("pin", "name Ada", …). A right answer resets only the wrong ones on the same subject:
    knowing one secret gives no more attempts at another. Delays are logged, and `counters` counts refused attempts.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        counters: Counters | None = None,
        refusal_log: RefusalLog | None = None,
    ) -> None:
        self._clock = clock
        self._counters = counters or Counters()
        self._refusal_log = refusal_log or RefusalLog()
        self._hosts: dict[str, _Host] = {}
        self._budgets: dict[str, _Spent] = {}

    def check(self, who: SignInSource, subject: str = "pin") -> None:
        """Raise `TooManyTries` while the source must wait, with the seconds until its next attempt."""
        now = self._clock()
        host = _key(who)
        waits = {host: self._hosts[host].until - now} if host in self._hosts else {}
        for key, _ in _budgets(who, subject):
            if key in self._budgets:
                waits[key] = self._budgets[key].wait(now)
        whom = max(waits, key=lambda key: waits[key], default=host)
        if waits.get(whom, 0.0) > 0:
            seconds = math.ceil(waits[whom])
            error = TooManyTries(f"Too many wrong attempts from {whom}. Wait {seconds} s.", retry_after=seconds)
            self._counters.refused += 1
            self._refusal_log.log(WIRE, whom, error)
            raise error

    def wrong(self, who: SignInSource, subject: str) -> None:
        """Count a wrong attempt. From the fifth on, the host must wait."""
        now = self._clock()
        for key, budget in _budgets(who, subject):
            self._spent(key, budget, now).spend(1, now)
        key = _key(who)
        tries = self._hosts.pop(key, None)
        if tries is None or now - tries.last > FORGOTTEN:
            tries = _Host()
        self._hosts[key] = tries  # at the end: the oldest are forgotten first
        if len(self._hosts) > HOSTS:
            del self._hosts[next(iter(self._hosts))]
        tries.last = now
        tries.wrong[subject] += 1
        over = tries.wrong.total() - FREE
        if over >= 0:
            tries.until = now + min(2.0 ** min(over, 30), LONGEST)
            if over == 0:  # log it now: a client that always waits is never refused
                text = f"{FREE} wrong attempts, the last at: {subject}. It must wait now."
                self._refusal_log.log(WIRE, key, TooManyTries(text, retry_after=1))

    def right(self, who: SignInSource, subject: str) -> None:
        """Forgive the wrong attempts on this subject."""
        now = self._clock()
        key = _key(who)
        if (tries := self._hosts.get(key)) is None:
            return
        forgiven = tries.wrong.pop(subject, 0)
        for name, _ in _budgets(who, subject):
            if name in self._budgets:
                self._budgets[name].spend(-forgiven, now)
        if not tries.wrong:
            del self._hosts[key]

    def _spent(self, key: str, budget: Budget, now: float) -> _Spent:
        spent = self._budgets.get(key)
        if spent is None:
            if len(self._budgets) >= HOSTS:
                self._budgets = {key: spent for key, spent in self._budgets.items() if spent.now(now) > 0}
            if len(self._budgets) >= HOSTS:
                del self._budgets[next(iter(self._budgets))]
            spent = self._budgets[key] = _Spent(budget, now)
        return spent


def _key(who: SignInSource) -> str:
    """The host or device whose attempts count together. Requests of an untrusted proxy count apart."""
    if who.device is not None:
        return f"device {who.device}"
    if who.place == "loopback":
        return "this machine"
    host = host_of(who.address)
    return host if who.place == place_of(who.address) else f"{host} (forwarded)"


def _budgets(who: SignInSource, subject: str) -> Iterator[tuple[str, Budget]]:
    """The budgets that an attempt counts in."""
    if who.device is not None:
        yield "all known devices", TOGETHER["all known devices"]
    elif who.place == "network":
        yield "the local network", TOGETHER["the local network"]
    elif who.place != "loopback":
        if (site := site_of(who.address)) is not None:
            yield site, SITE
        together = "all strangers' tokens" if subject in UNGUESSABLE else "all strangers"
        yield together, TOGETHER[together]
