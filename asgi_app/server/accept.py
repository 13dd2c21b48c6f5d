"""Accepting connections fast enough for a crowd.

libuv accepts one connection in each turn of the loop (since 1.45). When thousands come at once the kernel's queue runs
over, and whoever is dropped from it tries again after a second, three, seven, fifteen: also those who have nothing to
do with the crowd. So whatever waits is accepted as well; what a crowd says waits at the turnstile (`net/admission.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any, Protocol

ACCEPTED_A_TURN = 64  # connections that are accepted in one turn of the loop
AGAIN_SECONDS = 0.1  # after accepting failed, most likely since there is no file for another connection
RESET = b"\1\0\0\0\0\0\0\0"  # SO_LINGER: on, 0 s


class Acceptor:
    """Makes the protocols of a listener's connections, and accepts those that wait behind one of libuv's."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        make: Callable[[], asyncio.BaseProtocol],
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._make = make
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
            task = self._loop.create_task(self._loop.connect_accepted_socket(self._make, connection))
            self._arriving.add(task)
            task.add_done_callback(self._arrived)
        self._draining = True
        self._loop.call_soon(self._drain)

    def _arrived(self, task: asyncio.Task[Any]) -> None:
        self._arriving.discard(task)
        if not task.cancelled():
            task.exception()  # a client that has gone: as libuv's, nobody is told


class Handshakes(Protocol):
    """Who counts connections while they shake hands."""

    def expect(self, peer: Any) -> bool:
        """Whether a connection from there may shake hands."""

    def no_longer(self, peer: Any) -> None:
        """The handshake is over; the connection has taken what was kept for it, or never will."""


class TLSListener:
    """Accepts connections that begin with TLS's handshake, which takes time and memory: they count from then on.

    libuv's own listener says nothing of a connection before its handshake is done.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        make: Callable[[], asyncio.BaseProtocol],
        tls: dict[str, Any],
        handshakes: Handshakes,
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._make = make
        self._tls = tls
        self._handshakes = handshakes
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
            except OSError:  # it would be tried at once, for ever
                self._loop.remove_reader(self._listener.fileno())
                self._again = self._loop.call_later(AGAIN_SECONDS, self._listen)
                return
            connection.setblocking(False)
            if not self._handshakes.expect(peer):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                connection.close()
                continue
            task = self._loop.create_task(self._shake_hands(connection, peer))
            self._arriving.add(task)
            task.add_done_callback(self._arriving.discard)

    async def _shake_hands(self, connection: socket.socket, peer: Any) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make, connection, **self._tls)
        except (OSError, asyncio.CancelledError):  # it failed, or took too long: nobody is told
            connection.close()
        # hypercorn's connection begins in a task of its own, which has been made by now.
        self._loop.call_soon(self._handshakes.no_longer, peer)

    def close(self) -> None:
        """Accept no more, and end the handshakes under way."""
        with contextlib.suppress(OSError, ValueError):  # the socket is closed already
            self._loop.remove_reader(self._listener.fileno())
        if self._again is not None:
            self._again.cancel()
        for task in self._arriving:
            task.cancel()

    async def wait_closed(self) -> None:
        """Wait until no handshake is under way."""
        await asyncio.gather(*self._arriving, return_exceptions=True)
