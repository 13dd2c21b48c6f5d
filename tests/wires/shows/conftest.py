"""Fixtures that the tests of this folder share."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support.live_client import LiveClient, live
from tests.support.node_clients import NodeClients
from tests.support.panel_process import NO_TLS, RunningPanel
from tests.support.show_wires import (
    LIGHTS,
    WIRES,
    Native,
    OldWire,
    Rest,
    Wire,
    write_shows,
)
from tests.support.stock_clients import join


@pytest.fixture(scope="module")
def panel(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel with two lights and shows of its own."""
    data = tmp_path_factory.mktemp("panel") / "data"
    write_shows(data)
    with RunningPanel(data, server=server, lights=LIGHTS) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(panel: RunningPanel) -> AsyncIterator[httpx.AsyncClient]:
    """The panel's REST face."""
    async with httpx.AsyncClient(base_url=panel.url, timeout=30, verify=NO_TLS) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def viewer(panel: RunningPanel) -> AsyncIterator[LiveClient]:
    """Somebody who looks on, on the native wire."""
    async with live(panel, agent="looker") as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module", params=WIRES)
async def wire(
    request: pytest.FixtureRequest, panel: RunningPanel, node: NodeClients, http: httpx.AsyncClient
) -> AsyncIterator[Wire]:
    """Each wire in turn."""
    made: Wire
    name: str = request.param
    if name.startswith("old "):
        made = OldWire(await join(name[4:], panel, node, "/running_logger"), await join(name[4:], panel, node, "/uia"))
    elif name == "/live":
        context = live(panel, agent="wire")
        client = await context.__aenter__()

        async def ask_live(command: dict[str, Any]) -> Any:
            return await client.ask(**command)

        made = Native(ask_live, lambda: context.__aexit__(None, None, None))
    elif name == "/panel python":
        python = await join("python", panel, node, "/panel")
        ids = itertools.count(1)

        async def ask_panel(command: dict[str, Any]) -> Any:
            return (await python.ask("ask", {"id": next(ids), **command}))[0]

        made = Native(ask_panel, python.disconnect)
    else:
        made = Rest(http)
    yield made
    await made.close()
