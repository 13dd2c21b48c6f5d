"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from asgi_app.store import Retention, Store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(tmp_path, Retention(messages=100))
    store.open()
    yield store
    store.close()
