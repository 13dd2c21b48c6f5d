"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.panel_process import RunningPanel


@pytest.fixture(autouse=True)
def _nothing_went_wrong_inside(panel: RunningPanel) -> Iterator[None]:
    """Whatever a client does, the panel's log has no traceback."""
    logged = len(panel.output)
    yield
    assert "Traceback" not in "".join(panel.output[logged:])
