"""Events on Socket.IO's default namespace: the count, echoes, broadcasts. Section B."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.conftest import EVERY_WAY, SERVERS, each_of
from tests.support.node_clients import NodeClients
from tests.support.panel_process import RunningPanel
from tests.support.rooms_clients import BY_ITSELF, VALUES, Client, Observer, all_told
from tests.support.stock_clients import EACH_CLIENT, join

server = each_of(*EVERY_WAY, matters=False)


pytestmark = pytest.mark.asyncio(loop_scope="module")


EVERY = 10.0  # seconds between the panel's own events


# --- connecting, and the count ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EACH_CLIENT)
async def test_a_newcomer_alone_is_told_that_it_is_connected(
    panel: RunningPanel, node: NodeClients, others: list[Client], name: str
) -> None:
    newcomer = Client(await join(name, panel, node))

    assert await newcomer.told() == [{"data": "Connected", "count": 0}]
    assert await all_told(others) == [[], []]
    await newcomer.socket.disconnect()
    assert await all_told(others) == [[], []]


COUNTED: list[tuple[str, list[Any]]] = [
    ("my_event", [{"data": 1}]),
    ("my_broadcast_event", [{"data": 1}]),
    ("join", [{"room": "r"}]),
    ("my_room_event", [{"room": "r", "data": 1}]),
    ("my_room_event", [{"room": "nobody is here", "data": 1}]),
    ("leave", [{"room": "r"}]),
    ("close_room", [{"room": "r"}]),
    ("my_event", []),
    ("my_broadcast_event", [5]),
    ("join", [{}]),
    ("leave", [{"room": 5}]),
    ("close_room", [None]),
    ("my_room_event", [{"data": 1}]),
]


@pytest.mark.parametrize("name", EACH_CLIENT)
async def test_every_event_is_counted_from_1_a_refused_one_too_and_a_ping_not(
    panel: RunningPanel, node: NodeClients, name: str
) -> None:
    for _ in range(2):  # it restarts on reconnect
        client = Client(await join(name, panel, node))
        for number, (event, args) in enumerate(COUNTED, 1):
            await client.socket.ask(event, *args)
            await client.socket.ask("my_ping")
            await client.socket.ask("no such event", {"data": 1})
            await client.socket.ask("led", {"level": "no level"})
            await client.socket.emit("my_event", {"data": "counts"})
            assert (await client.told())[-1] == {"data": "counts", "count": 2 * number}
        await client.socket.disconnect()


async def test_the_count_is_each_connection_s_own(sender: Client, others: list[Client]) -> None:
    for data in ("one", "two", "three"):
        await sender.send("my_event", {"data": data})
    before = others[0].count
    await others[0].send("my_event", {"data": "mine"})

    assert await sender.told() == [{"data": data, "count": n} for n, data in enumerate(("one", "two", "three"), 2)]
    assert await all_told(others) == [[{"data": "mine", "count": before + 1}], []]


# --- my_event, my_broadcast_event, my_ping ------------------------------------------------------------------


async def test_any_json_comes_back_to_the_sender_alone(sender: Client, others: list[Client]) -> None:
    for value in VALUES.values():
        assert await sender.send("my_event", {"data": value}) == []
        assert await sender.told() == [{"data": value, "count": sender.count}]

    assert await all_told(others) == [[], []]


async def test_any_json_is_broadcast_with_the_sender_s_count(sender: Client, others: list[Client]) -> None:
    expected = []
    for value in VALUES.values():
        assert await sender.send("my_broadcast_event", {"data": value}) == []
        expected.append({"data": value, "count": sender.count})

    assert await all_told([sender, *others]) == [expected] * 3


async def test_what_else_the_object_has_and_further_arguments_are_ignored(sender: Client, others: list[Client]) -> None:
    assert await sender.send("my_event", {"data": 1, "room": "r", "count": 99}, {"data": 2}, 3) == []

    assert await sender.told() == [{"data": 1, "count": sender.count}]


async def test_no_ack_is_needed(sender: Client, others: list[Client]) -> None:
    for number in range(5):
        await sender.socket.emit("my_broadcast_event", {"data": number})

    expected = [{"data": number, "count": sender.count + 1 + number} for number in range(5)]
    assert await all_told([sender, *others]) == [expected] * 3


async def test_a_ping_is_answered_without_arguments(sender: Client, others: list[Client]) -> None:
    await sender.socket.emit("my_ping")
    assert await sender.socket.next("my_pong") == []

    assert await sender.socket.ask("my_ping") == []
    assert await sender.socket.next("my_pong") == []
    assert await sender.told() == []
    for other in others:
        await other.socket.caught_up()
        assert other.socket.inbox.take("my_pong") == []


async def test_the_answer_comes_before_its_ack(sender: Client) -> None:
    for event, argument in (("my_event", {"data": 1}), ("join", {"room": "r"}), ("my_room_event", {})):
        await sender.send(event, argument)
        told = [args[0]["data"] for args in sender.socket.inbox.take("my_response")]
        assert [data for data in told if data != BY_ITSELF], f"{event} was acknowledged before it was answered"


# --- the panel's own events; last, since they have come by then ---------------------------------------------


async def test_the_panel_s_own_events_come_every_10_s_to_all_counted_from_the_first_connect(
    server: str, observers: list[Observer]
) -> None:
    gone, stays, later = observers
    async with asyncio.timeout(6 * EVERY):
        while server == SERVERS[0] and len(later.heard) < 2:  # the others are judged by what came until now
            await asyncio.sleep(0.05)

    for observer in (stays, later):
        assert [count for count, _ in observer.heard] == list(range(1, len(observer.heard) + 1))
        for count, at in observer.heard:  # counted from the first connect ever, which has gone since
            # not sooner, however slow this machine is, and before the next one is due
            assert EVERY * count - 0.1 <= at < EVERY * (count + 1)
    assert gone.heard == []
