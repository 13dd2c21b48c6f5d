"""Fixtures: a running panel on each server, the JavaScript clients, and pigpio's daemon, as processes of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.node_client import NodeClients
from tests.running import PLAIN, RunningPanel
from tests.standins.pigpiod import StandIn

SERVERS = ("uvicorn", "hypercorn")
FAST_AND_PLAIN = {
    "test_echo",
    "test_fanout",
    "test_led_socketio",
    "test_recovery",
    "test_rooms",
}  # where frames are what matters


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each ASGI server in turn: the tests of the wires run on both, and some without the fast path, too."""
    if "server" in metafunc.fixturenames and not any(
        "server" in str(mark.args[:1]) for mark in metafunc.definition.iter_markers("parametrize")
    ):
        ways = (*SERVERS, PLAIN) if metafunc.module.__name__.removeprefix("tests.") in FAST_AND_PLAIN else SERVERS
        metafunc.parametrize("server", ways, scope="module", indirect=True)


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> str:
    """An ASGI server by its name."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def panel(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel with simulated pins, shared by the tests of a file; each test sets the level it needs first."""
    with RunningPanel(tmp_path_factory.mktemp("panel") / "data", server=server) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[NodeClients]:
    """The process of the JavaScript clients."""
    async with NodeClients() as clients:
        yield clients


@pytest.fixture
def start_panel(tmp_path: Path) -> Iterator[Callable[..., RunningPanel]]:
    """Start panels that this test alone uses: `start_panel(server="uvicorn", pins="pigpio", …)`."""
    started: list[RunningPanel] = []

    def start(**settings: Any) -> RunningPanel:
        running = RunningPanel(settings.pop("data", tmp_path / f"data{len(started)}"), **settings)
        started.append(running)
        return running.start()

    yield start
    for running in started:
        running.kill()


@pytest.fixture
def pigpiod() -> Iterator[StandIn]:
    """pigpio's daemon, as far as its socket shows it."""
    with StandIn() as daemon:
        yield daemon
