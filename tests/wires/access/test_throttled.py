"""Guessing is slowed down before tokens and tickets too, on every wire, and a right token is let in all the same."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.network_namespace import Network
from tests.support.panel_process import RunningPanel
from tests.support.security_table import Asker
from tests.support.signing_in import token_of


@pytest.fixture(scope="module")
def exposed(server: str, network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    data = tmp_path_factory.mktemp("exposed") / "data"
    with RunningPanel(data, server=server, host="0.0.0.0", within=network.within, address=network.public) as running:
        yield running


def statuses(asker: Asker, path: str, times: int) -> list[int]:
    """What the problems say that so many connections get."""
    found = []
    for _ in range(times):
        with asker.connected(path) as socket:
            found.append(json.loads(socket.recv(30))["problem"]["status"])
    return found


def test_wrong_tickets(exposed: RunningPanel, network: Network) -> None:
    asker = Asker(exposed, network.another(), ticket="wrong")
    assert 429 in statuses(asker, "/live", 8)


def test_wrong_tokens(exposed: RunningPanel, network: Network) -> None:
    source = network.another()
    asker = Asker(exposed, source, token="plt_wrong")
    assert 429 in statuses(asker, "/live", 8)
    right = Asker(exposed, source, token=token_of(exposed, "viewer"))
    with right.connected("/live") as socket:  # it cannot be guessed, and others may be behind this address
        assert "epoch" in json.loads(socket.recv(30))


def test_wrong_tokens_over_socketio(exposed: RunningPanel, network: Network) -> None:
    source = network.another()
    assert 429 in statuses(Asker(exposed, source, token="plt_wrong"), "/live", 8)
    said = []
    for _ in range(3):  # the first five are free for others; a machine that stalls outlasts the first wait
        with Asker(exposed, source).connected("/socket.io/?EIO=4&transport=websocket") as socket:
            socket.recv(30)
            socket.send('40/panel,{"ticket":"wrong"}')
            said.append(json.loads(str(socket.recv(30)).partition(",")[2])["data"]["status"])
    assert 429 in said
