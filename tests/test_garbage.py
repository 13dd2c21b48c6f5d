"""A connection that has ended leaves nothing for the garbage collector.

The collector seldom looks at what is old (`serve.settle`), and a connection is: one that held itself in a circle would
stay for hours, and a panel whose clients come and go would grow meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import socketio

from campaigns.load import Load, Way
from tests.conftest import EVERY_WAY, each_of
from tests.running import RunningPanel

server = each_of(*EVERY_WAY)

CLIENTS = 20


class Uncollected(RunningPanel):
    """A panel without its garbage collector."""

    @property
    def _told(self) -> Path:
        return self.data.parent / "uncollected"

    def command(self) -> list[str]:
        command = super().command()
        at = command.index("asgi_app")
        return [*command[:at], "tests.standins.uncollected", str(self._told), *command[at + 1 :]]

    def uncollected(self) -> dict[str, int]:
        """What only the collector would free, by class."""
        self._told.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        end = time.monotonic() + 10
        while not self._told.exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        told: dict[str, int] = json.loads(self._told.read_text())
        return told

    def nobody_left(self) -> None:
        """Wait until the last connection is closed."""
        end = time.monotonic() + 10
        while "pilotlight_connections 1.0" not in self.get("/metrics").text:  # the one that asks
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep(0.3)  # that one's end


@pytest.fixture(scope="module")
def panel(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uncollected]:
    data = tmp_path_factory.mktemp("uncollected") / "data"
    with Uncollected(data, server=server, log_level="warning") as running:  # type: ignore[attr-defined]
        use(clients_of_all_kinds, running)  # what is made once
        yield running


def use(doing: Callable[[RunningPanel], object], panel: Uncollected) -> dict[str, int]:
    """What is left of it."""
    panel.nobody_left()
    panel.uncollected()
    doing(panel)
    panel.nobody_left()
    return panel.uncollected()


def clients_of_all_kinds(panel: RunningPanel) -> None:
    """Native, on Socket.IO, polling, in the old chat and over REST; some leave with a goodbye, others with a reset."""

    async def come_and_go() -> None:
        async with Load(Way("127.0.0.1", panel.port), CLIENTS) as load:
            end = time.monotonic() + 10
            while load.missing():
                assert time.monotonic() < end, load.missing()
                await asyncio.sleep(0.05)
            for which in range(CLIENTS):
                load.replace(which)
            await asyncio.sleep(0.5)

    asyncio.run(come_and_go())


def clients_that_upgrade(panel: RunningPanel) -> None:
    """Socket.IO clients that begin with polling, as most do."""

    async def come_and_go() -> None:
        for _ in range(3):
            client = socketio.AsyncClient()
            await client.connect(panel.url)
            while client.transport() != "websocket":
                await asyncio.sleep(0.01)
            await client.call("my_ping")
            await client.disconnect()

    asyncio.run(come_and_go())


def clients_that_are_cut(panel: RunningPanel) -> None:
    """Resets in the middle of a request, of a handshake, and of a life."""
    upgrade = (
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    for said in ("", "GET /led HT", upgrade % "/live", upgrade % "/echo", upgrade % "/somebody"):
        for read in (False, True):
            with socket.create_connection(("127.0.0.1", panel.port), timeout=10) as plug:
                plug.sendall(said.encode())
                if read and said.endswith("\n"):
                    plug.recv(64)
                plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("doing", [clients_of_all_kinds, clients_that_upgrade, clients_that_are_cut])
def test_nothing_of_a_connection_waits_for_the_collector(
    panel: Uncollected, doing: Callable[[RunningPanel], object]
) -> None:
    assert use(doing, panel) == {}
