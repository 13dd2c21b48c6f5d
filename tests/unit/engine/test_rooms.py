"""Rooms over a Redis that answers in an order which a real one has rarely."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from asgi_app.engine import pending
from asgi_app.engine import rooms as module
from asgi_app.engine.link import Lost
from asgi_app.engine.room_entries import Entry
from asgi_app.engine.rooms import Rooms
from asgi_app.hub import Seat, Shared
from tests.support.rooms_receiver import Received

PID = "p" * 20
EVENT = Shared("event", None, messages=("2[]",))


class Link:
    """A `RoomLink` without Redis. What a test puts into `batches` is read, each at once."""

    def __init__(self) -> None:
        self.number = 0
        self.batches: asyncio.Queue[list[Entry]] = asyncio.Queue()
        self.taking: asyncio.Future[tuple[str, str, int]] = asyncio.get_running_loop().create_future()
        self.is_cut = asyncio.Event()
        self.is_gone = asyncio.Event()
        self.past = [Entry("1-1", 1, 200)]  # the history

    def entry(self, tag: str, shared: Shared | None, written: int = 0) -> Entry:
        self.number += 1
        return Entry(f"{self.number}-1", self.number, 200, tag, written, shared)

    async def drop_idle(self) -> None:
        if self.is_gone.is_set():
            raise Lost("Redis cannot be reached")

    async def newest(self) -> int:
        return self.number

    async def has_instead(self, last: Entry) -> bool:
        return False

    async def history(self) -> list[Entry]:
        return self.past

    async def begin(self, above: int) -> None:
        self.number += 1

    async def read(self, after: str) -> list[Entry]:
        if self.is_gone.is_set():
            raise Lost("Redis cannot be reached")
        if self.is_cut.is_set():
            self.is_cut.clear()
            raise Lost("Redis cannot be reached")
        return await self.batches.get()

    async def add(self, above: int, most: int, entries: Sequence[str | bytes]) -> None: ...

    async def take(self, pid: str, above: int) -> tuple[str, str, int] | None:
        return await self.taking

    async def write(self, seats: dict[str, str]) -> None: ...

    async def close(self) -> None: ...


@asynccontextmanager
async def linked(kept: float = 60) -> AsyncIterator[tuple[Rooms, Link, Received]]:
    """Rooms that have joined."""
    rooms, link, clients = Rooms("redis://127.0.0.1:1", None, "/", kept), Link(), Received()
    rooms._link = rooms._seats._link = link  # type: ignore[assignment]
    rooms.bind(clients)
    await rooms.start()
    assert rooms.linked
    yield rooms, link, clients
    await rooms.close()


async def test_of_two_that_take_a_client_the_last_one_has_it() -> None:
    async with linked() as (rooms, link, _):
        for is_ours_last in (True, False):
            link.taking = asyncio.get_running_loop().create_future()
            taking = asyncio.create_task(rooms.take(PID))
            await asyncio.sleep(0)
            tags = ("another", rooms.tag) if is_ours_last else (rooms.tag, "another")
            entries = [link.entry(tag, Shared("moved", PID)) for tag in tags]
            link.taking.set_result(("third", "its seat", entries[is_ours_last].number))
            link.batches.put_nowait(entries)
            assert await taking == (Seat("its seat", here=False) if is_ours_last else None)


@pytest.mark.parametrize(("kept", "forgotten"), [(60, 0), (0, 1)])
async def test_clients_that_missed_something_in_a_long_loss_are_forgotten(kept: int, forgotten: int) -> None:
    async with linked(kept) as (rooms, link, clients):
        clients.forgotten = 0
        link.is_cut.set()
        link.batches.put_nowait([])
        while link.is_cut.is_set() or rooms.linked:
            await asyncio.sleep(0)
        missed = link.entry("another", EVENT)
        begun = link.entry("another", None)
        link.number -= 1  # `begin` adds it again
        link.past = [missed, begun]
        link.batches.put_nowait(link.past)
        while not rooms.linked:
            await asyncio.sleep(0.01)
        assert clients.forgotten == forgotten


async def test_an_event_that_was_written_does_not_wait_long_until_it_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "ANSWER", 0.1)
    monkeypatch.setattr(module, "GRACE", 0.1)
    async with linked() as (rooms, _, clients), asyncio.timeout(2):
        await rooms.send(EVENT)
        assert clients.told == [EVENT]


async def test_who_sends_much_waits_until_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "MOST_BYTES", 1000)
    async with linked() as (rooms, link, clients):
        large = Shared("event", None, messages=("2" * 500,))
        sending = [asyncio.create_task(rooms.send(large)) for _ in range(5)]
        for come_back in range(1, 6):
            await asyncio.sleep(0.005)
            assert len(rooms._pending) == min(2, 6 - come_back)
            link.batches.put_nowait([link.entry(rooms.tag, large, come_back)])
            await sending[come_back - 1]
        assert clients.told == [large] * 5


async def test_who_waits_for_room_goes_on_without_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "MOST_BYTES", 100)
    monkeypatch.setattr(module, "GRACE", 0.05)
    async with linked() as (rooms, link, clients), asyncio.timeout(2):
        link.is_gone.set()
        link.batches.put_nowait([])
        events = [EVENT._replace(messages=(f"2[{number}]" + 100 * " ",)) for number in range(5)]
        await asyncio.gather(*(rooms.send(event) for event in events))
        assert clients.told == events
