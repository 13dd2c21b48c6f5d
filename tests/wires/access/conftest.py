"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.network_namespace import Network
from tests.support.panel_process import RunningPanel, eventually
from tests.support.signing_in import pin_of, sign_in


@pytest.fixture(scope="module")
def home(server: str, network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel that listens in a home's network, in which this process is another host."""
    data = tmp_path_factory.mktemp("home") / "data"
    with RunningPanel(data, server=server, host="0.0.0.0", within=network.within, address=network.private) as running:
        yield running


@pytest.fixture(autouse=True)
def _nobody_waits(request: pytest.FixtureRequest) -> None:
    """Each test of the home begins without wrong tries: a right PIN forgives them."""
    if "home" in request.fixturenames:
        home: RunningPanel = request.getfixturevalue("home")
        eventually(lambda: sign_in(home, pin=pin_of(home)).status_code == 200, every=0.3)
