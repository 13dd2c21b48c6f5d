"""Quota of connections: which ones count together, and which places are reserved."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import pytest

from asgi_app.errors import Full, TooFast, TooManyConnections
from asgi_app.net.limits import KEPT, KEPT_EACH, SITE, AddressRateLimit, ConnectionQuota
from asgi_app.net.proxies import Proxies

EACH = 4


def addresses_in(network: str, prefix: int, count: int) -> list[str]:
    nets = ipaddress.ip_network(network).subnets(new_prefix=prefix)
    return [str(net[1] if net.num_addresses > 1 else net[0]) for net, _ in zip(nets, range(count), strict=False)]


@pytest.mark.parametrize(
    ("network", "prefix", "most"),
    [
        ("2001:db8::/64", 128, EACH),
        ("2001:db8::/48", 64, EACH * SITE),
        ("2001:db8::/48", 56, EACH * SITE),
        ("2001::/32", 48, 60),  # as many as ask
        ("203.0.113.0/24", 32, 60),
        ("fe80::/64", 128, EACH * SITE),
        ("127.0.0.0/8", 32, 60),
        ("::1/128", 128, 60),
        ("::ffff:127.0.0.1/128", 128, 60),
    ],
)
def test_whose_connections_count_together(network: str, prefix: int, most: int) -> None:
    quota = ConnectionQuota(1000, EACH)
    asking = (addresses_in(network, prefix, 60) * 60)[:60]
    entered = [address for address in asking if enters(quota, address)]
    assert len(entered) == most
    for address in entered:
        quota.leave(address)
    assert quota.taken == 0
    assert not quota._of


def enters(quota: ConnectionQuota, address: str) -> bool:
    try:
        quota.enter(address)
    except (Full, TooManyConnections):
        return False
    return True


def test_an_address_of_ipv4_is_the_same_written_as_ipv6() -> None:
    quota = ConnectionQuota(1000, EACH)
    for _ in range(EACH // 2):
        quota.enter("192.0.2.1")
        quota.enter("::ffff:192.0.2.1")
    for address in ("192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201"):
        with pytest.raises(TooManyConnections, match=r"192\.0\.2\.1 has 4"):
            quota.enter(address)


def strangers() -> Iterator[str]:
    yield from addresses_in("2001::/16", 48, 1000)


@pytest.mark.parametrize("owner", ["127.0.0.1", "::1", "192.168.0.7", "fd00::7", "fe80::7", "::ffff:192.168.0.7"])
def test_some_places_are_kept_for_this_machine_and_the_local_network(owner: str) -> None:
    quota = ConnectionQuota(16, EACH)
    assert sum(enters(quota, stranger) for stranger in strangers()) == 16
    own = [owner] * EACH
    assert all(enters(quota, address) for address in own)
    assert not enters(quota, "203.0.113.1")
    for address in own:
        quota.leave(address)
    assert not enters(quota, "203.0.113.1")
    assert quota.taken == 16


def test_who_has_places_anyway_gets_no_more() -> None:
    quota = ConnectionQuota(16, 100)
    assert sum(enters(quota, "192.168.0.7") for _ in range(100)) == 16
    assert sum(enters(quota, "127.0.0.1") for _ in range(100)) == KEPT


def test_what_comes_by_a_named_proxy_is_from_strangers() -> None:
    quota = ConnectionQuota(16, EACH)
    for _ in range(16):
        quota.enter("192.168.0.2", many=True)
    with pytest.raises(Full):
        quota.enter("192.168.0.2", many=True)
    assert enters(quota, "192.168.0.7")
    quota.leave("192.168.0.2", many=True)
    quota.leave("192.168.0.7")
    assert quota.taken == 15


def test_questions_after_health_have_a_few_places() -> None:
    quota = ConnectionQuota(16, EACH)
    for _ in range(KEPT_EACH):
        quota.enter_for_health("203.0.113.1")
    with pytest.raises(Full):
        quota.enter_for_health("203.0.113.1")
    for number in range(KEPT - KEPT_EACH):
        quota.enter_for_health(f"203.0.113.{number + 2}")
    with pytest.raises(Full):
        quota.enter_for_health("203.0.113.99")
    quota.leave_after_health("203.0.113.1")
    quota.enter_for_health("203.0.113.99")
    assert quota.taken == 0


def test_commands_of_a_48_have_a_budget_too() -> None:
    addresses = AddressRateLimit(1)
    taken = 0
    for address in addresses_in("2001:db8::/48", 64, 100):
        try:
            addresses.spend(address)
            taken += 1
        except TooFast:
            continue
    assert taken == SITE * 2  # two seconds' worth


def test_a_trusted_network_may_be_written_as_one_of_ipv4_in_ipv6() -> None:
    proxies = Proxies(["::ffff:10.0.0.0/104", "::ffff:192.0.2.1"])
    assert proxies.trusts("10.1.2.3")
    assert proxies.trusts("::ffff:10.1.2.3")
    assert proxies.trusts("192.0.2.1")
    assert not proxies.trusts("192.0.2.2")
