"""The real client behind a reverse proxy. Only the proxies that the setting `trusted_proxies` names are believed.

`seen_through` comes before anything else that looks at a request. After it, `scope["client"]`, `scope["scheme"]` and
the Host header are those of the client's own request. Sometimes the client is unknown: a proxy is not trusted, or a
trusted one does not name the client. Then `scope["pilotlight.proxied"]` is true, and the request never counts as one of
this machine.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from asgi_app.net.address import Address, Network, normalized, read_address, read_network
from asgi_app.telemetry.logs import LogLimit, event

log = logging.getLogger("pilotlight.proxies")

PROXIED = "pilotlight.proxied"
FORWARDED = "pilotlight.forwarded"  # by a trusted proxy, which names the client
FOR, PROTO, HOST = b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"
REAL_IP, RFC7239 = b"x-real-ip", b"forwarded"
# Headers that reverse proxies, load balancers and tunnels add. Each is a sign of another client. Only the first three
# and `Forwarded` (RFC 7239) are believed.
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
# Headers of a proxy on this machine for a client on this machine. Any other sign means another proxy before it.
OF_LOOPBACK = frozenset(
    {FOR, PROTO, HOST, REAL_IP, RFC7239, b"x-forwarded-port", b"x-forwarded-server", b"x-forwarded-scheme"}
    | {b"x-forwarded-ssl", b"x-forwarded-prefix"}
)
# Some proxies name the scheme of the connection, Traefik that of the handshake (RFC 3986, 3.1: in any case).
IS_SECURE = {"http": False, "ws": False, "https": True, "wss": True}
REMEMBERED = 1000  # proxies in the log, and names of headers

Headers = list[tuple[bytes, bytes]]

PORT = r"(?::[0-9]{1,5})?"
HOP = re.compile(rf"\[(?P<v6>[0-9a-fA-F:.]+)\]{PORT}|(?P<v4>[0-9.]+){PORT}|(?P<bare>[0-9a-fA-F:.]+)")
# One parameter of `Forwarded` with what ends it (RFC 7239, 4): a token or a quoted string (RFC 9110, 5.6).
TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
PARAMETER = re.compile(rf"""[ \t]*({TOKEN})=("(?:[^"\\]|\\.)*"|{TOKEN})[ \t]*([;,]|$)""")


LOOPBACK = (read_network("127.0.0.0/8"), read_network("::1"))


def networks(names: list[str]) -> list[Network]:
    """Return the networks (192.0.2.7, 10.0.0.0/8, fd00::/8). Raises `ValueError`, which names the invalid one."""
    found = []
    for name in names:
        try:
            found.append(read_network(name))
        except ValueError:
            raise ValueError(f"{name!r} is no address and no network; write it like 192.0.2.7 or 10.0.0.0/8") from None
    return found


def address_of(scope: Mapping[str, Any]) -> str:
    """Return the client's address without port: empty if unknown; `behind <proxy>`, which all its clients share."""
    client = scope.get("client")
    address = normalized(client[0]) if client else ""
    return f"behind {address}" if scope.get(PROXIED) else address


class _IsSign(dict[bytes, bool]):
    """Whether a header is a sign of a proxy. Cached by name, since each header of each request is looked up."""

    def __missing__(self, name: bytes) -> bool:
        found = name in SIGNS or name.startswith(SIGNS_BEGIN)
        if len(self) < REMEMBERED:  # invented names must not fill the memory
            self[name] = found
        return found


_IS_SIGN = _IsSign()


class Proxies:
    """The `trusted` proxies, by address or network."""

    def __init__(self, trusted: list[str]) -> None:
        self._trusted = networks(trusted)
        self._log_limit = LogLimit(REMEMBERED)

    def trusts(self, address: str) -> bool:
        """Whether this is the address of a trusted proxy."""
        return self._is_trusted(_read_peer(address))

    @property
    def on_loopback(self) -> bool:
        """Whether a proxy on this machine is trusted: then a loopback address does not identify the client."""
        return any(network.overlaps(loopback) for network in self._trusted for loopback in LOOPBACK)

    def seen_through(self, scope: dict[str, Any]) -> dict[str, Any]:
        """Return the scope that the client's own request would have made, for HTTP or WebSocket."""
        signs = [header for header in scope["headers"] if _IS_SIGN[header[0]]]
        if not signs and not self._trusted:
            return scope
        peer = address_of(scope)
        if not self.trusts(peer):
            if signs:
                self._log_untrusted(peer)
                scope[PROXIED] = True
            return scope
        found = _read_peer(peer)
        assert found is not None  # it is trusted
        return self._forwarded(dict(scope), found, signs)

    def _forwarded(self, scope: dict[str, Any], peer: Address, signs: Headers) -> dict[str, Any]:
        client = self._client(signs, peer)
        if client is None:
            scope[PROXIED] = True
        else:
            scope["client"] = (str(client), 0)
            scope[FORWARDED] = True
        if (secure := IS_SECURE.get(_last(signs, PROTO).lower())) is not None:
            scheme = "ws" if scope["type"] == "websocket" else "http"
            scope["scheme"] = scheme + "s" if secure else scheme
        if host := _last(signs, HOST):
            others = [header for header in scope["headers"] if header[0] != b"host"]
            scope["headers"] = [*others, (b"host", host.encode("latin-1"))]
        return scope

    def _client(self, signs: Headers, peer: Address) -> Address | None:
        """Return the address of the client, or None if the headers do not name it clearly."""
        chains = [chain for chain in (_x_forwarded_for(signs), _rfc7239(signs)) if chain]
        found = {self._first_untrusted(chain, peer) for chain in chains}
        client = found.pop() if len(found) == 1 else None
        if client is not None and client.is_loopback and not _may_be_loopback(signs):
            return None
        return client

    def _first_untrusted(self, chain: list[Address | None], peer: Address) -> Address | None:
        """Return the last hop that is neither a trusted proxy nor on this machine. Anybody can forge the others.

        None if a hop on the way is no address, or the loopback of another machine. A loopback address is the client
        only if there is no other: a program there may forward for another host.
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

    def _log_untrusted(self, peer: str) -> None:
        if self._log_limit.allows(peer):
            log.warning(
                "Requests from the proxy %s count as those of strangers; trusted_proxies = ['%s'] would trust it",
                peer,
                peer,
                extra=event("proxy_not_trusted", client=peer, setting="trusted_proxies"),
            )


# For each request. A server may know a client by an IPv6 address with a zone (RFC 4007, 11).
_read_peer = lru_cache(maxsize=4096)(read_address)


def _x_forwarded_for(signs: Headers) -> list[Address | None]:
    """The hops of `X-Forwarded-For`, the nearest last. None for a hop that is no address."""
    named = [value.decode("latin-1") for name, value in signs if name == FOR]
    return [_address(text) for text in ",".join(named).split(",")] if named else []


def _rfc7239(signs: Headers) -> list[Address | None]:
    """The hops of `Forwarded` (RFC 7239). None for a hop that is no address, has none, or cannot be parsed."""
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
    return [*hops, None]  # the rest cannot be parsed, and it is the nearest


def _may_be_loopback(signs: Headers) -> bool:
    """Whether all headers agree with a client on this machine."""
    for name, value in signs:
        if name not in OF_LOOPBACK:
            return False
        if name == REAL_IP and not ((address := _address(value.decode("latin-1"))) and address.is_loopback):
            return False
    return True


def _address(text: str) -> Address | None:
    """The address in a text that may have a port."""
    found = HOP.fullmatch(text.strip(" \t"))
    return None if found is None else read_address(found["v6"] or found["v4"] or found["bare"])


def _last(signs: Headers, wanted: bytes) -> str:
    values = [value for name, value in signs if name == wanted]
    return values[-1].decode("latin-1").rsplit(",", 1)[-1].strip() if values else ""
