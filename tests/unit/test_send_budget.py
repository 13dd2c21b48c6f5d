"""What waits for its readers: bounded in bytes for a connection, an address, and in all."""

from __future__ import annotations

import asyncio

import pytest

from asgi_app.errors import TooMuchUnread
from asgi_app.hub import Message, Outbox
from asgi_app.net import send_budget
from asgi_app.net.send_budget import LARGEST, OF_CONNECTION, SMALL, SendBudget

MIB = 1024 * 1024


async def test_what_is_large_waits_for_room_of_its_address_and_no_other() -> None:
    all_of_it = SendBudget(most=100 * LARGEST, most_of_one=2 * LARGEST)
    first, second, third, other = (all_of_it.account(address) for address in ("a", "a", "a", "b"))
    async with first.reserved(), second.reserved():
        waiting = asyncio.ensure_future(_reserve(third))
        async with other.reserved():  # another address has room of its own
            await asyncio.sleep(0)
            assert not waiting.done()
    await asyncio.wait_for(waiting, 30)
    assert all_of_it.total == 0


async def test_all_addresses_together_have_a_bound_too() -> None:
    all_of_it = SendBudget(most=2 * LARGEST, most_of_one=100 * LARGEST)
    async with all_of_it.account("a").reserved(), all_of_it.account("b").reserved():
        waiting = asyncio.ensure_future(_reserve(all_of_it.account("c")))
        await asyncio.sleep(0)
        assert not waiting.done()
    await asyncio.wait_for(waiting, 30)


async def test_who_waits_too_long_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send_budget, "WAIT", 0.01)
    all_of_it = SendBudget(most=100 * LARGEST, most_of_one=LARGEST)
    full = all_of_it.account("192.0.2.7")
    full.add(LARGEST)
    with pytest.raises(TooMuchUnread, match=r"192\.0\.2\.7 has 524288 unread bytes .* unread_per_address"):
        await _reserve(all_of_it.account("192.0.2.7"))
    full.close()
    await _reserve(all_of_it.account("192.0.2.7"))
    assert (all_of_it.total, all_of_it.refused) == (0, 1)


async def test_what_is_larger_than_the_bound_comes_when_nothing_else_waits() -> None:
    small = SendBudget(most=1000, most_of_one=1000)
    await asyncio.wait_for(_reserve(small.account("a"), 5000), 30)


def test_a_connection_that_is_over_leaves_nothing() -> None:
    all_of_it = SendBudget()
    account = all_of_it.account("a")
    account.add(5000)
    account.close()
    account.remove(5000)  # its packets are taken after its end
    account.add(100)  # or come then
    assert (account.waits, all_of_it.total) == (0, 0)


def test_a_connection_with_nothing_unread_is_never_full() -> None:
    all_of_it = SendBudget(most=MIB, most_of_one=MIB)
    all_of_it.account("a").add(MIB)
    mine = all_of_it.account("a")
    assert not mine.is_full
    mine.add(1)
    assert mine.is_full


async def test_answers_of_a_client_that_does_not_read_are_bounded_in_bytes() -> None:
    account = SendBudget().account("a")
    outbox = Outbox(lambda: Message({}), account=account)
    answered = 0

    async def answer() -> None:
        nonlocal answered
        while True:
            await outbox.answer(Message({"reply": "x" * SMALL}))
            answered += 1

    asking = asyncio.ensure_future(answer())
    for _ in range(200):
        await asyncio.sleep(0)
    assert answered == OF_CONNECTION // SMALL  # and not the 256 that its count would allow
    assert account.waits <= OF_CONNECTION + SMALL

    # what is taken is counted until it is handed over, and then there is room again
    for _ in range(40):
        outbox.take_now()
        await asyncio.sleep(0)
    assert answered > OF_CONNECTION // SMALL
    asking.cancel()
    while outbox.take_now():
        pass
    assert account.waits == 0


async def test_the_order_is_kept_where_only_a_little_is_taken() -> None:
    outbox = Outbox(lambda: Message({}))
    for number in range(20):
        outbox.offer(Message({"e": number, "pad": "x" * 3000}))
    taken: list[int] = []
    while batch := outbox.take_now():
        assert len(batch) <= 6
        taken += [message.data["e"] for message in batch]
    assert taken == list(range(20))


async def _reserve(account: send_budget.SendAccount, size: int = LARGEST) -> None:
    async with account.reserved(size):
        pass
