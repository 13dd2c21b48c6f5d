"""Fixtures that the tests of this folder share."""

from __future__ import annotations

import pytest

from asgi_app.hub import Outbox
from asgi_app.ws.engineio.outbox import EngineOutbox
from tests.support.outbox_messages import (
    LIMIT,
    Snapshots,
)


@pytest.fixture
def snapshots() -> Snapshots:
    return Snapshots()


@pytest.fixture
def outbox(snapshots: Snapshots) -> Outbox:
    return Outbox(snapshots, limit=4)


@pytest.fixture
def queue() -> EngineOutbox:
    return EngineOutbox(LIMIT)
