"""Polling: nothing is lost with a poll that its client gave up, and one poll at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import SERVERS, each_of
from tests.support.nginx import Nginx
from tests.support.panel_process import RunningPanel, eventually
from tests.support.polling_session import OpenPoll, PollingSession
from tests.support.raw_http import head

server = each_of(*SERVERS, matters=True)

Change = Callable[[RunningPanel, PollingSession], object]

# The namespace, what happens while nobody polls, and what the next poll must say of it.
CHANGES: dict[str, tuple[str, Change, str]] = {
    "a level": ("/", lambda panel, session: panel.post("/led", json={"level": 61}), '42["led",{"level":61}]'),
    "an ack": ("/", lambda panel, session: session.say('427["my_ping"]'), "437[]"),
    "an answer": ("/", lambda panel, session: session.say('42["my_event",{"data":5}]'), '42["my_response",{"data":5'),
    "a room's event": (
        "/",
        lambda panel, session: session.say('42["my_broadcast_event",{"data":6}]'),
        '42["my_response",{"data":6',
    ),
    "bytes": (
        "/",
        lambda panel, session: session.say('451-["my_event",{"data":{"_placeholder":true,"num":0}}]', "bAQID"),
        "bAQID",
    ),
    "native words": (
        "/panel",
        lambda panel, session: panel.post("/led", json={"level": 62}),
        "42/panel,",
    ),
    "a reply": ("/panel", lambda panel, session: session.say('42/panel,8["ask",{"do":"ping","id":8}]'), "43/panel,8["),
}


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("what", CHANGES)
def test_a_poll_that_was_given_up_takes_nothing_with_it(panel: RunningPanel, what: str, reset: bool) -> None:
    namespace, change, expected = CHANGES[what]
    panel.post("/led", json={"level": 40})
    with PollingSession(panel, namespace) as session:
        for _ in range(2):  # the second time after one that was answered
            session.give_up_a_poll(reset=reset)
            change(panel, session)
            assert [packet for packet in session.poll() if packet.startswith(expected)]
            panel.post("/led", json={"level": 40})
            session.caught_up(namespace)


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("count", [1, 3])
def test_nor_with_requests_behind_it(panel: RunningPanel, server: str, count: int, reset: bool) -> None:
    if server == "hypercorn":
        pytest.skip("it reads nothing more, not the client's end either, before the first request is answered")
    panel.post("/led", json={"level": 40})
    with PollingSession(panel, "/") as session:
        session.give_up_a_poll(reset=reset, behind=head("GET", "/led") * count)
        panel.post("/led", json={"level": 61})
        assert '42["led",{"level":61}]' in session.poll()


def test_a_client_that_tries_again_is_not_taken_for_two(panel: RunningPanel) -> None:
    """Chromium sends a GET again by itself, when the connection ended before the answer."""
    with PollingSession(panel, "/") as session:
        session.open_poll().give_up(reset=True)
        again = OpenPoll(panel, session.path)
        panel.post("/led", json={"level": 63})
        status, body = again.answer()
        assert status == 200
        assert '"led"' in body or session.until('42["led"')


def test_a_poll_that_was_given_up_behind_nginx_takes_nothing_either(panel: RunningPanel, tmp_path: Path) -> None:
    with Nginx(panel, tmp_path / "nginx") as nginx, PollingSession(panel, "/") as session:
        panel.until_left()
        poll = OpenPoll(panel, session.path, port=nginx.port)
        eventually(lambda: panel.metrics()["pilotlight_connections", ""] == 2)
        poll.give_up()
        panel.until_left()
        panel.post("/led", json={"level": 64})
        assert '42["led",{"level":64}]' in session.poll()


def test_two_polls_at_once_end_the_session(panel: RunningPanel) -> None:
    session = PollingSession(panel, "/panel")  # where the panel says nothing by itself
    first = session.open_poll()
    second = OpenPoll(panel, session.path)
    assert second.answer()[0] == 400
    assert first.answer() == (200, "1")
    assert session.is_over()
    assert session.get().status_code == 400


def test_a_poll_that_is_open_at_the_goodbye_is_answered(panel: RunningPanel) -> None:
    session = PollingSession(panel, "/panel")
    poll = session.open_poll()
    session.say("1")
    assert poll.answer() == (200, "6")
    assert session.is_over()


def test_much_comes_in_several_answers_and_in_order(panel: RunningPanel) -> None:
    with PollingSession(panel, "/") as session:
        text = "x" * 200_000
        # What it says is heard as far as it reads the answers, so it does both at once.
        with ThreadPoolExecutor() as saying:
            said = saying.submit(
                lambda: [session.say(f'42["my_event",{{"data":["{number}","{text}"]}}]') for number in range(12)]
            )
            answers = [session.get().text]
            while '["11"' not in answers[-1]:
                answers.append(session.get().text)
            said.result()
        assert max(map(len, answers)) < 2 * 1024 * 1024
        events = [
            packet
            for answer in answers
            for packet in answer.split("\x1e")
            if "my_response" in packet and text in packet
        ]
        assert [packet.split('"data":["')[1].split('"')[0] for packet in events] == [
            str(number) for number in range(12)
        ]
