"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.page_lights import LIGHTS
from tests.support.panel_process import RunningPanel


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel with four lights on simulated pins; each test sets those it uses first."""
    with RunningPanel(tmp_path_factory.mktemp("panel") / "data", lights=LIGHTS) as running:
        yield running
