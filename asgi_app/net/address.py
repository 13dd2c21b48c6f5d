"""IP addresses of clients: how to read one, where it is, and which addresses belong to one client.

An IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2) is its IPv4 address everywhere: a socket that listens on `::` shows IPv4
clients like that.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Literal

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Place = Literal["loopback", "network", "elsewhere"]

# RFC 1918, RFC 3927, RFC 4193, RFC 4291 2.5.6: addresses that routers of the internet do not forward.
PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
)
# RFC 4291, 2.5.4, and RFC 6177: a host has a whole /64, and a site up to a /48.
HOST_BITS, SITE_BITS = 64, 48
MAPPED_BITS = 96  # before the IPv4 address


def read_address(text: str) -> Address | None:
    """Return the address in a text, without its zone (`%eth0`), or None if it is no address."""
    try:
        found = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def read_network(text: str) -> Network:
    """Return the network in a text: 192.0.2.7, 10.0.0.0/8, fd00::/8. Raises `ValueError`."""
    network = ipaddress.ip_network(text, strict=False)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < MAPPED_BITS:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - MAPPED_BITS))


@lru_cache(maxsize=4096)
def normalized(text: str) -> str:
    """Return the address as the panel writes it, and any other text as it is."""
    return str(read_address(text) or text)


@lru_cache(maxsize=4096)
def place_of(text: str) -> Place:
    """Return where an address is: this machine (`loopback`), the local network (`network`), or `elsewhere`."""
    found = read_address(text)
    if found is None:
        return "elsewhere"
    if found.is_loopback:
        return "loopback"
    return "network" if any(found in network for network in PRIVATE) else "elsewhere"


@lru_cache(maxsize=4096)
def host_of(text: str) -> str:
    """Return the host that an address stands for: an IPv4 address, or the /64 of an IPv6 address.

    All link-local addresses of a network are in one /64 (RFC 4291, 2.5.6), so each of them is a host.
    """
    found = read_address(text)
    if isinstance(found, ipaddress.IPv6Address) and not (found.is_loopback or found.is_link_local):
        return str(ipaddress.ip_network((found, HOST_BITS), strict=False))
    return text if found is None else str(found)


@lru_cache(maxsize=4096)
def site_of(text: str) -> str | None:
    """Return the /48 of an IPv6 address, which is a provider's customer. None for IPv4: there addresses are scarce."""
    found = read_address(text)
    if isinstance(found, ipaddress.IPv6Address) and not found.is_loopback:
        return str(ipaddress.ip_network((found, SITE_BITS), strict=False))
    return None
