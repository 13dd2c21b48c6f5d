"""Who is really asking, where a reverse proxy stands in front: believed only of the proxies that a setting names.

`seen_through` is called before anything else looks at a request. Behind it `scope["client"]`, `scope["scheme"]` and
the Host header are those of the client's own request. Where that cannot be known, since a peer that nobody named says
that it forwards, or a named one does not say for whom, `scope["pilotlight.proxied"]` is true, and nobody may take
the request for one of this machine.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Mapping
from typing import Any

from asgi_app.addresses import of_ipv4
from asgi_app.journal import event

log = logging.getLogger("pilotlight.proxies")

PROXIED = "pilotlight.proxied"
FORWARDED = "pilotlight.forwarded"  # by a named proxy, that says for whom
# What proxies add. `Forwarded` (RFC 7239) and the rest are signs that there is one; believed are the first three.
FOR, PROTO, HOST = b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"
SIGNS = frozenset({FOR, PROTO, HOST, b"x-real-ip", b"forwarded", b"via"})
LOGGED = 1000  # peers that are told of in the log; a script that changes its address fills no log

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def networks(names: list[str]) -> list[Network]:
    """Addresses and networks (192.0.2.7, 10.0.0.0/8, fd00::/8). Raises `ValueError` that says which is none."""
    found = []
    for name in names:
        try:
            found.append(of_ipv4(ipaddress.ip_network(name, strict=False)))
        except ValueError:
            raise ValueError(f"{name!r} is no address and no network; write it like 192.0.2.7 or 10.0.0.0/8") from None
    return found


def address_of(scope: Mapping[str, Any]) -> str:
    """The address of the client, without its port; empty where the server does not know it."""
    client = scope.get("client")
    return str(_address(client[0]) or client[0]) if client else ""


class Proxies:
    """The proxies that are `trusted`, by address or network."""

    def __init__(self, trusted: list[str]) -> None:
        self._trusted = networks(trusted)
        self._told: set[str] = set()

    def trusts(self, address: str) -> bool:
        """Whether this is the address of a named proxy."""
        return self._is_trusted(_address(address))

    def seen_through(self, scope: dict[str, Any]) -> dict[str, Any]:
        """The scope of an HTTP request or a WebSocket as the client's own request would have made it."""
        signs = {name: value for name, value in scope["headers"] if name in SIGNS}
        if not signs and not self._trusted:
            return scope
        peer = address_of(scope)
        if not self.trusts(peer):
            if signs:
                self._say_once(peer)
                scope[PROXIED] = True
            return scope
        if not signs and ipaddress.ip_address(peer).is_loopback:
            return scope  # a program of this machine, that speaks for itself
        return self._forwarded(dict(scope), signs)

    def _forwarded(self, scope: dict[str, Any], signs: dict[bytes, bytes]) -> dict[str, Any]:
        client = self._client(scope["headers"])
        if client is None or (client.is_loopback and not ipaddress.ip_address(address_of(scope)).is_loopback):
            scope[PROXIED] = True  # a proxy's own machine is not this one
        else:
            scope["client"] = (str(client), 0)
            scope[FORWARDED] = True
        if (scheme := _last(signs.get(PROTO))) in ("http", "https"):
            sockets = scope["type"] == "websocket"
            scope["scheme"] = scheme.replace("http", "ws", 1) if sockets else scheme
        if host := _last(signs.get(HOST)):
            others = [header for header in scope["headers"] if header[0] != b"host"]
            scope["headers"] = [*others, (b"host", host.encode("latin-1"))]
        return scope

    def _client(self, headers: list[tuple[bytes, bytes]]) -> Address | None:
        """The last address in X-Forwarded-For that is no named proxy's: anybody can write what stands before it."""
        named = b",".join(value for name, value in headers if name == FOR).decode("latin-1").split(",")
        client = None
        for text in reversed(named):
            address = _address(text)
            if address is None:
                break
            client = address
            if not self._is_trusted(address):
                break
        return client

    def _is_trusted(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted)

    def _say_once(self, peer: str) -> None:
        if peer in self._told or len(self._told) >= LOGGED:
            return
        self._told.add(peer)
        log.warning(
            "%s forwards for others and is not believed; the setting trusted_proxies = ['%s'] would change that",
            peer,
            peer,
            extra=event("proxy_not_trusted", client=peer, setting="trusted_proxies"),
        )


def _address(text: str) -> Address | None:
    """The address in a text that may have a port; one of IPv4 also where it is written as one of IPv6."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _last(value: bytes | None) -> str:
    return (value or b"").decode("latin-1").rsplit(",", 1)[-1].strip()
