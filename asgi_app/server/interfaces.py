"""The addresses at which other devices in the network can open the panel, the likeliest first.

All sources are readable by every user: netdevice(7), /proc/net/route, /proc/net/if_inet6, /proc/net/ipv6_route.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import ipaddress
import re
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from asgi_app.net.address import Address, place_of
from asgi_app.server.listen import EVERY, bound_to, url_of

SIOCGIFFLAGS, SIOCGIFADDR, SIOCETHTOOL = 0x8913, 0x8915, 0x8946  # linux/sockios.h
ETHTOOL_GDRVINFO = 3  # linux/ethtool.h: the driver's name follows four bytes
DRVINFO_BYTES = 196
UP, LOOPBACK, POINT_TO_POINT, RUNNING = 0x1, 0x8, 0x10, 0x40  # linux/if.h
# linux/if_addr.h: tentative or deprecated addresses are of no use to others. A temporary one is, but for a day only.
TEMPORARY, UNUSABLE = 0x01, 0x08 | 0x20 | 0x40
GATEWAY_UP = 0x1  # linux/route.h
PROC = Path("/proc/thread-self/net")

# The kinds of interfaces, by how likely others can open an address on it: first one with a default route.
WAY_OUT, PORT, BRIDGE, TUNNEL, NO_NETWORK = range(5)
# Networks of this machine's containers and virtual machines: nobody else can open an address there.
INSIDE = re.compile(
    r"docker|br-[0-9a-f]{12}$|podman|cni|nerdctl|flannel|cali|kube|virbr|lxcbr|lxdbr|incusbr|vbox|vmnet"
)


class _Interface(NamedTuple):
    name: str
    flags: int
    driver: str

    def rank(self, ways_out: set[str]) -> int:
        if self.flags & POINT_TO_POINT:
            return TUNNEL
        if self.name in ways_out:
            return WAY_OUT
        return BRIDGE if self.driver == "bridge" else PORT


def addresses_for_others(listener: socket.socket, *, tls: bool, root: str = "") -> list[str]:
    """Return the URLs at which other devices can open the panel, the likeliest first."""
    host, port = bound_to(listener), listener.getsockname()[1]
    if host not in EVERY:
        return [url_of(listener.getsockname()[0], port, tls=tls, root=root)] if place_of(host) != "loopback" else []
    ipv6 = listener.family == socket.AF_INET6
    return [url_of(address, port, tls=tls, root=root) for address in own_addresses(ipv6=ipv6)]


def own_addresses(*, ipv6: bool = False) -> list[str]:
    """Return the addresses at which others can open this machine, the likeliest first: IPv4, and with `ipv6` also IPv6.

    This leaves out addresses that other devices cannot use: those of interfaces that are down or have no cable, those
    of networks inside this machine (such as Docker's), and those that need a scope (fe80::, RFC 4007). Addresses of
    tunnels, and link-local ones (169.254, RFC 3927), are returned only if there is no other.
    """
    found: list[tuple[int, int, int, int, str]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        # `if_nameindex` needs netlink, which the service may not use (`systemd/unit.py`).
        for index, name in enumerate(line[0].partition(":")[0] for line in _lines("dev") if ":" in line[0]):
            with contextlib.suppress(OSError):  # the interface has gone meanwhile
                interface = _interface(asking, name)
                if interface is None:
                    continue
                if (address := _ipv4(asking, name)) is not None:
                    rank = NO_NETWORK if address.is_link_local else interface.rank(_ways_out_ipv4())
                    found.append((rank, 4, index, 0, str(address)))
                if ipv6:
                    rank = interface.rank(_ways_out_ipv6())
                    found += [(rank, 6, index, odd, str(address)) for odd, address in _ipv6(name)]
    best = min((rank for rank, *_ in found), default=NO_NETWORK)
    return [address for rank, *_, address in sorted(found) if rank <= max(best, PORT)]


def _interface(asking: socket.socket, name: str) -> _Interface | None:
    """Return the interface if it is up, is connected, and is not the loopback."""
    (flags,) = struct.unpack_from("H", fcntl.ioctl(asking, SIOCGIFFLAGS, _request(name)), 16)
    if flags & LOOPBACK or not flags & UP or not flags & RUNNING or INSIDE.match(name):
        return None
    info = array.array("B", struct.pack("I", ETHTOOL_GDRVINFO) + bytes(DRVINFO_BYTES - 4))
    driver = ""
    with contextlib.suppress(OSError):  # some interfaces have none
        fcntl.ioctl(asking, SIOCETHTOOL, struct.pack("16sP", name.encode(), info.buffer_info()[0]) + bytes(16))
        driver = info.tobytes()[4:36].rstrip(b"\0").decode(errors="replace")
    return _Interface(name, flags, driver)


def _request(name: str) -> bytes:
    """Return a `struct ifreq` with only the name in it."""
    return struct.pack("16s24x", name.encode())


def _ipv4(asking: socket.socket, name: str) -> ipaddress.IPv4Address | None:
    try:
        answer = fcntl.ioctl(asking, SIOCGIFADDR, _request(name))
    except OSError:  # it has none
        return None
    address = ipaddress.IPv4Address(answer[20:24])
    return None if address.is_loopback or address.is_unspecified else address


def _ipv6(name: str) -> Iterator[tuple[int, Address]]:
    """Yield its usable IPv6 addresses, each with a number that is above 0 if it is temporary."""
    for digits, _index, _length, _scope, flags, its_name in _lines("if_inet6"):
        address = ipaddress.IPv6Address(bytes.fromhex(digits))
        if its_name == name and not int(flags, 16) & UNUSABLE and not address.is_link_local:
            yield int(flags, 16) & TEMPORARY, address


def _ways_out_ipv4() -> set[str]:
    """Return the interfaces with a default route of the lowest metric."""
    routes = [
        (int(metric), name)
        for name, to, _, flags, _, _, metric, mask, *_ in _lines("route")
        if to == mask == "0" * 8 and int(flags, 16) & GATEWAY_UP
    ]
    return {name for metric, name in routes if metric == min(routes)[0]}


def _ways_out_ipv6() -> set[str]:
    routes = [(int(line[5], 16), line[9]) for line in _lines("ipv6_route") if line[0] == "0" * 32 and line[1] == "00"]
    real = [(metric, name) for metric, name in routes if name != "lo"]
    return {name for metric, name in real if metric == min(real)[0]}


def _lines(file: str) -> Iterator[list[str]]:
    """Yield the fields of each line; none if this kernel has no such file."""
    with contextlib.suppress(OSError):
        for line in (PROC / file).read_text().splitlines():
            fields = line.split()
            if fields and fields[0] != "Iface":  # the head of /proc/net/route
                yield fields
