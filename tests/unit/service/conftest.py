"""Fixtures that the tests of this folder share."""

from __future__ import annotations

import pytest

from tests.support.service_bench import Bench


@pytest.fixture
async def bench() -> Bench:
    return Bench()
