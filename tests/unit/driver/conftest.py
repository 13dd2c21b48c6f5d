"""Fixtures that the tests of this folder share."""

from __future__ import annotations

import pytest

from tests.support.driver_bench import Watcher


@pytest.fixture
async def watcher() -> Watcher:
    return Watcher()
