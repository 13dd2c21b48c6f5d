"""Answers that a client does not read: they count, and the panel reads no more from it meanwhile."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.unit.socketio.conftest import JAVASCRIPT, Door

LARGE = "x" * 900_000


@pytest.mark.parametrize("query", ["", JAVASCRIPT])
async def test_who_reads_nothing_is_not_read_from(door: Door, query: str) -> None:
    session = await door.session("40", query=query)
    event = "42" + json.dumps(["my_event", {"data": LARGE}])

    await session.post(event)
    assert door.house.panel.unread.total > len(LARGE)
    sending = [session.posting(event) for _ in range(8)]
    assert not (await asyncio.wait(sending, timeout=0.3))[0]

    answered = 0
    while answered < 9:  # it reads on, and has all of them
        answered += sum("xxx" in packet for packet in await session.poll())
    assert {(await post).status_code for post in sending} == {200}
    await session.post('42["my_ping"]')
    await session.poll()
    assert door.house.panel.unread.total == 0


async def test_an_answer_and_its_offset_are_one_write(door: Door) -> None:
    """Also behind a large one; else a client that is cut between them gets the answer twice."""
    session = await door.session("40", query=JAVASCRIPT)

    await session.post(*(f'42["my_event",{{"data":"{text}"}}]' for text in (LARGE[:200_000], "small")))

    session.queue.next_packet()
    assert [packet.data[:11] for packet in session.queue.rest()] == ['2["_offset"']
    assert len(session.queue._waiting) == 1
