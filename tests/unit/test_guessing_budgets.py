"""Whose wrong tries count together, whom others' tries slow down, and whom they do not."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Callable, Iterator

import pytest

import asgi_app.access.login_throttle
from asgi_app.access.login_throttle import FREE, SITE, STRANGERS, TOGETHER, LoginThrottle, SignInSource
from asgi_app.errors import TooManyTries
from asgi_app.net.limits import LINES
from asgi_app.telemetry.counters import Counters
from tests.support.sign_in_source import source

PROXIED = "elsewhere"
TRIES = 1100  # more than any budget has


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def hosts_of(network: str, prefix: int) -> Iterator[SignInSource]:
    """A guesser in each network of this size, again and again."""
    for net in itertools.cycle(itertools.islice(ipaddress.ip_network(network).subnets(new_prefix=prefix), 60_000)):
        yield source(str(net[0] if net.num_addresses == 1 else net[1]))


def guess(throttle: LoginThrottle, guessers: Iterator[SignInSource], tries: int, subject: str = "pin") -> int:
    """Try so often; how many of the tries were looked at."""
    looked_at = 0
    for guesser in itertools.islice(guessers, tries):
        try:
            throttle.check(guesser, subject)
        except TooManyTries:
            continue
        throttle.wrong(guesser, subject)
        looked_at += 1
    return looked_at


@pytest.mark.parametrize(
    ("network", "prefix", "most"),
    [
        ("2001:db8::/64", 80, FREE),
        ("2001:db8::/48", 64, SITE.at_once),
        ("2001:db8::/48", 128, FREE),  # the first /64 only
        ("2001::/32", 48, STRANGERS.at_once),
        ("203.0.0.0/16", 32, STRANGERS.at_once),
        ("fd00::/48", 64, TOGETHER["the local network"].at_once),
        ("10.0.0.0/8", 32, TOGETHER["the local network"].at_once),
        ("fe80::/64", 128, TOGETHER["the local network"].at_once),
        ("127.0.0.0/8", 32, FREE),
        ("::ffff:203.0.0.0/112", 128, STRANGERS.at_once),
    ],
)
@pytest.mark.parametrize("subject", ["pin", "name Ada"])
def test_many_addresses_have_a_budget_together(
    caplog: pytest.LogCaptureFixture, network: str, prefix: int, most: int, subject: str
) -> None:
    counters = Counters()
    throttle = LoginThrottle(Clock(), counters)
    with caplog.at_level("WARNING"):
        assert guess(throttle, hosts_of(network, prefix), TRIES, subject) == most
    assert counters.refused == TRIES - most
    assert 1 <= len(caplog.messages) <= LINES + 1


@pytest.mark.parametrize("subject", ["token", "ticket"])
def test_tokens_that_nobody_can_guess_use_up_nobodys_tries_at_the_pin(subject: str) -> None:
    throttle = LoginThrottle(Clock())
    assert guess(throttle, hosts_of("2001::/32", 48), TRIES, subject) == TOGETHER["all strangers' tokens"].at_once
    throttle.check(source("203.0.113.1"), "pin")


OTHERS: dict[str, Callable[[], Iterator[SignInSource]]] = {
    "strangers": lambda: hosts_of("2001::/32", 48),
    "strangers of one address": lambda: itertools.repeat(source("203.0.113.1")),
    "by a proxy that nobody named": lambda: itertools.repeat(source("127.0.0.1", PROXIED)),
    "by one in the network": lambda: itertools.repeat(source("192.168.0.7", PROXIED)),
    "another at home": lambda: itertools.repeat(source("192.168.0.66")),
    "another known device": lambda: itertools.repeat(source("203.0.113.2", device="other")),
}
OWNERS = {  # where, and who it is
    "at home": source("192.168.0.7"),
    "at home, IPv6": source("fd00:1::1"),
    "at home, link-local": source("fe80::1%eth0"),
    "at home, IPv4 as IPv6": source("::ffff:192.168.0.7"),
    "at the machine": source("127.0.0.1"),
    "at the machine, IPv6": source("::1"),
    "at the machine, IPv4 as IPv6": source("::ffff:127.0.0.1"),
    "a known device behind the guessers' address": source("203.0.113.1", device="phone"),
    "a known device by a proxy": source("127.0.0.1", PROXIED, device="phone"),
}


@pytest.mark.parametrize("others", OTHERS)
def test_what_others_guess_does_not_lock_the_owner_out(others: str) -> None:
    throttle = LoginThrottle(Clock())
    assert guess(throttle, OTHERS[others](), TRIES) < TRIES
    for owner in OWNERS.values():
        throttle.check(owner, "pin")
        throttle.check(owner, "name Ada")


def test_the_wait_is_as_long_as_it_says() -> None:
    clock = Clock()
    throttle = LoginThrottle(clock)
    guess(throttle, hosts_of("2001::/32", 48), STRANGERS.at_once * 2)
    for number in range(5):
        stranger = source(f"203.0.113.{number}")
        with pytest.raises(TooManyTries) as refused:
            throttle.check(stranger)
        wait = refused.value.retry_after
        assert wait is not None
        clock.now += wait - 1
        with pytest.raises(TooManyTries):
            throttle.check(stranger)
        clock.now += 1
        throttle.check(stranger)
        throttle.wrong(stranger, "pin")


def test_who_signs_in_with_a_password_uses_nothing_up() -> None:
    throttle = LoginThrottle(Clock())
    for number in range(STRANGERS.at_once * 3):  # a try counts before the password is looked at
        stranger = source(f"203.0.{number % 256}.{number // 256}")
        throttle.check(stranger)
        throttle.wrong(stranger, "name Ada")
        throttle.right(stranger, "name Ada")
    throttle.check(source("203.0.113.1"))


def test_who_guesses_from_many_addresses_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    throttle = LoginThrottle(clock)
    monkeypatch.setattr(asgi_app.access.login_throttle, "HOSTS", 100)
    guessers = hosts_of("2600::/32", 48)
    for _ in range(20):
        assert guess(throttle, guessers, 20, "token") == 20
        clock.now += 20
    assert len(throttle._hosts) <= 100
    assert len(throttle._budgets) <= 100
