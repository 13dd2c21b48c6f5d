"""Which addresses the panel prints for others, on machines with all sorts of networks: those that answer."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest

from asgi_app import __version__
from asgi_app.server.interfaces import addresses_for_others
from asgi_app.server.listen import listen, url_of
from tests.support.lan import Lan, inside
from tests.support.network_namespace import NoRight
from tests.support.panel_process import RunningPanel, eventually

HOME = "addr add 192.168.7.2/24 dev eth0"
WAY_OUT = "route add default via 192.168.7.1"
HOME_6 = "addr add fd07::2/64 dev eth0 nodad"
NO_LINK_LOCAL = "link set eth0 addrgenmode none"
DOCKER = [
    "link add docker0 type bridge",
    "addr add 172.17.0.1/16 dev docker0",
    "link add veth1 type veth peer name container",
    "link set veth1 master docker0",
    "link set container up",
    "link set veth1 up",
    "link set docker0 up",
]


class Case(NamedTuple):
    name: str
    host: str
    setup: list[str]
    printed: list[str]


CASES = [
    Case("at home", "0.0.0.0", [HOME, WAY_OUT], ["192.168.7.2"]),
    Case("at home, by IPv6 too", "::", [HOME, HOME_6, WAY_OUT], ["192.168.7.2", "fd07::2"]),
    Case("no default route", "0.0.0.0", [HOME], ["192.168.7.2"]),
    Case("Docker, no default route", "::", [*DOCKER, HOME], ["192.168.7.2"]),
    Case("Docker, with the default route", "::", [*DOCKER, HOME, WAY_OUT], ["192.168.7.2"]),
    Case("Docker only", "0.0.0.0", DOCKER, []),
    Case(
        "its network is a bridge",
        "::",
        [
            "link add br0 type bridge",
            "link set eth0 master br0",
            "link set br0 up",
            "addr add 192.168.7.2/24 dev br0",
            *DOCKER,
        ],
        ["192.168.7.2"],
    ),
    Case(
        "a cable that leads nowhere",
        "0.0.0.0",
        ["link add eth1 type veth peer name nowhere", "addr add 192.168.9.2/24 dev eth1", "link set eth1 up", HOME],
        ["192.168.7.2"],
    ),
    Case("two networks", "0.0.0.0", [HOME, WAY_OUT, "addr add 192.168.8.2/24 dev eth0"], ["192.168.7.2"]),
    Case("two machines, one cable", "::", ["addr add 169.254.7.2/16 dev eth0"], ["169.254.7.2"]),
    Case("an address of its own as well", "::", [HOME, "addr add 169.254.7.2/16 dev eth0"], ["192.168.7.2"]),
    Case("IPv6 only", "::", [HOME_6], ["fd07::2"]),
    Case("IPv6 only, and it listens on IPv4", "0.0.0.0", [HOME_6], []),
    Case("an old IPv6 address", "::", ["addr add fd07::9/64 dev eth0 nodad preferred_lft 0", HOME_6], ["fd07::2"]),
    Case("fe80 only", "::", [], []),
    Case("down", "::", [HOME, "link set eth0 down"], []),
    Case("one address", "192.168.7.2", [HOME, HOME_6, *DOCKER], ["192.168.7.2"]),
    Case("one address of IPv6", "fd07::2", [HOME, HOME_6], ["fd07::2"]),
]


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture
def lan() -> Iterator[Lan]:
    try:
        with Lan() as made:
            yield made
    except NoRight as reason:
        pytest.skip(f"{NoRight.__doc__} ({reason.__cause__})")


def printed(lan: Lan, host: str) -> tuple[list[str], list[str]]:
    """The addresses that are printed for others, and those of them at which nobody answers."""
    with inside(lan.machine, lambda: listen(host, 0)) as listener:
        urls = inside(lan.machine, lambda: addresses_for_others(listener, tls=False))
        addresses = [str(urlsplit(url).hostname) for url in urls]
        port = listener.getsockname()[1]
        assert urls == [url_of(address, port, tls=False) for address in addresses]
        return addresses, [address for address in addresses if not inside(lan.other, partial(answers, address, port))]


def answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 5).close()
    except OSError:
        return False
    return True


def test_what_is_printed_answers(lan: Lan, case: Case) -> None:
    lan.ip(*case.setup)
    assert printed(lan, case.host) == (case.printed, [])


def test_without_ipv6_every_network_is_that_of_ipv4(lan: Lan) -> None:
    lan.ip(HOME)
    inside(lan.machine, lambda: Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1"))
    assert printed(lan, "::") == (["192.168.7.2"], [])


def test_a_service_that_may_not_ask_by_netlink(lan: Lan, monkeypatch: pytest.MonkeyPatch) -> None:
    lan.ip(HOME)

    def refused() -> None:
        raise OSError(97, "Address family not supported by protocol")  # RestrictAddressFamilies= in the unit

    monkeypatch.setattr(socket, "if_nameindex", refused)
    assert printed(lan, "::") == (["192.168.7.2"], [])


def test_a_kernel_without_ipv6(lan: Lan, monkeypatch: pytest.MonkeyPatch) -> None:
    lan.ip(HOME)
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)  # what the standard library says there
    assert printed(lan, "::") == (["192.168.7.2"], [])


def test_a_name_of_both_is_the_address_that_programs_ask_first(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *name, **kind: both)
    with listen("localhost", 0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_ipv4_and_ipv6_meet_in_one_socket(lan: Lan, server: str, start_panel: Callable[..., RunningPanel]) -> None:
    lan.ip(HOME, HOME_6)
    panel = start_panel(server=server, host="::", within=("ip", "netns", "exec", lan.machine))
    assert f"Pilot Light {__version__} is at http://127.0.0.1:{panel.port}/" in panel.log()
    others = f"it is at http://192.168.7.2:{panel.port}/, and at http://[fd07::2]:{panel.port}/"
    eventually(lambda: others in panel.log())
    for where, address, role in (
        (lan.machine, "127.0.0.1", "admin"),  # this machine, by whichever address
        (lan.machine, "[::1]", "admin"),
        (lan.other, "192.168.7.2", "viewer"),
        (lan.other, "[fd07::2]", "viewer"),
    ):
        url = f"http://{address}:{panel.port}"
        assert inside(where, partial(httpx.get, f"{url}/led")).json() == {"level": 50}
        assert inside(where, partial(httpx.get, f"{url}/access/me")).json()["role"] == role
