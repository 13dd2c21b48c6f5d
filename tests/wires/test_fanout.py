"""Fan-out: frames as the RFC has them, bursts that are joined, and every message once and in order for real clients.

On uvicorn frames go straight to the transport (`ws/transport/direct.py`); on hypercorn all goes through the outboxes.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from engineio.packet import MESSAGE, Packet
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from asgi_app.hub import Burst, Channel, Closed, Coalescer, Codecs, Message, Outbox
from asgi_app.server.arrivals import Arrivals
from asgi_app.ws.engineio.outbox import EngineOutbox
from asgi_app.ws.transport.direct import DirectTransport
from asgi_app.ws.transport.frames import frame
from tests.conftest import EVERY_WAY, each_of
from tests.support.inbox import SocketIOClient
from tests.support.live_client import LiveClient, live
from tests.support.node_clients import NodeClient, NodeClients
from tests.support.panel_process import RunningPanel
from tests.support.python_client import PythonClient

server = each_of(*EVERY_WAY, matters=True)

# --- frames and wires ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70_000])
@pytest.mark.parametrize("kind", [str, bytes])
def test_a_frame_is_what_the_rfc_says(size: int, kind: type) -> None:
    payload: Any = "x" * size if kind is str else bytes(size)
    reader = StreamReader()
    reader.feed_data(frame(payload))
    parsing = Frame.parse(reader.read_exact, mask=False)
    with pytest.raises(StopIteration) as done:
        next(parsing)
    parsed: Frame = done.value.value
    assert parsed.opcode is (Opcode.TEXT if kind is str else Opcode.BINARY)
    assert parsed.fin
    assert bytes(parsed.data) == (payload.encode() if kind is str else payload)
    assert not reader.buffer


async def nothing(event: Any) -> None:
    """What goes the ASGI way."""


class Line:
    """A wire that a test opens, closes and reads."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.transport = DirectTransport(
            self.written.append, Arrivals(asyncio.get_running_loop(), lambda: None, lambda: None), nothing
        )
        self.transport.set(True)


def as_bytes(message: Message) -> bytes:
    return json.dumps(message.data).encode() + b"\n"


def burst_as_bytes(messages: list[Message]) -> bytes:
    return b"".join(map(as_bytes, messages))


def event(number: int, key: str | None = None) -> Message:
    return Message({"event": "counted", "n": number}, rev=number + 1, key=key)


def numbers(line: Line) -> list[int]:
    return [json.loads(text)["n"] for text in b"".join(line.written).splitlines()]


class Parked:
    """An outbox whose connection has taken all there was, on a line."""

    def __init__(self, coalescer: Coalescer) -> None:
        self.line = Line()
        self.outbox = Outbox(lambda: event(-1), coalescer=coalescer)
        self.outbox.codecs = Codecs(as_bytes, burst_as_bytes, as_bytes)
        self.taken: list[Message] = []
        self.closed: list[int] = []
        self.outbox.attach(self._drain, self.line.transport)

    async def _drain(self) -> None:
        try:
            while messages := self.outbox.take_now():
                self.taken.extend(messages)
                await asyncio.sleep(0)
        except Closed as closed:
            self.closed.append(closed.code)


@pytest.fixture
async def coalescer() -> Coalescer:
    return Coalescer()


@pytest.fixture
async def parked(coalescer: Coalescer) -> AsyncIterator[Parked]:
    made = Parked(coalescer)
    await settled()
    yield made
    await made.outbox.detach()


async def settled() -> None:
    """Every task that could run has done so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a timer that is on has made this true."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0)


async def test_a_connection_that_waits_is_written_to_at_once(parked: Parked) -> None:
    parked.outbox.offer(event(1))
    await parked.outbox.answer(event(2))
    assert numbers(parked.line) == [1, 2]
    assert parked.taken == []


async def test_a_wire_that_takes_no_more_sends_everything_through_the_outbox_and_keeps_the_order(
    parked: Parked,
) -> None:
    parked.outbox.offer(event(1))
    parked.line.transport.set(False)
    parked.outbox.offer(event(2))
    parked.line.transport.set(True)  # something waits: not past it
    parked.outbox.offer(event(3))
    await settled()
    parked.outbox.offer(event(4))
    assert [message.data["n"] for message in parked.taken] == [2, 3]
    assert numbers(parked.line) == [1, 4]


async def test_nothing_is_written_after_the_end(parked: Parked) -> None:
    parked.outbox.close(1012, "restarting")
    parked.outbox.offer(event(1))
    await settled()
    assert parked.line.written == []
    assert parked.taken == []
    assert parked.closed == [1012]


async def test_a_close_while_something_is_written_is_told_behind_it(parked: Parked) -> None:
    parked.line.transport.set(False)
    parked.outbox.offer(event(1))
    await asyncio.sleep(0)
    parked.outbox.close(1012, "restarting")
    await settled()
    assert [message.data["n"] for message in parked.taken] == [1]
    assert set(parked.closed) == {1012}


@pytest.mark.parametrize("turns", range(6))
async def test_what_comes_while_the_task_ends_is_neither_lost_nor_overtaken(parked: Parked, turns: int) -> None:
    parked.line.transport.set(False)
    parked.outbox.offer(event(1))
    parked.line.transport.set(True)
    for _ in range(turns):
        await asyncio.sleep(0)
    parked.outbox.offer(event(2))
    await settled()
    parked.outbox.offer(event(3))
    taken = [message.data["n"] for message in parked.taken]
    assert taken + numbers(parked.line) == [1, 2, 3]
    assert numbers(parked.line)[-1] == 3


# --- bursts -------------------------------------------------------------------------------------------------


class Slow:
    """A subscriber whose taking takes so long that what follows is a burst."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.got: list[list[int]] = []

    def _busy(self) -> None:
        until = time.perf_counter() + self.seconds
        while time.perf_counter() < until:
            pass

    def offer(self, message: Message) -> None:
        self._busy()
        self.got.append([message.data["n"]])

    def offer_all(self, burst: Burst) -> None:
        self.got.append([message.data["n"] for message in burst.messages])


async def test_a_lone_message_goes_at_once_and_a_burst_together(coalescer: Coalescer) -> None:
    channel = Channel(coalescer)
    slow = Slow(0.002)
    channel.join(slow)
    for number in range(10):
        channel.publish(event(number))
    assert slow.got == [[0]]
    await until(lambda: len(slow.got) > 1)
    assert slow.got == [[0], list(range(1, 10))]
    channel.publish(event(10))  # a little after the burst, or joined to it
    await until(lambda: slow.got[-1] == [10])


async def test_of_a_burst_a_screen_gets_what_no_later_event_replaces(coalescer: Coalescer, parked: Parked) -> None:
    channel = Channel(coalescer)
    channel.join(Slow(0.002))
    channel.join(parked.outbox)
    for number, key in enumerate(["a", "a", "b", "a", None, "b", None]):
        channel.publish(event(number, key))
    await until(lambda: len(numbers(parked.line)) > 1)
    assert numbers(parked.line) == [0, 3, 4, 5, 6]


async def test_a_quick_fan_out_makes_nobody_wait(coalescer: Coalescer) -> None:
    channel = Channel(coalescer)
    quick = Slow(0.0)
    channel.join(quick)
    for number in range(10):
        channel.publish(event(number))
    assert quick.got == [[number] for number in range(10)]


async def test_an_answer_comes_behind_what_waits(coalescer: Coalescer, parked: Parked) -> None:
    channel = Channel(coalescer)
    channel.join(Slow(0.002))
    channel.join(parked.outbox)
    channel.publish(event(0))
    channel.publish(event(1))
    await parked.outbox.answer(event(2))
    channel.publish(event(3))
    assert numbers(parked.line) == [0]
    await until(lambda: len(numbers(parked.line)) > 1)
    assert numbers(parked.line) == [0, 1, 2, 3]


async def test_an_event_and_its_ack_are_one_write() -> None:
    line = Line()
    queue = EngineOutbox(16)

    async def drain() -> None:
        assert queue.next_packet() is None

    queue.attach(drain, line.transport)
    await settled()
    queue.cork()
    queue.enqueue([Packet(MESSAGE, "event")])
    await queue.put(Packet(MESSAGE, "ack"))
    assert line.written == []
    queue.uncork()
    assert line.written == [frame("4event") + frame("4ack")]
    queue.enqueue([Packet(MESSAGE, "later")])
    assert line.written[1:] == [frame("4later")]
    await queue.detach()


# --- real clients -------------------------------------------------------------------------------------------

MESSAGES = 300
LARGE = "x" * 70_000


async def listeners(panel: RunningPanel, node: NodeClients) -> dict[str, SocketIOClient]:
    """One of each: polling, WebSocket, one that changes over meanwhile, and Python's."""
    return {
        "4 polling": await node.connect(panel.url, version=4, transport="polling"),
        "4 websocket": await node.connect(panel.url, version=4, transport="websocket"),
        "3 websocket": await node.connect(panel.url, version=3, transport="websocket"),
        "4 upgrading": await node.connect(panel.url, version=4, transports=["polling", "websocket"]),
        "python": await PythonClient.connect(panel.url),
    }


def told(client: SocketIOClient) -> list[int]:
    """The numbers among what it got so far, in order."""
    said = [args[0]["data"] for args in client.inbox.take("my_response")]
    return [data["n"] for data in said if isinstance(data, dict) and "n" in data]


@pytest.mark.asyncio(loop_scope="module")
async def test_every_message_once_and_in_order_for_every_kind_of_client(panel: RunningPanel, node: NodeClients) -> None:
    chance = random.Random(7)
    clients = await listeners(panel, node)
    sender: NodeClient = await node.connect(panel.url, version=4, transport="websocket")
    late: list[SocketIOClient] = []
    for number in range(MESSAGES):
        data = {"n": number, "more": LARGE} if number % 60 == 59 else {"n": number}
        await sender.emit("my_broadcast_event", {"data": data})
        if number % 50 == 25:  # somebody comes, joins a room, and somebody goes, in the middle of it
            newcomer = await node.connect(panel.url, version=4)
            await newcomer.emit("join", {"room": "coming and going"})
            late.append(newcomer)
        if number % 100 == 75:
            await late.pop(0).disconnect()
        if chance.random() < 0.3:
            await asyncio.sleep(chance.random() / 200)
    await sender.caught_up()
    for name, client in clients.items():
        await client.caught_up()
        assert told(client) == list(range(MESSAGES)), name
    for client in [*clients.values(), *late, sender]:
        await client.disconnect()


@pytest.mark.asyncio(loop_scope="module")
async def test_events_and_replies_keep_their_order_on_the_native_wire(panel: RunningPanel) -> None:
    async with live(panel, agent="hand") as hand, live(panel, agent="screen") as screen:
        for number in range(200):
            await hand.send({"do": "set_light", "id": number, "light": "led", "level": number % 101})
        replies = [await hand.reply(number) for number in range(200)]
        assert all(reply["ok"] for reply in replies)
        for client in (hand, screen):
            await client.caught_up()
            seen = revs(client)  # in a burst, one event may stand for several
            assert seen == sorted(set(seen))
            assert seen[-1] == max(reply["rev"] for reply in replies)
        # a reply never comes before the event that it speaks of; a newer event may stand for that one, and come later
        replied: set[int] = set()
        for frame in hand.frames:
            assert replied.isdisjoint(event["rev"] for event in frame.get("events", []) if "rev" in event)
            if "light" in frame:
                replied.add(frame["rev"])


def revs(client: LiveClient) -> list[int]:
    return [event["rev"] for seen in client.frames for event in seen.get("events", []) if "rev" in event]
