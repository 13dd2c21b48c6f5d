"""What begins in each turn of the loop, where many want to."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from asgi_app.net.admission import AdmissionQueue


@pytest.mark.parametrize("a_turn", [1, 2, 20])
async def test_so_many_begin_in_a_turn_and_all_in_the_end(a_turn: int) -> None:
    begun: list[int] = []
    queue = AdmissionQueue(a_turn)
    for number in range(50):
        queue.enter("", partial(begun.append, number))
    assert len(begun) == min(a_turn, 50)
    turns = 0
    while len(begun) < 50:
        before = len(begun)
        await asyncio.sleep(0)
        turns += 1
        assert len(begun) - before <= 2 * a_turn  # its turn may be before or after that of this task
    assert begun == list(range(50))
    assert turns >= 50 // (2 * a_turn) - 1


async def test_addresses_take_turns() -> None:
    begun: list[str] = []
    queue = AdmissionQueue(1)
    for name in ("a1", "a2", "a3", "b1", "c1", "b2"):
        queue.enter(f"192.0.2.{ord(name[0])}", partial(begun.append, name))
    for _ in range(20):
        await asyncio.sleep(0)
    assert begun == ["a1", "a2", "b1", "c1", "a3", "b2"]
