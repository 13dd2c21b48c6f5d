"""Two networks of the campaign's own (network namespaces), one for the panel and one for its clients, with two links.

The clients' sockets are made in theirs; a link can be taken down, and nobody hears of it. Needs root on Linux.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

CLONE_NEWNET = 0x40000000
LINKS = ("10.213.1", "10.213.2")  # the first three numbers of each link's addresses; .1 is the panel, .2 the clients


def can_be_had() -> bool:
    """Whether networks can be made here."""
    return os.geteuid() == 0 and shutil.which("ip") is not None


class Networks:
    """The two networks. `front` and `clients_front` start a process in one of them, `sockets` makes sockets."""

    def __init__(self, name: str) -> None:
        self.panels, self.clients = f"{name}-panel", f"{name}-clients"
        self.front, self.clients_front = (["ip", "netns", "exec", name] for name in (self.panels, self.clients))

    @staticmethod
    def address(link: int) -> str:
        """The panel's address on this link."""
        return f"{LINKS[link]}.1"

    def sockets(self, info: Any) -> socket.socket:
        """A socket in the clients' network: which one a socket is in is settled when it is made."""
        family, kind, protocol, _, _ = info
        with _within(self.clients):
            return socket.socket(family, kind, protocol)

    def link(self, link: int, up: bool) -> None:
        """Take a link up or down, at the clients' end: the panel sees nothing, only silence."""
        _ip("-n", self.clients, "link", "set", f"c{link}", "up" if up else "down")
        if up:  # a link that goes down takes nothing else with it but its routes
            _ip("-n", self.clients, "addr", "replace", f"{LINKS[link]}.2/24", "dev", f"c{link}")

    def __enter__(self) -> Networks:
        _ip("netns", "add", self.panels)
        _ip("netns", "add", self.clients)
        for network in (self.panels, self.clients):
            _ip("-n", network, "link", "set", "lo", "up")
        for link, address in enumerate(LINKS):
            _ip("-n", self.panels, "link", "add", f"p{link}", "type", "veth", "peer", f"c{link}", "netns", self.clients)
            for network, end, last in ((self.panels, f"p{link}", 1), (self.clients, f"c{link}", 2)):
                _ip("-n", network, "addr", "add", f"{address}.{last}/24", "dev", end)
                _ip("-n", network, "link", "set", end, "up")
        return self

    def __exit__(self, *error: object) -> None:
        for network in (self.panels, self.clients):
            subprocess.run(["ip", "netns", "del", network], check=False, capture_output=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextlib.contextmanager
def _within(network: str) -> Iterator[None]:
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as home, open(f"/run/netns/{network}") as there:
        _enter(libc, there.fileno())
        try:
            yield
        finally:
            _enter(libc, home.fileno())


def _enter(libc: ctypes.CDLL, network: int) -> None:
    if libc.setns(network, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
