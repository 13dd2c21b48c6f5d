"""Old clients that ask and read nothing: what they are owed is bounded, and they get it once they read again."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import EVERY_WAY, each_of
from tests.support.old_polling import WEBSOCKET, OldPollingSession, body
from tests.support.panel_process import RunningPanel
from tests.support.polling_session import PollingSession
from tests.support.raw_http import masked, opening

pytestmark = [pytest.mark.slow, pytest.mark.for_real]
server = each_of(*EVERY_WAY, matters=True)

SENT = 30_000_000  # bytes
GROWS = 10_000_000  # bytes, at most


@pytest.mark.parametrize(
    "said", [b"2" + b"p" * 90, b'42["my_event",{"data":"%s"}]' % (b"x" * 1000)], ids=["pings", "events"]
)
def test_answers_that_nobody_reads(panel: RunningPanel, said: bytes) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(2)
        client.connect(("127.0.0.1", panel.port))
        client.sendall(opening(WEBSOCKET))
        before = panel.process.memory_info().rss
        with pytest.raises(TimeoutError):  # the panel reads no more
            client.sendall(masked(said, 1) * (SENT // len(said)))
        assert panel.level() >= 0  # and is there for others
        assert panel.process.memory_info().rss - before < GROWS
    assert panel.complaints() == []


def test_a_poller_that_pings_and_does_not_poll(panel: RunningPanel) -> None:
    """Its body is taken as far as it polls, and every pong comes."""
    session = OldPollingSession(panel)
    with ThreadPoolExecutor() as other:
        said = other.submit(session.post, body(*["2"] * 2000))
        pongs = 0
        while pongs < 2000:
            assert panel.level() >= 0
            pongs += session.poll().count("3")
        assert said.result().text == "ok"
    session.post(body("1"))


def test_a_poller_that_is_too_far_behind_is_told_by_an_error(
    start_panel: Callable[..., RunningPanel], server: str
) -> None:
    panel = start_panel(server=server, outbox=8)
    behind = OldPollingSession(panel)
    with PollingSession(panel, "/") as new:
        for number in range(100):
            new.say(f'42["my_broadcast_event",{{"data":{number}}}]')
            new.caught_up()
    assert behind.get().status_code == 400
    assert behind.is_over()
    assert panel.log().count("reason=far_behind]") == 1
