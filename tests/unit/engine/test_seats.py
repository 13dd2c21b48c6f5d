"""Seats: which are written first, and how a refresh of many is spread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import cast

import pytest
import pytest_asyncio

from asgi_app.engine import seats
from asgi_app.engine.room_link import RoomLink
from asgi_app.engine.seats import MOST, Seats
from tests.support.rooms_receiver import Received

MANY = [f"{number:020}" for number in range(1000)]


class Link:
    """A `RoomLink` that keeps what is written: which pids, by write. A test lets each write through."""

    def __init__(self) -> None:
        self.writes: list[list[str]] = []
        self.open = asyncio.Event()

    async def write(self, seats: Mapping[str, str]) -> None:
        await self.open.wait()
        self.writes.append(list(seats))
        for _ in range(5):  # others go on meanwhile
            await asyncio.sleep(0)


class Crowd(Received):
    """Clients that are connected."""

    def pids(self) -> list[str]:
        return MANY


@pytest_asyncio.fixture
async def link() -> Link:
    return Link()


@pytest_asyncio.fixture
async def crowd(link: Link) -> AsyncIterator[Seats]:
    """The seats of a crowd, with their writer."""
    crowd = Seats(cast(RoomLink, link))
    crowd.receiver, crowd.linked = Crowd(), True
    writing = asyncio.create_task(crowd.write())
    yield crowd
    writing.cancel()


@pytest.mark.parametrize("how", ["joined", "ended"])
async def test_a_seat_that_matters_now_is_written_before_a_crowd(crowd: Seats, link: Link, how: str) -> None:
    crowd.save_all()
    await asyncio.sleep(0)  # the first part is being written
    if how == "joined":
        waiting = asyncio.create_task(crowd.saved(MANY[-1]))
        await asyncio.sleep(0)
        link.open.set()
        await waiting
        assert len(link.writes) <= 3
    crowd.save(MANY[-1], first=True)
    link.open.set()
    while not crowd.all_saved:
        await asyncio.sleep(0)
    assert link.writes[1][0] == MANY[-1]
    assert sorted({pid for write in link.writes for pid in write}) == MANY


async def test_a_refresh_is_spread(crowd: Seats, link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seats, "REFRESH", 0.2)
    link.open.set()
    refreshing = asyncio.create_task(crowd.refresh())
    written_at: list[float] = []
    while sum(map(len, link.writes)) < len(MANY):
        await asyncio.sleep(0.001)
        if len(link.writes) > len(written_at):
            written_at.append(asyncio.get_running_loop().time())
    refreshing.cancel()
    assert [len(write) for write in link.writes] == [MOST] * 10
    assert written_at[-1] - written_at[0] > 0.1
