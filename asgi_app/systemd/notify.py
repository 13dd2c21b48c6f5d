"""Telling systemd that the panel is up, alive and stopping: sd_notify(3), one datagram a state."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping


class ServiceManager:
    """Whoever started the panel and listens at `NOTIFY_SOCKET`; where nobody does, nothing happens."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address  # abstract sockets, unix(7)
        usec = environment.get("WATCHDOG_USEC", "")
        self._every = int(usec) / 4e6 if usec.isdecimal() and self._is_ours(environment) else None
        self._alive_at = 0.0

    def tell(self, *states: str) -> None:
        """Say `READY=1` and the like. Never fails: the panel does not need a service manager."""
        if self._address:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto("\n".join(states).encode(), self._address)

    def alive(self) -> None:
        """The event loop has just done something: say so, four times as often as the watchdog wants it."""
        now = time.monotonic()
        if self._every is not None and now - self._alive_at >= self._every:
            self._alive_at = now
            self.tell("WATCHDOG=1")

    @staticmethod
    def _is_ours(environment: Mapping[str, str]) -> bool:
        return environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
