"""Accept connections fast enough for a crowd.

libuv accepts one connection in each turn of the loop (since 1.45). When thousands connect at once, the kernel's queue
overflows. A dropped client tries again after 1, 3, 7 and 15 seconds, also one that has nothing to do with the crowd. So
all waiting connections are accepted. Their first requests wait in `AdmissionQueue` (`net/admission.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

from asgi_app.net.admission import AdmissionControl
from asgi_app.telemetry.tasks import start_task

ACCEPTED_A_TURN = 64  # connections in one turn of the loop, at most
AGAIN_SECONDS = 0.1  # after accepting failed, most likely for lack of file descriptors
RESET = b"\1\0\0\0\0\0\0\0"  # SO_LINGER: on, 0 s


class Acceptor:
    """Makes the protocols of a listener's connections, and accepts those that wait after one of libuv's."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, listener: socket.socket, make: Callable[[], asyncio.BaseProtocol]
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._make = make
        self._draining = False
        self._arriving: set[asyncio.Task[Any]] = set()

    def make_protocol(self) -> asyncio.BaseProtocol:
        """Make the protocol for a connection that libuv has accepted; more may wait."""
        if not self._draining:
            self._draining = True
            self._loop.call_soon(self._drain)
        return self._make()

    def _drain(self) -> None:
        self._draining = False
        for _ in range(ACCEPTED_A_TURN):
            try:
                connection, _address = self._listener.accept()
            except OSError:  # no connection waits, or there is no file descriptor: libuv continues
                return
            connection.setblocking(False)
            task = self._loop.create_task(self._loop.connect_accepted_socket(self._make, connection))
            self._arriving.add(task)
            task.add_done_callback(self._arrived)
        self._draining = True
        self._loop.call_soon(self._drain)

    def _arrived(self, task: asyncio.Task[Any]) -> None:
        self._arriving.discard(task)
        if not task.cancelled():
            task.exception()  # the client has gone: not logged, as in libuv


class TLSListener:
    """Listener for TLS. It counts connections from the start of the handshake; libuv reports them only after it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        make: Callable[[], asyncio.BaseProtocol],
        tls: dict[str, Any],
        admission: AdmissionControl,
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._make = make
        self._tls = tls
        self._admission = admission
        self._arriving: set[asyncio.Task[None]] = set()
        self._again: asyncio.TimerHandle | None = None
        self._listen()

    def _listen(self) -> None:
        self._again = None
        self._loop.add_reader(self._listener.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPTED_A_TURN):
            try:
                connection, peer = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # else the loop would try again at once, for ever
                self._loop.remove_reader(self._listener.fileno())
                self._again = self._loop.call_later(AGAIN_SECONDS, self._listen)
                return
            connection.setblocking(False)
            if not self._admission.expect(peer):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                connection.close()
                continue
            start_task(self._arriving, self._shake_hands(connection, peer))

    async def _shake_hands(self, connection: socket.socket, peer: Any) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make, connection, **self._tls)
        except (OSError, asyncio.CancelledError):  # it failed or took too long: not logged
            connection.close()
        # hypercorn's connection begins in a task of its own, which exists by now.
        self._loop.call_soon(self._admission.no_longer, peer)

    def close(self) -> None:
        """Accept no more connections, and cancel running handshakes."""
        with contextlib.suppress(OSError, ValueError):  # the socket is closed already
            self._loop.remove_reader(self._listener.fileno())
        if self._again is not None:
            self._again.cancel()
        for task in self._arriving:
            task.cancel()

    async def wait_closed(self) -> None:
        """Wait until no handshake is running."""
        await asyncio.gather(*self._arriving, return_exceptions=True)
