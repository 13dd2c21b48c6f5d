"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.cuttable_line import Line
from tests.support.node_clients import NodeClient, NodeClients
from tests.support.panel_process import RunningPanel


@pytest_asyncio.fixture(loop_scope="module")
async def line(panel: RunningPanel) -> AsyncIterator[Line]:
    async with Line(panel) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def other(panel: RunningPanel, node: NodeClients) -> AsyncIterator[NodeClient]:
    """Somebody whose connection holds."""
    client = await node.connect(panel.url)
    yield client
    await client.disconnect()
