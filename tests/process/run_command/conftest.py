"""Fixtures that the tests of this folder share."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from tests.support.run_command import FakePanel


@pytest.fixture
async def fake() -> AsyncIterator[FakePanel]:
    """A panel that listens."""
    panel = FakePanel()
    await panel.start()
    yield panel
    with contextlib.suppress(Exception):
        await panel.stop()


@pytest.fixture
def nobody() -> str:
    """The address of no panel."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return f"http://127.0.0.1:{port}"
