"""Each old client on each transport, as a fixture."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.support.inbox import SocketIOClient
from tests.support.node_clients import NodeClients, OldPythonClients
from tests.support.panel_process import RunningPanel
from tests.support.slow_cases import slow

QUICK = "2.2 upgrade"
VERSIONS, TRANSPORTS = ("1", "2.0", "2.2", "2.5", "python"), ("polling", "websocket", "upgrade")
REST = [way for version in VERSIONS for transport in TRANSPORTS if (way := f"{version} {transport}") != QUICK]

Connect = Callable[..., Awaitable[SocketIOClient]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def old_python() -> AsyncIterator[NodeClients]:
    """The process of python-socketio 4.6."""
    async with OldPythonClients() as clients:
        yield clients


@pytest.fixture(params=[QUICK, *slow(*REST)])
def connect(request: pytest.FixtureRequest, panel: RunningPanel, node: NodeClients) -> Connect:
    """Connect a client of this kind to a namespace. One that upgrades has done so."""
    version, transport = request.param.split()
    clients: NodeClients = request.getfixturevalue("old_python") if version == "python" else node

    async def connected(namespace: str = "/", **query: Any) -> SocketIOClient:
        client = await clients.connect(
            panel.url, version=version, transport=transport, namespace=namespace, query=query
        )
        if transport == "upgrade":
            await client.inbox.next("upgrade")
        return client

    return connected
