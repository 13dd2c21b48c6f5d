"""Who is really asking, where a reverse proxy stands in front: believed only of the proxies that a setting names.

`seen_through` is called before anything else looks at a request. Behind it `scope["client"]`, `scope["scheme"]` and
the Host header are those of the client's own request. Where that cannot be known, since a peer that nobody named says
that it forwards, or a named one does not say for whom, `scope["pilotlight.proxied"]` is true: the request is a
stranger's, and never one of this machine.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from asgi_app.net.address import of_ipv4
from asgi_app.telemetry.logs import event

log = logging.getLogger("pilotlight.proxies")

PROXIED = "pilotlight.proxied"
FORWARDED = "pilotlight.forwarded"  # by a named proxy, that says for whom
FOR, PROTO, HOST = b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"
REAL_IP, RFC7239 = b"x-real-ip", b"forwarded"
# Headers that reverse proxies, load balancers and tunnels add. Each is a sign that somebody else asks; believed are the
# first three and `Forwarded` (RFC 7239).
SIGNS = frozenset(
    {
        b"via",
        b"cdn-loop",
        b"client-ip",
        b"true-client-ip",
        b"fastly-client-ip",
        b"fly-client-ip",
        b"do-connecting-ip",
        b"x-real-ip",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"x-remote-addr",
        b"x-remote-ip",
        b"x-proxyuser-ip",
        b"x-varnish",
    }
)
SIGNS_BEGIN = (
    b"x-forwarded",
    b"forwarded",
    b"x-original-",
    b"x-envoy-",
    b"x-azure-",
    b"x-appengine-",
    b"x-vercel-",
    b"x-nf-client",
    b"cf-",
    b"tailscale-",
)
# What a proxy on this machine may say of a client on this machine; more than that is of another proxy before it.
OF_LOOPBACK = frozenset(
    {FOR, PROTO, HOST, REAL_IP, RFC7239, b"x-forwarded-port", b"x-forwarded-server", b"x-forwarded-scheme"}
    | {b"x-forwarded-ssl", b"x-forwarded-prefix"}
)
LOGGED = 1000  # peers that are told of in the log; a script that changes its address fills no log

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Headers = list[tuple[bytes, bytes]]

PORT = r"(?::[0-9]{1,5})?"
HOP = re.compile(rf"\[(?P<v6>[0-9a-fA-F:.]+)\]{PORT}|(?P<v4>[0-9.]+){PORT}|(?P<bare>[0-9a-fA-F:.]+)")
# One parameter of `Forwarded` with what ends it (RFC 7239, 4): a token or a quoted string (RFC 9110, 5.6).
TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
PARAMETER = re.compile(rf"""[ \t]*({TOKEN})=("(?:[^"\\]|\\.)*"|{TOKEN})[ \t]*([;,]|$)""")


LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


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
    """The address of the client, without its port; empty where the server does not know it.

    `behind <proxy>` where only the proxy's is known: limits hold for all strangers behind it together.
    """
    client = scope.get("client")
    address = _written(client[0]) if client else ""
    return f"behind {address}" if scope.get(PROXIED) else address


class _IsSign(dict[bytes, bool]):
    """Whether a header is a sign of a proxy: looked up once a name, for it is asked of each header of each request."""

    def __missing__(self, name: bytes) -> bool:
        found = name in SIGNS or name.startswith(SIGNS_BEGIN)
        if len(self) < LOGGED:  # names that somebody makes up fill nothing
            self[name] = found
        return found


_IS_SIGN = _IsSign()


class Proxies:
    """The proxies that are `trusted`, by address or network."""

    def __init__(self, trusted: list[str]) -> None:
        self._trusted = networks(trusted)
        self._told: set[str] = set()

    def trusts(self, address: str) -> bool:
        """Whether this is the address of a named proxy."""
        return self._is_trusted(_peer(address))

    @property
    def on_loopback(self) -> bool:
        """Whether a proxy on this machine is named: then no address there says who asks."""
        return any(network.overlaps(loopback) for network in self._trusted for loopback in LOOPBACK)

    def seen_through(self, scope: dict[str, Any]) -> dict[str, Any]:
        """The scope of an HTTP request or a WebSocket as the client's own request would have made it."""
        signs = [header for header in scope["headers"] if _IS_SIGN[header[0]]]
        if not signs and not self._trusted:
            return scope
        peer = address_of(scope)
        if not self.trusts(peer):
            if signs:
                self._say_once(peer)
                scope[PROXIED] = True
            return scope
        return self._forwarded(dict(scope), peer, signs)

    def _forwarded(self, scope: dict[str, Any], peer: str, signs: Headers) -> dict[str, Any]:
        client = self._client(signs, ipaddress.ip_address(peer))
        if client is None:
            scope[PROXIED] = True
        else:
            scope["client"] = (str(client), 0)
            scope[FORWARDED] = True
        if (scheme := _last(signs, PROTO)) in ("http", "https"):
            sockets = scope["type"] == "websocket"
            scope["scheme"] = scheme.replace("http", "ws", 1) if sockets else scheme
        if host := _last(signs, HOST):
            others = [header for header in scope["headers"] if header[0] != b"host"]
            scope["headers"] = [*others, (b"host", host.encode("latin-1"))]
        return scope

    def _client(self, signs: Headers, peer: Address) -> Address | None:
        """The address of the client; None where it is not said, or not said clearly: then it is a stranger's."""
        chains = [chain for chain in (_x_forwarded_for(signs), _rfc7239(signs)) if chain]
        found = {self._first_untrusted(chain, peer) for chain in chains}
        client = found.pop() if len(found) == 1 else None
        if client is not None and client.is_loopback and not _may_be_loopback(signs):
            return None
        return client

    def _first_untrusted(self, chain: list[Address | None], peer: Address) -> Address | None:
        """The last hop that is no named proxy's and not on this machine: anybody can write what stands before it.

        None where a hop on the way is no address, or the loopback of another machine. An address of loopback is the
        client only where there is no other: one program there may ask on behalf of another host.
        """
        client, here = None, peer.is_loopback
        for hop in reversed(chain):
            if hop is None or (hop.is_loopback and not here):
                return None
            client = hop
            if not self._is_trusted(hop) and not hop.is_loopback:
                break
            here = hop.is_loopback
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


def _x_forwarded_for(signs: Headers) -> list[Address | None]:
    """The hops of `X-Forwarded-For`, the last proxy's word last; None for one that is no address."""
    named = [value.decode("latin-1") for name, value in signs if name == FOR]
    return [_address(text) for text in ",".join(named).split(",")] if named else []


def _rfc7239(signs: Headers) -> list[Address | None]:
    """The hops of `Forwarded`; None for one that is no address, says none, or cannot be read."""
    named = [value.decode("latin-1") for name, value in signs if name == RFC7239]
    if not named:
        return []
    text, at, hops = ",".join(named), 0, []
    said: list[str] = []  # by `for`, in one element
    while (found := PARAMETER.match(text, at)) is not None:
        name, value, end = found.groups()
        at = found.end()
        if name.lower() == "for":
            said.append(re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value)
        if end != ";":
            hops.append(_address(said[0]) if len(said) == 1 else None)
            said = []
        if not end:
            return hops
    return [*hops, None]  # what comes last was written last


def _may_be_loopback(signs: Headers) -> bool:
    """Whether nothing speaks against a client on this machine."""
    for name, value in signs:
        if name not in OF_LOOPBACK:
            return False
        if name == REAL_IP and not ((address := _address(value.decode("latin-1"))) and address.is_loopback):
            return False
    return True


@lru_cache(maxsize=4096)
def _written(text: str) -> str:
    return str(_peer(text) or text)


@lru_cache(maxsize=4096)
def _peer(text: str) -> Address | None:
    """The address that the server knows somebody by: one of IPv6 may have a zone (RFC 4007, 11)."""
    return _address(text.partition("%")[0])


def _address(text: str) -> Address | None:
    """The address in a text that may have a port; one of IPv4 also where it is written as one of IPv6."""
    found = HOP.fullmatch(text.strip(" \t"))
    if found is None:
        return None
    try:
        address = ipaddress.ip_address(found["v6"] or found["v4"] or found["bare"])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _last(signs: Headers, wanted: bytes) -> str:
    values = [value for name, value in signs if name == wanted]
    return values[-1].decode("latin-1").rsplit(",", 1)[-1].strip() if values else ""
