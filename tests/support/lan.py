"""A machine with interfaces of all sorts, and somebody else in its network: two network namespaces with a cable.

Nothing of it is seen outside, so it may come and go while other tests run.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from tests.support.network_namespace import NoRight

T = TypeVar("T")

CLONE_NEWNET = 0x40000000  # linux/sched.h
OTHERS = ("192.168.7.1/24", "192.168.8.1/24", "169.254.7.1/16", "fd07::1/64 nodad")


class Lan:
    """A context manager. The machine's end of the cable is its `eth0`; the other's addresses end in 1."""

    def __init__(self) -> None:
        name = f"pl{os.getpid()}-{secrets.token_hex(2)}"
        self.machine, self.other = f"{name}m", f"{name}o"

    def __enter__(self) -> Self:
        try:
            _ip([], [f"netns add {self.machine}", f"netns add {self.other}"])
            _ip(["-n", self.other], [f"link add eth0 type veth peer name eth0 netns {self.machine}"])
        except (OSError, subprocess.CalledProcessError) as error:
            self.__exit__(None, None, None)
            raise NoRight from error
        up = ["link set eth0 up", "link set lo up"]
        _ip(["-n", self.other], [*(f"addr add {address} dev eth0" for address in OTHERS), *up])
        _ip(["-n", self.machine], up)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in (self.machine, self.other):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True, timeout=30)

    def ip(self, *lines: str) -> None:
        """`ip …`, each line, on the machine."""
        _ip(["-n", self.machine], lines)


def inside(namespace: str, call: Callable[[], T]) -> T:
    """What the call returns in this network namespace; it runs in a thread of its own, which has that to itself."""

    def run() -> T:
        file = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(file, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {namespace}")
        finally:
            os.close(file)
        return call()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result()


def _ip(options: list[str], lines: list[str] | tuple[str, ...]) -> None:
    command = ["ip", *options, "-batch", "-"]
    subprocess.run(command, input="\n".join(lines), check=True, capture_output=True, text=True, timeout=30)
