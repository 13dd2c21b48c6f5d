"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from tests.support.live_client import LiveClient, live
from tests.support.panel_process import NO_TLS, RunningPanel
from tests.support.runs_watchers import IDS


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(panel: RunningPanel) -> AsyncIterator[httpx.AsyncClient]:
    """The panel's REST face."""
    async with httpx.AsyncClient(base_url=panel.url, timeout=30, verify=NO_TLS) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def producer(panel: RunningPanel) -> AsyncIterator[LiveClient]:
    """A connection that runs things."""
    async with live(panel, agent="maker") as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def viewer(panel: RunningPanel) -> AsyncIterator[LiveClient]:
    """A connection that looks."""
    async with live(panel, agent="looker") as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def run(producer: LiveClient) -> AsyncIterator[str]:
    """The id of a run with no line yet, whose producer is `producer`."""
    id = next(IDS)
    assert (await producer.ask("start_run", run=id, name=id))["ok"]
    yield id
    await producer.ask("end_run", run=id)
