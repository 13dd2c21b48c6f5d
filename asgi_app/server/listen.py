"""The listening socket: on one address, or on all IPv4 and IPv6 addresses of this machine."""

from __future__ import annotations

import socket

BACKLOG = 4096  # connections that wait to be accepted, if the kernel allows as many (net.core.somaxconn)
GRACE = 1  # seconds for requests under way, once the lights are down and the sockets closed
EVERY = ("0.0.0.0", "::")  # all addresses


class ListenError(Exception):
    """The panel cannot listen there; `errno` and `strerror` say why. `unknown`: there is no such address."""

    def __init__(self, error: Exception, *, unknown: bool = False) -> None:
        self.errno = getattr(error, "errno", None)
        self.strerror = getattr(error, "strerror", None) or str(error)
        self.unknown = unknown
        super().__init__(self.strerror)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening TCP socket. Raises `ListenError`.

    `::` includes IPv4, and is IPv4 only if the kernel has no IPv6. For a name with addresses of both, such as
    localhost, it is the IPv4 address, which programs try first.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    except (OSError, UnicodeError) as error:  # UnicodeError: an empty or too long part of the name
        raise ListenError(error, unknown=True) from None
    every = address[0] == "::"
    try:
        if every and not socket.has_dualstack_ipv6():
            address, family, every = ("0.0.0.0", port), socket.AF_INET, False
        return socket.create_server(address, family=family, backlog=BACKLOG, dualstack_ipv6=every)
    except OSError as error:
        raise ListenError(error) from None


def bound_to(listener: socket.socket) -> str:
    """Return the listener's own address, without the scope of a link-local one."""
    return str(listener.getsockname()[0]).partition("%")[0]


def local_address(listener: socket.socket) -> str:
    """Return the address at which this machine reaches the listener."""
    host = str(listener.getsockname()[0])
    return "127.0.0.1" if host in EVERY else host


def url_of(host: str, port: int, *, tls: bool, root: str = "") -> str:
    """Return the panel's URL at this address, with its root path."""
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}{root}/"
