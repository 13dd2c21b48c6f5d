"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from tests.support.live_client import LiveClient, live
from tests.support.native_command_tables import BEFORE
from tests.support.panel_process import NO_TLS, RunningPanel


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(panel: RunningPanel) -> AsyncIterator[httpx.AsyncClient]:
    """The panel's REST face."""
    async with httpx.AsyncClient(base_url=panel.url, timeout=30, verify=NO_TLS) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bystander(panel: RunningPanel) -> AsyncIterator[LiveClient]:
    """Somebody who watches while the others are tested, and must never be disturbed."""
    async with live(panel, agent="bystander") as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def client(panel: RunningPanel, http: httpx.AsyncClient, bystander: LiveClient) -> AsyncIterator[LiveClient]:
    """A client named Anna; the light is at 42 %."""
    assert (await http.patch("/lights/led", json={"level": BEFORE, "on": True, "effect": "none"})).status_code == 200
    await bystander.caught_up()
    async with live(panel, agent="Anna") as connected:
        yield connected
