"""Accepting connections fast enough for a crowd.

libuv accepts one connection in each turn of the loop (since 1.45). When thousands come at once the kernel's queue runs
over, and whoever is dropped from it tries again after a second, three, seven, fifteen: also those who have nothing to
do with the crowd. So whatever waits is accepted as well; what a crowd says waits at the turnstile (`doors.py`).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

ACCEPTED_A_TURN = 64  # connections that are accepted in one turn of the loop


class Acceptor:
    """Makes the protocols of a listener's connections, and accepts those that wait behind one of libuv's."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        make: Callable[[], asyncio.BaseProtocol],
        tls: dict[str, Any],
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._make = make
        self._tls = tls
        self._draining = False
        self._arriving: set[asyncio.Task[Any]] = set()

    def make_protocol(self) -> asyncio.BaseProtocol:
        """That of one more connection, which libuv has accepted; more may wait behind it."""
        if not self._draining:
            self._draining = True
            self._loop.call_soon(self._drain)
        return self._make()

    def _drain(self) -> None:
        self._draining = False
        for _ in range(ACCEPTED_A_TURN):
            try:
                connection, _address = self._listener.accept()
            except OSError:  # there is none any more, or no file for it: libuv goes on
                return
            connection.setblocking(False)
            task = self._loop.create_task(self._loop.connect_accepted_socket(self._make, connection, **self._tls))
            self._arriving.add(task)
            task.add_done_callback(self._arrived)
        self._draining = True
        self._loop.call_soon(self._drain)

    def _arrived(self, task: asyncio.Task[Any]) -> None:
        self._arriving.discard(task)
        if not task.cancelled():
            task.exception()  # a handshake of TLS that failed, or a client that has gone: as libuv's, nobody is told
