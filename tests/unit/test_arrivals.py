"""Messages that are handled in the call that brings them, and what their reader's task sees of that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from asgi_app.server.arrivals import Arrivals
from asgi_app.telemetry.tasks import rest_of


class Connection:
    """A reader in `each`; `bring` is the server's call, which no task makes."""

    def __init__(self, handle: Callable[[Connection, str], Any]) -> None:
        self.done: list[str] = []
        self.over = False
        self.gate = asyncio.Event()
        self._handle = handle
        self.arrivals = Arrivals(asyncio.get_running_loop(), lambda: None, lambda: None)
        self.task = asyncio.create_task(self.arrivals.each(lambda text: handle(self, text), lambda: self.over))

    async def bring(self, *texts: str) -> list[str]:
        """What was done when the call returned that brought these."""
        await asyncio.sleep(0)
        seen: list[str] = []

        def call() -> None:
            for text in texts:
                self.arrivals.put(text)
            seen.extend(self.done)

        asyncio.get_running_loop().call_soon(call)
        await asyncio.sleep(0)
        return seen

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


async def _note(connection: Connection, text: str) -> None:
    assert asyncio.current_task() is connection.task
    if text == "wait":
        await connection.gate.wait()
    elif text == "last":
        connection.over = True
    elif text == "limited":
        async with asyncio.timeout(0.01):
            await connection.gate.wait()
    connection.done.append(text)


async def test_what_need_not_wait_is_done_in_the_call() -> None:
    connection = Connection(_note)
    assert await connection.bring("a", "b") == ["a", "b"]
    assert await connection.bring("c") == ["a", "b", "c"]
    connection.arrivals.end("gone")
    await connection.task


async def test_what_waits_goes_on_in_the_task_and_the_next_ones_keep_their_turn() -> None:
    connection = Connection(_note)
    assert await connection.bring("a", "wait", "b") == ["a"]
    assert await connection.bring("c") == ["a"]
    connection.gate.set()
    await connection.settle()
    assert connection.done == ["a", "wait", "b", "c"]
    assert await connection.bring("d") == ["a", "wait", "b", "c", "d"]
    connection.task.cancel()


async def test_a_time_limit_that_begins_in_the_call_ends_the_wait() -> None:
    async def handle(connection: Connection, text: str) -> None:
        try:
            await _note(connection, text)
        except TimeoutError:
            connection.done.append(f"{text} timed out")

    connection = Connection(handle)
    assert await connection.bring("limited") == []
    await asyncio.sleep(0.05)
    assert connection.done == ["limited timed out"]
    assert await connection.bring("a") == ["limited timed out", "a"]
    connection.task.cancel()


async def test_what_a_handler_raises_ends_the_reader_and_not_who_brings_the_message() -> None:
    async def handle(connection: Connection, text: str) -> None:
        await _note(connection, text)
        raise LookupError(text)

    for text, opened in (("a", False), ("wait", True)):  # before it waits, and after
        connection = Connection(handle)
        assert await connection.bring(text, "b") == ([] if opened else ["a"])
        connection.gate.set()
        with pytest.raises(LookupError, match=text):
            await connection.task


async def test_nothing_is_handled_after_the_last_one() -> None:
    connection = Connection(_note)
    assert await connection.bring("a", "last", "b") == ["a", "last"]
    await connection.task
    assert connection.done == ["a", "last"]


async def test_a_cancellation_ends_what_waits() -> None:
    ended: list[str] = []

    async def handle(connection: Connection, text: str) -> None:
        try:
            await _note(connection, text)
        finally:
            ended.append(text)

    for turns in range(3):  # before the task goes on with it, and after
        connection = Connection(handle)
        await connection.bring("wait")
        for _ in range(turns):
            await asyncio.sleep(0)
        connection.task.cancel()
        await asyncio.wait([connection.task])
        assert connection.task.cancelled()
    assert ended == ["wait"] * 3


async def test_within_a_task_a_message_waits_for_the_reader() -> None:
    connection = Connection(_note)
    await asyncio.sleep(0)
    connection.arrivals.put("a")
    assert connection.done == []
    await connection.settle()
    assert connection.done == ["a"]
    connection.task.cancel()


async def test_the_rest_of_work_has_its_result_and_its_errors() -> None:
    async def work(gate: asyncio.Future[int]) -> int:
        got = await gate
        await asyncio.sleep(0)
        return got + await gate

    loop = asyncio.get_running_loop()
    for outcome in (3, ValueError("no")):
        gate: asyncio.Future[int] = loop.create_future()
        begun = work(gate)
        rest = rest_of(begun, begun.send(None))
        if isinstance(outcome, int):
            loop.call_soon(gate.set_result, outcome)
            assert await rest == 6
        else:
            loop.call_soon(gate.set_exception, outcome)
            with pytest.raises(ValueError, match="no"):
                await rest
