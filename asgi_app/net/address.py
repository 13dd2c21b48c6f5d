"""Addresses of clients: where each is, and the networks in which one client has as many addresses as it likes.

An IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2) is its IPv4 address everywhere: a socket that listens on `::` shows
clients of IPv4 like that.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Literal

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Place = Literal["loopback", "network", "elsewhere"]

# RFC 1918, RFC 3927, RFC 4193, RFC 4291 2.5.6: addresses that no router of the internet passes on.
PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
)
# RFC 4291, 2.5.4, and RFC 6177: a host has a whole /64, and a site up to a /48.
HOST_BITS, SITE_BITS = 64, 48
MAPPED_BITS = 96  # before the IPv4 address


def read_address(text: str) -> Address | None:
    """The address in a text, without its zone (`%eth0`); None where it is none."""
    try:
        found = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def of_ipv4(network: Network) -> Network:
    """The network of IPv4 that is written as one of IPv4-mapped addresses; any other as it is."""
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < MAPPED_BITS:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - MAPPED_BITS))


@lru_cache(maxsize=4096)
def written(text: str) -> str:
    """The address as the panel writes it; a text that is no address as it is."""
    return str(read_address(text) or text)


@lru_cache(maxsize=4096)
def place_of(text: str) -> Place:
    """Where an address is: this machine (`loopback`), the local network (`network`), or `elsewhere`."""
    found = read_address(text)
    if found is None:
        return "elsewhere"
    if found.is_loopback:
        return "loopback"
    return "network" if any(found in network for network in PRIVATE) else "elsewhere"


def is_loopback(text: str) -> bool:
    """Whether it is an address of this machine's own."""
    return place_of(text) == "loopback"


@lru_cache(maxsize=4096)
def host_of(text: str) -> str:
    """Whom an address stands for: an IPv4 address, or the /64 of an IPv6 address.

    All link-local addresses of a network are in one /64 (RFC 4291, 2.5.6), so each of them stands for itself.
    """
    found = read_address(text)
    if isinstance(found, ipaddress.IPv6Address) and not (found.is_loopback or found.is_link_local):
        return str(ipaddress.ip_network((found, HOST_BITS), strict=False))
    return text if found is None else str(found)


@lru_cache(maxsize=4096)
def site_of(text: str) -> str | None:
    """The /48 of an IPv6 address, which one customer of a provider has. None for IPv4, where each address is scarce."""
    found = read_address(text)
    if isinstance(found, ipaddress.IPv6Address) and not found.is_loopback:
        return str(ipaddress.ip_network((found, SITE_BITS), strict=False))
    return None
