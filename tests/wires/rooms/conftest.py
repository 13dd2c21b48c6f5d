"""Fixtures that the tests of this folder share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.node_clients import NodeClients
from tests.support.panel_process import RunningPanel
from tests.support.rooms_clients import Client, Observer
from tests.support.stock_clients import EACH_CLIENT, join


@pytest_asyncio.fixture(loop_scope="module", params=EACH_CLIENT)
async def sender(request: pytest.FixtureRequest, panel: RunningPanel, node: NodeClients) -> AsyncIterator[Client]:
    """A new connection of each kind in turn; the test is about what it sends."""
    client = await Client(await join(request.param, panel, node)).begin()
    yield client
    await client.socket.disconnect()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _others(panel: RunningPanel, node: NodeClients) -> AsyncIterator[list[Client]]:
    kinds = ("4 websocket", "3 polling")
    clients = [await Client(await join(kind, panel, node)).begin() for kind in kinds]
    yield clients
    for client in clients:
        await client.socket.disconnect()


@pytest_asyncio.fixture(loop_scope="module")
async def others(_others: list[Client]) -> list[Client]:
    """Two that are there too, in no room but their own, and have heard nothing yet."""
    for client in _others:
        for room in await client.rooms():
            await client.send("leave", {"room": room})
        await client.told()
    return _others


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def observers(server: str, panel: RunningPanel) -> AsyncIterator[list[Observer]]:
    """The panel's first connections: one that leaves at once, one that stays, and one from a little later."""
    first = await Observer().connect(panel.url)
    since = first.since
    await first.disconnect()
    stays = await Observer().connect(panel.url)
    await asyncio.sleep(0.5)
    later = await Observer().connect(panel.url)
    for observer in (stays, later):
        observer.since = since
    yield [first, stays, later]
    await stays.disconnect()
    await later.disconnect()
