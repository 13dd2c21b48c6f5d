"""Socket.IO in a home: the default namespace is one for the clients of all processes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.home import Home
from tests.support.node_clients import NodeClients
from tests.support.stock_clients import join

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with Home(tmp_path_factory.mktemp("home")) as home:
        home.node("hall", "led")
        home.front("front", node="front-1")
        yield home


@pytest.mark.parametrize(("panel", "name"), [("hall", "hall"), ("front", "front-1")])
async def test_a_sid_names_its_process(home: Home, node: NodeClients, panel: str, name: str) -> None:
    form = re.compile(re.escape(name) + r"-[A-Za-z0-9_-]{20}")
    opened = home.panels[panel].get("/socket.io/?EIO=4&transport=polling").text
    assert form.fullmatch(opened.partition('"sid":"')[2].partition('"')[0])
    client = await join("4 polling", home.panels[panel], node)
    rooms = (await client.arrived("my_response"))[:1]
    assert rooms == [{"data": "Connected", "count": 0}]
    await client.emit("leave", {"room": "none"})
    [said] = await client.next("my_response", lambda args: args[0]["count"] == 1)
    assert form.fullmatch(said["data"].removeprefix("In rooms: "))
