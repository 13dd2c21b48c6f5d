"""The one timer of all connections: who is called, in which order, and when."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, cast

from asgi_app.server.heartbeats import Heartbeats
from tests.support.jumping_clock import jumping

SECONDS = 0.05


class Connection:
    """It notes that it was called, and may do something then."""

    def __init__(self, name: str, called: list[str]) -> None:
        self.name = name
        self.called = called
        self.then = lambda: None

    def due(self) -> None:
        self.called.append(self.name)
        self.then()


@jumping
async def test_each_is_called_once_in_the_order_of_its_last_word() -> None:
    called: list[str] = []
    heartbeats = Heartbeats(asyncio.get_running_loop(), SECONDS)
    one, two, three, four = (Connection(name, called) for name in "1234")
    for connection in (one, two, three, four):
        heartbeats.later(connection)
    heartbeats.forget(two)
    heartbeats.forget(two)
    await asyncio.sleep(SECONDS / 5)
    heartbeats.later(one)  # it has answered
    await asyncio.sleep(SECONDS * 4)
    assert called == ["3", "4", "1"]


@jumping
async def test_what_one_does_to_others_holds() -> None:
    called: list[str] = []
    heartbeats = Heartbeats(asyncio.get_running_loop(), SECONDS)
    one, two, three = (Connection(name, called) for name in "123")

    def then() -> None:
        if called == ["1"]:
            heartbeats.later(one)  # a ping was sent
            heartbeats.forget(two)  # and somebody else has ended
            heartbeats.later(two)  # and come back

    one.then = then  # type: ignore[method-assign,assignment]
    for connection in (one, two, three):
        heartbeats.later(connection)
    await asyncio.sleep(SECONDS * 1.5)
    assert called == ["1", "3"]
    await asyncio.sleep(SECONDS * 4)
    assert called == ["1", "3", "1", "2"]


@jumping
async def test_a_connection_that_comes_when_none_waited_is_called_too() -> None:
    called: list[str] = []
    heartbeats = Heartbeats(asyncio.get_running_loop(), SECONDS)
    for name in "12":
        heartbeats.later(Connection(name, called))
        await asyncio.sleep(SECONDS * 3)
        assert called[-1] == name


@jumping
async def test_there_is_one_timer_whoever_waits() -> None:
    loop = asyncio.get_running_loop()
    called: list[str] = []
    timers: list[asyncio.TimerHandle] = []

    class Counting:
        """The loop, which notes each timer."""

        time = staticmethod(loop.time)

        def call_later(self, *arguments: Any, **options: Any) -> asyncio.TimerHandle:
            timers.append(loop.call_later(*arguments, **options))
            assert sum(timer.when() > loop.time() and not timer.cancelled() for timer in timers) == 1
            return timers[-1]

    heartbeats = Heartbeats(cast(Any, Counting()), SECONDS)
    connections = [Connection(name, called) for name in "123"]
    for connection in connections:
        connection.then = partial(heartbeats.later, connection)  # it pings, and waits for the answer
        heartbeats.later(connection)
        await asyncio.sleep(SECONDS / 4)
    await asyncio.sleep(SECONDS * 8)
    assert len(timers) <= len(called) + 1
    assert 18 <= len(called) <= 30
    assert called == [str(number % 3 + 1) for number in range(len(called))]
