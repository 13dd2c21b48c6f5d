"""From polling to a WebSocket: it begins with a probe, one at a time, and the session loses nothing by it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from asgi_app.ws.engineio.packets import SEPARATOR
from tests.conftest import EVERY_WAY, each_of
from tests.support.panel_process import RunningPanel, eventually
from tests.support.polling_session import PollingSession
from tests.support.rooms_clients import BY_ITSELF

server = each_of(*EVERY_WAY, matters=True)


@pytest.fixture
def session(panel: RunningPanel) -> Iterator[PollingSession]:
    """In the default namespace, at the level 40."""
    panel.post("/led", json={"level": 40})
    with PollingSession(panel, "/") as made:
        yield made


def wait_closed(socket: ClientConnection) -> None:
    """Wait for its end."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            socket.recv(timeout=30)


def until(socket: ClientConnection, text: str) -> list[str]:
    """Return the packets up to this one."""
    frames = [str(socket.recv(timeout=30))]
    while frames[-1] != text:
        frames.append(str(socket.recv(timeout=30)))
    return frames


@contextmanager
def upgraded(session: PollingSession) -> Iterator[ClientConnection]:
    """Its WebSocket, that has taken over."""
    with session.socket() as socket:
        socket.send("2probe")
        assert socket.recv(timeout=30) == "3probe"
        socket.send("5")
        socket.send('427["my_ping"]')
        until(socket, "437[]")
        yield socket


def test_a_poll_that_is_open_ends_with_a_noop_and_the_websocket_goes_on(
    panel: RunningPanel, session: PollingSession
) -> None:
    poll = session.open_poll()
    with session.socket() as socket:
        socket.send("2probe")
        assert socket.recv(timeout=30) == "3probe"
        status, answer = poll.answer()
        assert status == 200
        assert answer == "6" or BY_ITSELF in answer
        panel.post("/led", json={"level": 41})  # while nobody polls
        socket.send("5")
        socket.send('427["my_ping"]')
        assert '42["led",{"level":41}]' in until(socket, "437[]")


def test_a_poll_that_comes_after_the_probe_ends_with_a_noop(session: PollingSession) -> None:
    with session.socket() as socket:
        socket.send("2probe")
        assert socket.recv(timeout=30) == "3probe"
        assert session.until("6")[-1] == "6"
        socket.send("5")
        socket.send('427["my_ping"]')
        until(socket, "437[]")


def test_a_poll_that_follows_one_with_data_ends_with_the_noop_too(panel: RunningPanel, session: PollingSession) -> None:
    """A client that has not read the answer to its probe yet polls again, and then waits for the NOOP."""
    poll = session.open_poll()
    with session.socket() as socket:
        socket.send("2probe")
        panel.post("/led", json={"level": 41})
        assert socket.recv(timeout=30) == "3probe"
        if "6" not in poll.answer()[1].split(SEPARATOR):  # else the NOOP was first, on this busy machine
            assert session.until("6")[-1] == "6"
        socket.send("5")
        socket.send('427["my_ping"]')
        until(socket, "437[]")


@pytest.mark.parametrize("said", [[], ["2probe"], ["2probe", "2probe"]], ids=["nothing", "a probe", "two probes"])
def test_one_that_stops_half_way_takes_nothing_from_the_session(
    panel: RunningPanel, session: PollingSession, said: list[str]
) -> None:
    with session.socket() as socket:
        for text in said:
            socket.send(text)
            assert socket.recv(timeout=30) == "3probe"
        noops = []
        for level in range(50, 80):
            panel.post("/led", json={"level": level})
            came = session.until('42["led"')
            noops += [packet for packet in came if packet == "6"]
            assert f'42["led",{{"level":{level}}}]' in came
        assert len(noops) <= len(said)


WRONG = [["2"], ["2prob"], ["3probe"], ["40"], ["6"], ["1"], ["2probe", "40"], ["2probe", "2"]]


def test_one_that_does_not_poll_needs_no_probe(session: PollingSession) -> None:
    with session.socket() as socket:
        socket.send("5")
        socket.send('427["my_ping"]')
        until(socket, "437[]")
        assert session.get().status_code == 400


@pytest.mark.parametrize("said", WRONG, ids=[" ".join(said) for said in WRONG])
def test_one_that_says_something_else_is_closed_and_the_session_polls_on(
    panel: RunningPanel, session: PollingSession, said: list[str]
) -> None:
    with session.socket() as socket:
        for text in said:
            socket.send(text)
        wait_closed(socket)
    assert session.caught_up()[-1] == "43999[]"
    with upgraded(session):
        pass


def test_one_that_breaks_off_after_its_probe_leaves_the_way_free(session: PollingSession) -> None:
    with session.socket() as socket:
        socket.send("2probe")
        assert socket.recv(timeout=30) == "3probe"
        socket.socket.close()
    assert session.caught_up()[-1] == "43999[]"

    def free() -> bool:  # once the panel has noticed
        with session.socket() as other:
            try:
                other.send("2probe")
                return bool(other.recv(timeout=30) == "3probe")
            except ConnectionClosed:
                return False

    assert eventually(free)


def test_one_at_a_time_takes_over(session: PollingSession) -> None:
    with session.socket() as silent, session.socket() as socket:
        socket.send("2probe")
        assert socket.recv(timeout=30) == "3probe"
        with session.socket() as late:
            wait_closed(late)
        silent.send("2probe")  # it was there first, and said nothing
        wait_closed(silent)
        socket.send("5")
        socket.send('427["my_ping"]')
        until(socket, "437[]")


def test_those_who_were_too_late_are_closed_when_it_is_done(session: PollingSession) -> None:
    with session.socket() as silent, upgraded(session) as socket:
        wait_closed(silent)
        socket.send('427["my_ping"]')
        until(socket, "437[]")


def test_after_it_nothing_else_speaks_for_the_session(panel: RunningPanel, session: PollingSession) -> None:
    with upgraded(session) as socket:
        for answer in (session.get(), session.post('42["led",{"level":99}]'), session.post("1")):
            assert answer.status_code == 400
            assert "uses its WebSocket" in answer.text
        with session.socket() as second:
            wait_closed(second)
        socket.send('427["my_ping"]')
        until(socket, "437[]")
    assert panel.level() == 40


@pytest.mark.parametrize("probed", [False, True])
def test_it_ends_with_its_session(session: PollingSession, probed: bool) -> None:
    with session.socket() as socket:
        if probed:
            socket.send("2probe")
            assert socket.recv(timeout=30) == "3probe"
        session.say("1")
        wait_closed(socket)
        assert session.is_over()
