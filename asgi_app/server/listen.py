"""The listening socket: on one address, or on all of this machine, those of IPv4 and of IPv6."""

from __future__ import annotations

import socket

BACKLOG = 4096  # connections that wait to be accepted, as far as the kernel allows (net.core.somaxconn)
GRACE = 1  # seconds for requests under way, once the lights are down and the sockets closed
EVERY = ("0.0.0.0", "::")  # listening on these is listening on every address


class ListenError(Exception):
    """Nobody can listen there; `errno` and `strerror` say why. `unknown` where there is no such address at all."""

    def __init__(self, error: Exception, *, unknown: bool = False) -> None:
        self.errno = getattr(error, "errno", None)
        self.strerror = getattr(error, "strerror", None) or str(error)
        self.unknown = unknown
        super().__init__(self.strerror)


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket. `::` is IPv4 too, and IPv4 alone where this kernel has no IPv6. Raises `ListenError`.

    Of a name that has addresses of both, such as localhost, it is IPv4's, at which programs ask first.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    except (OSError, UnicodeError) as error:  # UnicodeError: a part of the name is empty or too long
        raise ListenError(error, unknown=True) from None
    every = address[0] == "::"
    try:
        if every and not socket.has_dualstack_ipv6():
            address, family, every = ("0.0.0.0", port), socket.AF_INET, False
        return socket.create_server(address, family=family, backlog=BACKLOG, dualstack_ipv6=every)
    except OSError as error:
        raise ListenError(error) from None


def local_address(listener: socket.socket) -> str:
    """The address at which this machine itself reaches the listener."""
    host = str(listener.getsockname()[0])
    return "127.0.0.1" if host in EVERY else host


def url_of(host: str, port: int, *, tls: bool) -> str:
    """The panel's URL at this address."""
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/"
