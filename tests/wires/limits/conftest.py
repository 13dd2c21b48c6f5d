"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.low_limits import PROXY, RATE, SECONDS
from tests.support.panel_process import RunningPanel


@pytest.fixture(scope="module")
def strict(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel with small limits, and a proxy on this machine by which tests come from anywhere."""
    with RunningPanel(
        tmp_path_factory.mktemp("strict") / "data",
        server=server,
        trusted_proxies=PROXY,
        role_network="operator",
        command_rate=RATE,
        rest_rate=2,  # slower than any machine answers
        connections_per_address=4,
        request_timeout=SECONDS,
        ping_interval=2,  # and a busy machine has as long for its answer
        socket_rooms=3,
    ) as panel:
        yield panel
