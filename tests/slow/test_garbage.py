"""A connection that has ended leaves nothing for the garbage collector.

The collector seldom looks at what is old (`serve.settle`), and a connection is: one that held itself in a circle would
stay for hours, and a panel whose clients come and go would grow meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import socketio

from campaigns.clients import Way
from campaigns.load import Load
from tests.conftest import EVERY_WAY, each_of
from tests.support.panel_process import RunningPanel, eventually
from tests.support.raw_sockets import end_with_a_reset, upgrade

server = each_of(*EVERY_WAY, matters=True)

CLIENTS = 20
WEBSOCKETS = ("/live", "/echo", "/somebody", "/socket.io/?EIO=4&transport=websocket")


class Uncollected(RunningPanel):
    """A panel without its garbage collector."""

    for_real = True

    @property
    def _told(self) -> Path:
        return self.data.parent / "uncollected"

    def program(self) -> Sequence[str]:
        return (sys.executable, "-m", "tests.support.without_collector", str(self._told))

    def uncollected(self) -> dict[str, int]:
        """What only the collector would free, by class."""
        self._told.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGURG)
        eventually(self._told.exists)
        told: dict[str, int] = json.loads(self._told.read_text())
        return told

    def nobody_left(self) -> None:
        """Wait until the last connection is closed."""
        self.until_left()
        time.sleep(0.3)  # that one's end


@pytest.fixture(scope="module")
def panel(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uncollected]:
    data = tmp_path_factory.mktemp("uncollected") / "data"
    with Uncollected(data, server=server, log_level="warning") as running:  # type: ignore[attr-defined]
        left_by(clients_of_all_kinds, running)  # what is made once
        yield running


def left_by(doing: Callable[[RunningPanel], object], panel: Uncollected) -> dict[str, int]:
    """Return the objects that it left behind."""
    panel.nobody_left()
    panel.uncollected()
    doing(panel)
    panel.nobody_left()
    return panel.uncollected()


def clients_of_all_kinds(panel: RunningPanel) -> None:
    """Native, on Socket.IO, polling, in the old chat and over REST; some leave without a word."""

    async def come_and_go() -> None:
        async with Load(Way("127.0.0.1", panel.port), CLIENTS) as load:
            end = time.monotonic() + 30
            while load.missing():
                assert time.monotonic() < end, load.missing()
                await asyncio.sleep(0.05)
            for which in range(CLIENTS):
                load.replace(which)
            await asyncio.sleep(0.5)

    asyncio.run(come_and_go())


def stock_clients(panel: RunningPanel) -> None:
    """Socket.IO clients that begin with polling, as most do, or stay with it; all say goodbye."""

    async def come_and_go() -> None:
        for transports in (None, ["polling"], ["websocket"]):
            client = socketio.AsyncClient()
            await client.connect(panel.url, transports=transports, wait_timeout=30)
            while transports is None and client.transport() != "websocket":
                await asyncio.sleep(0.01)
            await client.call("my_ping")
            await client.disconnect()

    asyncio.run(come_and_go())


def clients_that_are_cut(panel: RunningPanel) -> None:
    """Resets in the middle of a request, of a handshake, and of a life."""
    for said in (b"", b"GET /led HT", *map(upgrade, WEBSOCKETS)):
        for read in (False, True):
            with socket.create_connection(("127.0.0.1", panel.port), timeout=30) as plug:
                plug.sendall(said)
                if read and said.endswith(b"\n"):
                    plug.recv(64)
                end_with_a_reset(plug)


@pytest.mark.parametrize("doing", [clients_of_all_kinds, stock_clients, clients_that_are_cut])
def test_nothing_of_a_connection_waits_for_the_collector(
    panel: Uncollected, doing: Callable[[RunningPanel], object]
) -> None:
    assert left_by(doing, panel) == {}
