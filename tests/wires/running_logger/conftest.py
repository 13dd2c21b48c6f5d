"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support.inbox import SocketIOClient
from tests.support.node_clients import NodeClients
from tests.support.panel_process import NO_TLS, RunningPanel
from tests.support.stock_clients import CLIENTS, EACH_CLIENT, Clients, join


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(panel: RunningPanel) -> AsyncIterator[httpx.AsyncClient]:
    """The panel's REST face."""
    async with httpx.AsyncClient(base_url=panel.url, timeout=30, verify=NO_TLS) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pages(panel: RunningPanel, node: NodeClients) -> AsyncIterator[Clients]:
    """The five, connected."""
    connected = {name: await join(name, panel, node, "/running_logger") for name in CLIENTS}
    yield connected
    for client in connected.values():
        await client.disconnect()


@pytest_asyncio.fixture(loop_scope="module", params=EACH_CLIENT)
async def producer(request: pytest.FixtureRequest, panel: RunningPanel, node: NodeClients) -> AsyncIterator[Any]:
    """A new connection of each kind in turn, which runs a process."""
    client = await join(request.param, panel, node, "/running_logger")
    yield client
    await client.disconnect()


@pytest_asyncio.fixture(loop_scope="module")
async def worker(panel: RunningPanel, node: NodeClients) -> AsyncIterator[SocketIOClient]:
    """A new connection that runs a process."""
    client = await join("4 websocket", panel, node, "/running_logger")
    yield client
    await client.disconnect()
