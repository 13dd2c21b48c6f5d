"""The stock Socket.IO clients, by the names that the tests' tables give them; all have the face of `SocketIOClient`."""

from __future__ import annotations

from typing import Any

from tests.support.inbox import SocketIOClient
from tests.support.node_clients import NodeClients
from tests.support.panel_process import RunningPanel
from tests.support.python_client import PythonClient
from tests.support.slow_cases import slow

# socket.io-client 1.7.4, 2.2.0, 3.0.4 and 4.8, each over one transport; Python's polls first and then changes over.
OLD = ("1 polling", "2.2 websocket")
CLIENTS = ("3 polling", "3 websocket", "4 polling", "4 websocket", "python", *OLD)
# As parameters: `make test` has each present version, each transport and each library once, and `make test-slow` all.
EACH_CLIENT = ["3 polling", "4 websocket", "python", *slow("3 websocket", "4 polling", *OLD)]

Clients = dict[str, SocketIOClient]


async def join(
    name: str, panel: RunningPanel, node: NodeClients, namespace: str = "/", *, auth: Any = None
) -> SocketIOClient:
    """A connected client of this kind."""
    if name == "python":
        return await PythonClient.connect(panel.url, namespace=namespace, auth=auth)
    version, transport = name.split()
    options = {} if auth is None else {"auth" if version in ("3", "4") else "query": auth}
    return await node.connect(panel.url, version=version, transport=transport, namespace=namespace, **options)
