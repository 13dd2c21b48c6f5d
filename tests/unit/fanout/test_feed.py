"""Feeds: what nothing can stand in for comes once, in order, or as a named gap."""

from __future__ import annotations

import asyncio

import pytest
from engineio.packet import Packet
from hypothesis import given
from hypothesis import strategies as st

from asgi_app.hub import TOO_SLOW, Closed, Coalescer, Feed, Message, Outbox
from asgi_app.ws.engineio.outbox import KEPT_FACTOR, EngineOutbox
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

# --- feeds: what nothing can stand in for -------------------------------------------------------------------


def item(number: int) -> Message:
    return Message({"n": number})


def gap(since: int, upto: int) -> Message:
    return Message({"gap": (since, upto)})


def feed_of(next: int = 1, keep: int = 1000) -> Feed:
    return Feed(gap, next=next, keep=keep)


def append(feed: Feed, count: int = 1, size: int = 100) -> None:
    """So many items of this size, each with its number."""
    for _ in range(count):
        feed.append(item(feed.next), size=size)


def held_by(feed: Feed) -> list[object]:
    """Return what the feed would have to keep for the slowest possible follower."""
    return said(feed.since(0, 0))


@pytest.fixture
def roomy() -> Outbox:
    return Outbox(Snapshots(), limit=100)


async def test_a_feed_whose_followers_keep_up_holds_nothing(roomy: Outbox) -> None:
    feed = feed_of()
    feed.follow("lobby", roomy)
    for number in range(1, 50):
        append(feed)
        assert len(held_by(feed)) == (1 if number == 1 else 2)  # one item, behind a gap of all before it
        assert said(await taken(roomy)) == [number]
        assert held_by(feed) == [(0, number + 1)]  # no more than that there was something
    assert len(roomy) == 0


async def test_a_feed_that_nobody_follows_holds_nothing_and_counts_on(roomy: Outbox) -> None:
    feed = feed_of(next=5)
    append(feed, 10)
    assert feed.next == 15
    assert held_by(feed) == [(0, 15)]
    feed.follow("lobby", roomy)
    append(feed)
    assert said(await taken(roomy)) == [15]


async def test_what_was_appended_meanwhile_comes_together_and_in_order(roomy: Outbox) -> None:
    feed = feed_of()
    feed.follow("lobby", roomy)
    append(feed, 3)
    assert len(roomy) == 1  # that there is more, not what
    assert said(await taken(roomy)) == [1, 2, 3]


async def test_a_feed_stands_among_events_where_it_had_more_first(roomy: Outbox) -> None:
    feed = feed_of()
    feed.follow("lobby", roomy)
    roomy.offer(Message({"e": "before"}))
    append(feed)
    roomy.offer(Message({"e": "after"}))
    await roomy.answer(answer("reply"))
    append(feed)
    assert said(await taken(roomy)) == ["before", 1, 2, "after", "reply"]


@pytest.mark.parametrize(
    ("behind", "size", "heard"),
    [
        (10, 100, list(range(1, 11))),  # as many bytes as are kept
        (11, 100, [(1, 2), *range(2, 12)]),
        (15, 100, [(1, 6), *range(6, 16)]),
        (1000, 100, [(1, 991), *range(991, 1001)]),
        (2, 501, [(1, 2), 2]),
        (1, 5000, [1]),  # one item is kept, however large
        (3, 5000, [(1, 3), 3]),
    ],
)
async def test_who_is_too_slow_is_told_exactly_what_is_missing(
    roomy: Outbox, behind: int, size: int, heard: list[object]
) -> None:
    feed = feed_of()
    feed.follow("lobby", roomy)
    append(feed, behind, size)
    assert said(await taken(roomy)) == heard
    # and from there on nothing is missing
    append(feed, 2)
    assert said(await taken(roomy)) == [behind + 1, behind + 2]


async def test_a_second_gap_begins_where_the_first_reading_ended(roomy: Outbox) -> None:
    feed = feed_of()
    feed.follow("lobby", roomy)
    append(feed, 12)
    assert said(await taken(roomy))[0] == (1, 3)
    append(feed, 20)
    assert said(await taken(roomy)) == [(13, 23), *range(23, 33)]


async def test_items_that_stand_for_several_numbers(roomy: Outbox) -> None:
    """Ten lines of a log in one message: a gap is in lines."""
    feed = feed_of(next=0)
    feed.follow("log", roomy)
    for first in range(0, 150, 10):
        feed.append(item(first), count=10, size=100)
    assert feed.next == 150
    assert said(await taken(roomy)) == [(0, 50), *range(50, 150, 10)]


async def test_followers_of_different_speeds_each_get_everything_once() -> None:
    feed = feed_of()
    fast, slow, slowest = (Outbox(Snapshots()) for _ in range(3))
    for box in (fast, slow, slowest):
        feed.follow("lobby", box)
    heard: dict[Outbox, list[object]] = {fast: [], slow: [], slowest: []}
    for number in range(1, 13):
        append(feed)
        heard[fast] += said(await taken(fast))
        if number % 3 == 0:
            heard[slow] += said(await taken(slow))
    heard[slowest] += said(await taken(slowest))
    assert heard[fast] == heard[slow] == list(range(1, 13))
    assert heard[slowest] == [(1, 3), *range(3, 13)]
    assert held_by(feed) == [(0, 13)]


async def test_who_joins_while_another_is_behind_gets_nothing_old() -> None:
    feed = feed_of()
    behind, newcomer = Outbox(Snapshots()), Outbox(Snapshots())
    feed.follow("lobby", behind)
    append(feed, 5)
    feed.follow("lobby", newcomer)
    append(feed)
    assert said(await taken(newcomer)) == [6]
    assert said(await taken(behind)) == [1, 2, 3, 4, 5, 6]


async def test_a_held_follower_waits_until_it_is_released(roomy: Outbox) -> None:
    feed = feed_of()
    follower = feed.follow("log", roomy, held=True)
    append(feed, 3)
    assert len(roomy) == 0
    roomy.offer(Message({"e": "the log so far"}))
    follower.release()
    append(feed)
    assert said(await taken(roomy)) == ["the log so far", 1, 2, 3, 4]
    follower.release()  # twice is no error, and nothing new
    assert len(roomy) == 0


async def test_a_held_follower_for_whom_nothing_came_is_released_in_silence(roomy: Outbox) -> None:
    follower = feed_of().follow("log", roomy, held=True)
    follower.release()
    assert len(roomy) == 0


@pytest.mark.parametrize("held", [False, True])
async def test_who_leaves_while_there_is_more_gets_nothing_and_holds_nothing(roomy: Outbox, held: bool) -> None:
    feed = feed_of()
    follower = feed.follow("lobby", roomy, held=held)
    append(feed, 3)
    follower.leave()
    follower.leave()
    follower.release()
    assert held_by(feed) == [(0, 4)]
    append(feed, 3)
    assert follower.messages() == []
    assert held_by(feed) == [(0, 7)]
    roomy.offer(event(1))
    assert said(await taken(roomy)) == [1]


async def test_who_leaves_takes_nothing_from_another_who_is_behind(roomy: Outbox) -> None:
    feed = feed_of()
    gone = feed.follow("lobby", Outbox(Snapshots()))
    feed.follow("lobby", roomy)
    append(feed, 3)
    gone.leave()
    assert said(await taken(roomy)) == [1, 2, 3]
    assert held_by(feed) == [(0, 4)]


async def test_an_overflow_of_events_takes_nothing_of_a_feed(outbox: Outbox, snapshots: Snapshots) -> None:
    feed = feed_of()
    feed.follow("lobby", outbox)
    append(feed, 2)
    for rev in range(1, 10):
        outbox.offer(event(rev))
    append(feed, 2)  # while it is overflowed too
    snapshots.now = 9
    assert said(await taken(outbox)) == [1, 2, 3, 4, 9]
    append(feed)
    assert said(await taken(outbox)) == [5]


async def test_a_feed_does_not_count_as_an_event(outbox: Outbox) -> None:
    for number in range(20):  # more than the outbox has room for
        feed = feed_of(next=number)
        feed.follow(f"room {number}", outbox)
        append(feed)
    assert outbox.resyncs == 0
    assert said(await taken(outbox)) == list(range(20))


async def test_a_closed_outbox_takes_nothing_more_of_a_feed(outbox: Outbox) -> None:
    feed = feed_of()
    follower = feed.follow("lobby", outbox)
    append(feed)
    outbox.close(1012, "restarting")
    append(feed)
    assert said(await taken(outbox)) == [1, 2]
    append(feed)
    with pytest.raises(Closed):
        await taken(outbox)
    follower.leave()
    assert held_by(feed) == [(0, 4)]


async def test_a_feed_wakes_whoever_waits(outbox: Outbox) -> None:
    feed = feed_of()
    feed.follow("lobby", outbox)
    waiting = asyncio.create_task(outbox.take())
    await settle()
    append(feed)
    assert said(await asyncio.wait_for(waiting, SOON)) == [1]


@STEADY
@given(st.lists(st.integers(0, 5), max_size=80), st.integers(1, 800))
def test_whatever_the_speeds_nothing_is_missing_in_silence(steps: list[int], size: int) -> None:
    """Step 0 to 2: that follower reads; 3 to 5: as many items come. Items and gaps join without a hole."""

    async def run() -> None:
        feed = feed_of()
        boxes = [Outbox(Snapshots()) for _ in range(3)]
        for box in boxes:
            feed.follow("lobby", box)
        heard: list[list[object]] = [[], [], []]
        for step in steps:
            if step > 2:
                append(feed, step, size)
            elif len(boxes[step]):
                heard[step] += said(await taken(boxes[step]))
        for box, messages in zip(boxes, heard, strict=True):
            last = said(await taken(box)) if len(box) else []
            expected = 1
            for message in messages + last:
                if isinstance(message, tuple):
                    assert message[0] == expected < message[1]
                    expected = message[1]
                else:
                    assert message == expected
                    expected += 1
            assert expected == feed.next
        assert held_by(feed) == [(0, feed.next)]

    asyncio.run(run())


# --- feeds behind Engine.IO's queue -------------------------------------------------------------------------


def due_of(queue: EngineOutbox, *texts: str) -> None:
    """A source of these packets has more."""
    left = [packet(text) for text in texts]

    def take() -> list[Packet]:
        now, left[:] = list(left), []
        return now

    queue.due(object(), take)


async def test_the_packets_of_a_feed_are_taken_when_they_are_sent(queue: EngineOutbox) -> None:
    queue.offer("led", packet("before"))
    due_of(queue, "one", "two")
    due_of(queue)
    queue.offer("led", packet("after"))
    assert drained(queue) == ["before", "one", "two", "after"]


async def test_an_overflow_of_the_queue_takes_nothing_of_a_feed(queue: EngineOutbox) -> None:
    queue.refill_with("/panel", lambda: [packet("snapshot")])
    due_of(queue, "one", "two")
    for number in range(LIMIT + 1):
        queue.offer(number, packet(f"e{number}"))
    assert drained(queue) == ["one", "two", "snapshot"]


async def test_a_queue_that_overflows_while_a_feed_is_taken_still_gives_the_feed() -> None:
    coalescer = Coalescer()
    queue = EngineOutbox(1, coalescer)
    due_of(queue, "one", "two")
    for number in range(KEPT_FACTOR):
        queue.enqueue([packet(str(number))])
    coalescer.defer(queue.enqueue, [packet("one too many")])
    assert drained(queue) == ["one", "two"]
    assert queue.closed is not None
    assert queue.closed.code == TOO_SLOW
