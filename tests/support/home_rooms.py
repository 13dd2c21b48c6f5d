"""Clients of the old rooms page on several processes of a home, and a way to know that nothing is under way."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from tests.support.node_clients import NodeClients
from tests.support.panel_process import RunningPanel
from tests.support.rooms_clients import BY_ITSELF, Client
from tests.support.stock_clients import join

_marks = (f"mark {number}" for number in itertools.count(1))


async def client_of(panel: RunningPanel, node: NodeClients, kind: str = "4 websocket") -> Client:
    """A client of this kind on this process."""
    return await Client(await join(kind, panel, node)).begin()


async def heard(clients: list[Client]) -> list[list[Any]]:
    """What `my_response` said to each, until the first one has said to all that this is all."""
    mark = next(_marks)
    await clients[0].send("my_broadcast_event", {"data": mark})
    for client in clients:
        await client.socket.next("my_response", lambda args: args[0]["data"] == mark)
    told = [client.socket.inbox.take("my_response") for client in clients]
    return [[args[0]["data"] for args in some if args[0]["data"] != BY_ITSELF] for some in told]


async def shared_again(clients: list[Client]) -> None:
    """Wait until each hears the other."""
    for one, other in (clients, clients[::-1]):
        async with asyncio.timeout(20):
            while True:
                await one.send("my_broadcast_event", {"data": "shared?"})
                try:
                    await other.socket.inbox.next("my_response", lambda args: args[0]["data"] == "shared?", timeout=0.3)
                    break
                except AssertionError:
                    continue
    await heard(clients)
    for client in clients:
        await client.told()
