"""Notifications to systemd that the panel is ready, alive or stopping: datagrams of sd_notify(3)."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping


def is_service() -> bool:
    """Return whether systemd has started this process, and starts it again after a fault."""
    return "NOTIFY_SOCKET" in os.environ


class ServiceManager:
    """The service manager that listens at `NOTIFY_SOCKET`. Without one, the methods do nothing."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address  # abstract sockets, unix(7)
        usec = environment.get("WATCHDOG_USEC", "")
        is_for_us = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._every = int(usec) / 4e6 if usec.isdecimal() and is_for_us else None
        self._alive_at = 0.0

    def notify(self, *states: str) -> None:
        """Send states such as `READY=1`. Errors are ignored: the panel does not need a service manager."""
        if self._address:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto("\n".join(states).encode(), self._address)

    def alive(self) -> None:
        """Notify the watchdog that the event loop works, at most four times in each `WATCHDOG_USEC`."""
        now = time.monotonic()
        if self._every is not None and now - self._alive_at >= self._every:
            self._alive_at = now
            self.notify("WATCHDOG=1")
