"""Fan-out: what an outbox keeps, conflates and drops, native and behind Engine.IO's queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from engineio.packet import CLOSE, PING, Packet
from hypothesis import given
from hypothesis import strategies as st

from asgi_app.hub import Channel, Closed, Coalescer, Message, Outbox
from asgi_app.ws.engineio.outbox import CONFLATE_FROM, EngineOutbox
from tests.support.outbox_messages import (
    LIMIT,
    SOON,
    STEADY,
    Snapshots,
    answer,
    drained,
    event,
    packet,
    said,
    settle,
    taken,
)

# --- messages and channels ----------------------------------------------------------------------------------


def test_a_message_is_encoded_once_a_codec() -> None:
    calls: list[str] = []

    def codec(name: str) -> Callable[[Message], object]:
        def encode(message: Message) -> object:
            calls.append(name)
            return [name, message.rev]

        return encode

    message, one, other = event(7), codec("one"), codec("other")
    first = message.encoded(one)
    assert first == ["one", 7]
    assert message.encoded(one) is first
    assert message.encoded(other) == ["other", 7]
    assert event(8).encoded(one) == ["one", 8]
    assert calls == ["one", "other", "one"]


async def test_a_channel_hands_on_to_its_members_only() -> None:
    channel = Channel(coalescer := Coalescer())
    boxes = [Outbox(Snapshots()) for _ in range(3)]
    for box in boxes:
        channel.join(box)
    channel.join(boxes[0])
    assert len(channel) == 3
    channel.publish(event(1))
    channel.leave(boxes[1])
    channel.leave(boxes[1])
    channel.publish(event(2))
    coalescer.flush()  # on a busy machine it may have waited for others
    assert len(channel) == 2
    assert [said(await taken(box)) for box in boxes] == [[1, 2], [1], [1, 2]]


# --- the outbox ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "left"),
    [
        ([], []),
        ([(1, None), (2, None), (3, None)], [1, 2, 3]),
        ([(1, "led"), (2, "led"), (3, "led")], [3]),
        ([(1, "led"), (2, "desk"), (3, "led")], [2, 3]),
        ([(1, "led"), (2, None), (3, "led"), (4, None)], [2, 3, 4]),
        ([(1, "led"), (2, "desk"), (3, "desk"), (4, "led"), (5, "led")], [3, 5]),
        ([(rev, "led") for rev in range(1, 1000)], [999]),
    ],
)
async def test_an_event_replaces_its_unsent_predecessor(
    outbox: Outbox, offered: list[tuple[int, str | None]], left: list[int]
) -> None:
    for rev, key in offered:
        outbox.offer(event(rev, key))
    outbox.close(1000, "done")
    if left:
        assert said(await taken(outbox)) == left
    with pytest.raises(Closed):
        await taken(outbox)


async def test_what_was_taken_is_not_replaced(outbox: Outbox) -> None:
    outbox.offer(event(1, "led"))
    assert said(await taken(outbox)) == [1]
    outbox.offer(event(2, "led"))
    assert said(await taken(outbox)) == [2]


async def test_too_many_events_become_one_snapshot_made_when_it_is_taken(outbox: Outbox, snapshots: Snapshots) -> None:
    for rev in range(1, 6):
        outbox.offer(event(rev))
    assert len(outbox) == 0
    assert outbox.resyncs == 1
    assert snapshots.made == []
    for rev in range(6, 100):
        outbox.offer(event(rev))
    snapshots.now = 99
    assert said(await taken(outbox)) == [99]
    assert len(snapshots.made) == 1
    outbox.offer(event(100))
    assert said(await taken(outbox)) == [100]
    assert len(snapshots.made) == 1


async def test_answers_survive_an_overflow(outbox: Outbox, snapshots: Snapshots) -> None:
    await outbox.answer(answer("first"))
    for rev in range(1, 10):
        outbox.offer(event(rev))
    await outbox.answer(answer("second"))
    snapshots.now = 9
    assert said(await taken(outbox)) == ["first", "second", 9]


async def test_answers_and_events_keep_their_order(outbox: Outbox) -> None:
    outbox.offer(event(1))
    await outbox.answer(answer("one"))
    outbox.offer(event(2))
    await outbox.answer(answer("two"))
    assert said(await taken(outbox)) == [1, "one", 2, "two"]


async def test_answering_waits_for_a_reader_of_the_answers(outbox: Outbox) -> None:
    for number in range(4):
        await outbox.answer(answer(str(number)))
    fifth = asyncio.create_task(outbox.answer(answer("4")))
    await settle()
    assert not fifth.done()
    assert said(await taken(outbox)) == ["0", "1", "2", "3"]
    await asyncio.wait_for(fifth, SOON)
    assert said(await taken(outbox)) == ["4"]


async def test_a_take_waits_for_the_first_message(outbox: Outbox) -> None:
    waiting = asyncio.create_task(outbox.take())
    await settle()
    assert not waiting.done()
    outbox.offer(event(1))
    assert said(await asyncio.wait_for(waiting, SOON)) == [1]


async def test_what_waits_is_still_taken_after_the_close(outbox: Outbox) -> None:
    outbox.offer(event(1))
    outbox.close(1012, "restarting")
    outbox.close(4008, "a second close changes nothing")
    outbox.offer(event(2))
    await outbox.answer(answer("too late"))
    assert said(await taken(outbox)) == [1]
    for _ in range(2):
        with pytest.raises(Closed) as closed:
            await taken(outbox)
        assert (closed.value.code, closed.value.reason) == (1012, "restarting")


async def test_the_close_wakes_whoever_waits(outbox: Outbox) -> None:
    for number in range(4):
        await outbox.answer(answer(str(number)))
    stuck = asyncio.create_task(outbox.answer(answer("4")))
    idle = Outbox(Snapshots())
    taking = asyncio.create_task(idle.take())
    await settle()
    outbox.close(1012, "restarting")
    idle.close(1012, "restarting")
    await asyncio.wait_for(stuck, SOON)
    with pytest.raises(Closed):
        await asyncio.wait_for(taking, SOON)
    assert said(await taken(outbox)) == ["0", "1", "2", "3"]


@STEADY
@given(st.lists(st.sampled_from(["take", None, "led", "desk", "lamp"]), max_size=60), st.integers(1, 6))
def test_a_reader_sees_rising_revisions_and_ends_at_the_last(steps: list[str | None], limit: int) -> None:
    async def run() -> None:
        snapshots = Snapshots()
        outbox = Outbox(snapshots, limit=limit)
        seen: list[int] = []
        for step in steps:
            if step != "take":
                snapshots.now += 1
                outbox.offer(event(snapshots.now, step))
                assert len(outbox) <= limit
            elif snapshots.now > (seen[-1] if seen else 0):
                seen += [message.rev for message in await taken(outbox)]
        if snapshots.now > (seen[-1] if seen else 0):
            seen += [message.rev for message in await taken(outbox)]
        assert seen == sorted(set(seen))
        assert (seen[-1] if seen else 0) == snapshots.now

    asyncio.run(run())


# --- behind Engine.IO's queue -------------------------------------------------------------------------------


async def test_packets_leave_in_their_order(queue: EngineOutbox) -> None:
    assert queue.is_empty()
    assert queue.next_packet() is None
    await queue.put(packet("one"))
    queue.put_nowait(packet("two"))
    assert not queue.is_empty()
    assert drained(queue) == ["one", "two"]
    waiting = asyncio.create_task(queue.ready.wait())
    await settle()
    assert not waiting.done()
    await queue.put(packet("three"))
    await asyncio.wait_for(waiting, SOON)
    assert drained(queue) == ["three"]


async def test_a_reader_that_keeps_up_gets_every_event(queue: EngineOutbox) -> None:
    for number in range(CONFLATE_FROM):
        queue.offer("led", packet(f"e{number}"))
    assert drained(queue) == [f"e{number}" for number in range(CONFLATE_FROM)]


async def test_under_backpressure_the_newest_of_a_key_is_kept(queue: EngineOutbox) -> None:
    for number in range(1000):
        queue.offer("led", packet(f"led {number}"))
        queue.offer("desk", packet(f"desk {number}"))
    left = drained(queue)
    assert len(left) == CONFLATE_FROM + 2
    assert left[-2:] == ["led 999", "desk 999"]
    assert queue.resyncs == 0


async def test_an_overflow_is_refilled_when_it_is_read(queue: EngineOutbox) -> None:
    state = {"level": 0}
    queue.refill_with("/", lambda: [packet(f"led {state['level']}")])
    queue.refill_with("/panel", lambda: [packet(f"panel {state['level']}")])
    queue.refill_with("/gone", lambda: [packet("never")])
    queue.refill_with("/gone", None)
    await queue.put(packet("answer"))
    queue.put_nowait(Packet(PING))
    for number in range(LIMIT + 50):
        queue.offer(number, packet(f"e{number}"))
    await queue.put(packet("another answer"))
    state["level"] = 70
    assert not queue.is_empty()
    assert drained(queue) == ["answer", PING, "another answer", "led 70", "panel 70"]
    assert queue.resyncs == 1
    queue.offer("led", packet("and on"))
    assert drained(queue) == ["and on"]


async def test_control_packets_are_never_dropped_nor_held_back(queue: EngineOutbox) -> None:
    for number in range(LIMIT):
        await queue.put(packet(str(number)))
    async with asyncio.timeout(SOON):
        await queue.put(Packet(PING))
        await queue.put(Packet(CLOSE))
    assert drained(queue)[LIMIT:] == [PING, CLOSE]


async def test_an_answer_waits_for_a_reader_of_the_answers(queue: EngineOutbox) -> None:
    for number in range(LIMIT):
        await queue.put(packet(str(number)))
    one_more = asyncio.create_task(queue.put(packet("one more")))
    await settle()
    assert not one_more.done()
    queue.next_packet()
    await asyncio.wait_for(one_more, SOON)
    assert drained(queue)[-1] == "one more"


async def test_events_do_not_hold_answers_back(queue: EngineOutbox) -> None:
    for number in range(LIMIT):
        queue.offer(number, packet(f"e{number}"))
    await asyncio.wait_for(queue.put(packet("answer")), SOON)
    assert drained(queue)[-1] == "answer"
