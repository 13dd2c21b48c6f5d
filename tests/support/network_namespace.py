"""Another host: a network namespace of the test's own, in which a panel listens on its network's addresses.

To that panel this process is somebody in the network, by any address it likes.
"""

from __future__ import annotations

import ipaddress
import itertools
import random
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

GUESSERS = 120  # addresses to guess from, since each is slowed down


class NoRight(Exception):
    """This machine lets nobody make a network namespace: it needs root, and a kernel with namespaces."""


class Network:
    """A cable between this process and a namespace. A context manager; `number` is of 1 to 250.

    On it are two networks: `private`, one of a home (RFC 1918), and `public`, one of nobody's (RFC 2544).
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self._name = f"pilotlight-test-{number}"
        self._cable = f"plc{number}"
        self._private = ipaddress.ip_network(f"10.{number}.0.0/24")
        self._public = ipaddress.ip_network(f"198.18.{number}.0/24")
        self.private = str(self._private[1])  # of the panel
        self.public = str(self._public[1])
        self.at_home = str(self._private[2])  # of this process
        self._away = [str(self._public[number]) for number in range(2, 2 + GUESSERS)]
        self._next = itertools.cycle(self._away)
        self.within = ("ip", "netns", "exec", self._name)

    @property
    def away(self) -> str:
        """An address of this process in nobody's network."""
        return self._away[0]

    def another(self) -> str:
        """Another address in nobody's network, each time."""
        return next(self._next)

    @classmethod
    def any(cls) -> Self:
        """One with a number that nobody has."""
        for number in random.sample(range(1, 251), 5):
            network = cls(number)
            if not Path("/run/netns", network._name).exists():
                return network
        raise NoRight

    def __enter__(self) -> Self:
        try:
            _ip(f"netns add {self._name}")
        except (OSError, subprocess.CalledProcessError) as error:
            raise NoRight from error
        try:
            other = f"{self._cable}n"
            here = [f"link add {self._cable} type veth peer name {other} netns {self._name}"]
            there = []
            for network, addresses in ((self._private, [self.at_home]), (self._public, self._away)):
                here += [f"addr add {address}/{network.prefixlen} dev {self._cable}" for address in addresses]
                there += [f"addr add {network[1]}/{network.prefixlen} dev {other}"]
            here += [f"link set {self._cable} addrgenmode none"]  # no address that comes later, by itself
            here += [f"link set {self._cable} up"]
            there += [f"link set {other} up", "link set lo up"]
            _ip("-batch -", here)
            _ip(f"-n {self._name} -batch -", there)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _ip(f"netns del {self._name}")  # the cable goes with it


def _ip(words: str, commands: Sequence[str] = ()) -> None:
    lines = "\n".join(commands).encode()
    subprocess.run(["ip", *words.split()], input=lines, check=True, capture_output=True, timeout=30)
