"""Engine.IO's time limits: who is pinged, who is silent, who joins nothing, and what a late beat does."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_app.ws.engineio import pinger
from asgi_app.ws.engineio.pinger import Pinger


class Connection:
    """A connection as far as `Pinger` looks at it."""

    def __init__(self) -> None:
        self.pings = 0
        self.pinged: float | None = None
        self.closing = self.is_silent = False
        self.outside: object | None = None
        self.heard = 1000.0
        self.queue = self

    def put_nowait(self, packet: Any) -> None:
        self.pings += 1


class Clock:
    """The time, which the test sets; beats come when `Pinger` asks for them."""

    def __init__(self, pinging: Pinger) -> None:
        self.now = 1000.0
        self.pinger: Any = pinging
        self.ended: list[Any] = []

    def until(self, time: float) -> None:
        """Beat on time, until then."""
        end = 1000.0 + time
        while (rest := self.pinger.rest()) + self.now <= end:
            self.now += rest
            self.ended += self.pinger.beat()
        self.now = end

    def stall(self, seconds: float) -> None:
        """No beat in so many seconds, then the one that is due."""
        self.pinger.rest()
        self.now += seconds
        self.ended += self.pinger.beat()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock(Pinger(25, 20, 45))
    monkeypatch.setattr(pinger.time, "monotonic", lambda: made.now)
    return made


def test_a_ping_comes_after_the_interval_and_has_its_time_to_be_answered(clock: Clock) -> None:
    silent, alive = Connection(), Connection()
    clock.pinger.ping_later(silent)
    clock.pinger.ping_later(alive)
    clock.until(24.9)
    assert (silent.pings, alive.pings) == (0, 0)
    clock.until(25)
    assert (silent.pings, alive.pings) == (1, 1)
    alive.pinged = None
    clock.pinger.ping_later(alive)
    clock.until(44.9)
    assert clock.ended == []
    clock.until(45)
    assert clock.ended == [silent]
    assert silent.is_silent
    clock.until(50)
    assert (silent.pings, alive.pings) == (1, 2)


def test_what_begins_while_it_rests_is_not_late(clock: Clock) -> None:
    clock.pinger.rest()
    clock.now += 19  # nothing was due
    connection = Connection()
    clock.pinger.ping_later(connection)
    clock.pinger.expect_to_join(connection)
    clock.until(19 + 25)
    assert connection.pings == 1
    connection.pinged = None
    clock.until(19 + 45)
    assert clock.ended == [connection]
    assert not connection.is_silent


def test_who_has_joined_or_is_closing_is_left_alone(clock: Clock) -> None:
    joined, leaving = Connection(), Connection()
    for connection in (joined, leaving):
        clock.pinger.expect_to_join(connection)
    clock.pinger.ping_later(leaving)
    joined.outside, leaving.closing = None, True
    clock.until(100)
    assert clock.ended == []
    assert leaving.pings == 0


def test_who_left_again_has_the_whole_time_again(clock: Clock) -> None:
    connection = Connection()
    clock.pinger.expect_to_join(connection)
    clock.until(40)
    connection.outside = None
    clock.pinger.expect_to_join(connection)
    clock.until(84.9)
    assert clock.ended == []
    clock.until(85)
    assert clock.ended == [connection]


def test_a_late_beat_lets_what_has_come_meanwhile_be_read_first(clock: Clock) -> None:
    answered, silent = Connection(), Connection()
    for connection in (answered, silent):
        clock.pinger.ping_later(connection)
    clock.until(25)
    clock.stall(60)
    assert clock.ended == []
    answered.pinged = None  # its answer was waiting
    clock.stall(1)  # still busy, but not for ever
    assert clock.ended == [silent]


def test_who_is_overdue_is_known_between_two_beats(clock: Clock) -> None:
    connection = Connection()
    clock.pinger.ping_later(connection)
    clock.until(25)
    assert not clock.pinger.is_overdue(connection)
    clock.pinger.rest()
    clock.now += 20
    assert clock.pinger.is_overdue(connection)
    connection.pinged = None
    assert not clock.pinger.is_overdue(connection)


def test_a_client_that_sends_the_pings_has_the_interval_and_the_timeout_from_its_last_packet(clock: Clock) -> None:
    silent, alive, leaving = Connection(), Connection(), Connection()
    for connection in (silent, alive, leaving):
        clock.pinger.expect_packets(connection)
    leaving.closing = True
    clock.until(44.9)
    assert clock.ended == []
    alive.heard = 1000.0 + 30
    clock.until(45)
    assert clock.ended == [silent]
    assert silent.is_silent
    assert silent.pings == alive.pings == 0
    clock.until(74.9)
    assert clock.ended == [silent]
    clock.until(75)
    assert clock.ended == [silent, alive]
    clock.until(200)
    assert clock.ended == [silent, alive]


def test_packets_that_may_wait_unread_after_a_stall_count(clock: Clock) -> None:
    connection = Connection()
    clock.pinger.expect_packets(connection)
    clock.until(44)
    clock.stall(10)
    assert clock.ended == []
    connection.heard = clock.now
    clock.until(90)
    assert clock.ended == []
