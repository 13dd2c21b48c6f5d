"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.support.panel_process import NO_TLS, RunningPanel
from tests.support.rest_lights import BEFORE, LIGHTS, Lights


@pytest.fixture(scope="module")
def panel(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel of three lights, shared by the tests of this file."""
    with RunningPanel(tmp_path_factory.mktemp("panel") / "data", server=server, lights=LIGHTS) as running:
        yield running


@pytest.fixture(scope="module")
def lights(panel: RunningPanel) -> Iterator[Lights]:
    with httpx.Client(
        base_url=panel.url, timeout=30, verify=NO_TLS, limits=httpx.Limits(max_keepalive_connections=0)
    ) as client:
        yield Lights(client)


@pytest.fixture(autouse=True)
def _light_at_a_known_level(lights: Lights) -> None:
    lights.patch(**BEFORE)
