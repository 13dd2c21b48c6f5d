"""Fixtures that the tests of this folder share."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

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
def nobody() -> Iterator[str]:
    """The address of no panel: a port that is taken, so that nobody else listens there, and not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
