"""A stock client that polls comes back after a failed poll, though it says goodbye to its old session first."""

from __future__ import annotations

import pytest

from asgi_app.ws.socketio.recovery import OFFSET
from tests.conftest import SERVERS, each_of
from tests.support.cuttable_line import Line
from tests.support.node_clients import NodeClient, NodeClients

server = each_of(*SERVERS, matters=True)

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOON = {"reconnectionDelay": 300, "reconnectionDelayMax": 300, "timeout": 20_000}


@pytest.mark.parametrize("namespace", ["/", "/uia"])
async def test_it_is_recovered_each_time_its_poll_fails(
    line: Line, node: NodeClients, other: NodeClient, namespace: str
) -> None:
    client = await node.connect(line.url, transport="polling", namespace=namespace, **SOON)
    await client.next(OFFSET)
    producer = other if namespace == "/" else await node.connect(line.panel.url, namespace=namespace)
    sid = None
    for number in range(5):
        line.fail_polls()  # the goodbye to the old session comes through
        assert await client.next("disconnect") == ["transport error"]
        line.fail_polls(False)
        if namespace == "/":
            await producer.ask("my_broadcast_event", {"data": f"missed {number}"})
        else:
            await producer.ask("uia", {"topic": "uia", "process_id": "p", "message": f"missed {number}"})
        recovered, now = await client.next("connect")
        assert recovered, f"not the {number + 1}. time"
        assert sid in (None, now)
        sid = now
    event, key = ("my_response", "data") if namespace == "/" else ("uia", "message")
    said = [saying[key] for saying in await client.arrived(event)]
    assert [text for text in said if "missed" in str(text)] == [f"missed {number}" for number in range(5)]
    await client.disconnect()
