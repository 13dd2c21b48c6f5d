"""Fan-out: what an outbox keeps, conflates and drops, native and behind Engine.IO's queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from engineio.packet import CLOSE, MESSAGE, PING, Packet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asgi_app.hub import Channel, Closed, Feed, Message, Outbox
from asgi_app.ws.engine import CONFLATE_FROM, EngineOutbox

STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a loaded machine is no fault
SOON = 2.0  # seconds, for what needs none


def event(rev: int, key: str | None = None) -> Message:
    return Message({"rev": rev}, rev=rev, key=key)


def answer(text: str) -> Message:
    return Message({"reply": text})


class Snapshots:
    """Makes snapshots, and counts them."""

    def __init__(self) -> None:
        self.now = 0  # the panel's rev
        self.made: list[Message] = []

    def __call__(self) -> Message:
        self.made.append(Message({"state": self.now}, rev=self.now))
        return self.made[-1]


@pytest.fixture
def snapshots() -> Snapshots:
    return Snapshots()


@pytest.fixture
def outbox(snapshots: Snapshots) -> Outbox:
    return Outbox(snapshots, limit=4)


def said(messages: list[Message]) -> list[object]:
    """What the messages say: a rev, a reply's text, or `state` and a rev."""
    return [next(iter(message.data.values())) for message in messages]


async def taken(outbox: Outbox) -> list[Message]:
    async with asyncio.timeout(SOON):
        return await outbox.take()


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(5):
        await asyncio.sleep(0)


# --- messages and channels ---------------------------------------------------------------------------------


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
    channel = Channel()
    boxes = [Outbox(Snapshots()) for _ in range(3)]
    for box in boxes:
        channel.join(box)
    channel.join(boxes[0])
    assert len(channel) == 3
    channel.publish(event(1))
    channel.leave(boxes[1])
    channel.leave(boxes[1])
    channel.publish(event(2))
    assert len(channel) == 2
    assert [said(await taken(box)) for box in boxes] == [[1, 2], [1], [1, 2]]


# --- the outbox --------------------------------------------------------------------------------------------


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


# --- behind Engine.IO's queue ------------------------------------------------------------------------------

LIMIT = 20


def packet(text: str) -> Packet:
    return Packet(MESSAGE, text)


@pytest.fixture
def queue() -> EngineOutbox:
    return EngineOutbox(LIMIT)


def drained(queue: EngineOutbox) -> list[object]:
    """Everything in the queue: the data of messages, the type of the rest, None for the end."""
    found: list[object] = []
    while not queue.empty():
        got = queue.get_nowait()
        found.append(got if got is None else got.data if got.packet_type == MESSAGE else got.packet_type)
        queue.task_done()
    return found


async def test_it_has_the_face_of_a_queue(queue: EngineOutbox) -> None:
    assert queue.empty()
    with pytest.raises(asyncio.QueueEmpty):
        queue.get_nowait()
    await queue.put(packet("one"))
    queue.put_nowait(packet("two"))
    queue.put_nowait(None)
    assert not queue.empty()
    assert drained(queue) == ["one", "two", None]
    waiting = asyncio.create_task(queue.get())
    await settle()
    assert not waiting.done()
    await queue.put(packet("three"))
    got = await asyncio.wait_for(waiting, SOON)
    assert got is not None
    assert got.data == "three"


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
    assert not queue.empty()
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
        await queue.put(None)
    assert drained(queue)[LIMIT:] == [PING, CLOSE, None]


async def test_an_answer_waits_for_a_reader_of_the_answers(queue: EngineOutbox) -> None:
    for number in range(LIMIT):
        await queue.put(packet(str(number)))
    one_more = asyncio.create_task(queue.put(packet("one more")))
    await settle()
    assert not one_more.done()
    queue.get_nowait()
    await asyncio.wait_for(one_more, SOON)
    assert drained(queue)[-1] == "one more"


async def test_events_do_not_hold_answers_back(queue: EngineOutbox) -> None:
    for number in range(LIMIT):
        queue.offer(number, packet(f"e{number}"))
    await asyncio.wait_for(queue.put(packet("answer")), SOON)
    assert drained(queue)[-1] == "answer"


async def test_join_waits_until_everything_was_taken(queue: EngineOutbox) -> None:
    await asyncio.wait_for(queue.join(), SOON)
    await queue.put(packet("one"))
    queue.offer("led", packet("two"))
    joining = asyncio.create_task(queue.join())
    queue.get_nowait()
    await settle()
    assert not joining.done()
    queue.get_nowait()
    await asyncio.wait_for(joining, SOON)


async def test_join_waits_for_the_refill_too(queue: EngineOutbox) -> None:
    queue.refill_with("/", lambda: [packet("led 70")])
    for number in range(LIMIT + 1):
        queue.offer(number, packet(f"e{number}"))
    joining = asyncio.create_task(queue.join())
    await settle()
    assert not joining.done()
    assert drained(queue) == ["led 70"]
    await asyncio.wait_for(joining, SOON)


# --- feeds: what nothing can stand in for ------------------------------------------------------------------


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
    """What the feed would have to keep for somebody who is as far behind as can be."""
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


# --- feeds behind Engine.IO's queue ------------------------------------------------------------------------


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


async def test_join_waits_for_the_packets_of_a_feed(queue: EngineOutbox) -> None:
    due_of(queue, "one", "two")
    joining = asyncio.create_task(queue.join())
    await settle()
    assert queue.get_nowait() is not None
    await settle()
    assert not joining.done()
    assert queue.get_nowait() is not None
    await asyncio.wait_for(joining, SOON)
