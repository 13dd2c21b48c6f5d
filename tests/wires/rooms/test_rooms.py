"""Rooms on Socket.IO's default namespace, and refusals. The contract's section B."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.conftest import EVERY_WAY, each_of
from tests.support.node_clients import NodeClients
from tests.support.panel_process import RunningPanel
from tests.support.rooms_clients import VALUES, Client, all_told
from tests.support.stock_clients import EACH_CLIENT, join

server = each_of(*EVERY_WAY, matters=False)


pytestmark = pytest.mark.asyncio(loop_scope="module")


PROBLEM = "urn:pilotlight:problem:bad-command"


def room_names() -> Any:
    """New rooms, so that no test meets another's."""
    return (f"room {number}" for number in itertools.count(1))


ROOMS = room_names()


# --- rooms --------------------------------------------------------------------------------------------------


async def test_joining_and_leaving_are_answered_with_the_rooms(sender: Client, others: list[Client]) -> None:
    one, two = next(ROOMS), next(ROOMS)
    steps = [
        ("join", one, {one}),
        ("join", two, {one, two}),
        ("join", one, {one, two}),  # again
        ("join", sender.sid, {one, two}),  # the own one, where it is already
        ("leave", one, {two}),
        ("leave", one, {two}),  # again
        ("leave", "no such room", {two}),
        ("leave", two, set()),
    ]
    for event, room, rooms in steps:
        assert await sender.send(event, {"room": room}) == []
        [answer] = await sender.told()
        assert answer["count"] == sender.count
        assert answer["data"].startswith("In rooms: ")
        listed = answer["data"].removeprefix("In rooms: ").split(", ")
        assert sorted(listed) == sorted(rooms | {sender.sid})

    assert await all_told(others) == [[], []]


async def test_what_is_sent_to_a_room_reaches_its_members_alone(sender: Client, others: list[Client]) -> None:
    room = next(ROOMS)
    member, outsider = others
    await member.send("join", {"room": room})
    await sender.send("join", {"room": room})
    await all_told([sender, *others])

    expected = []
    for value in VALUES.values():
        assert await sender.send("my_room_event", {"room": room, "data": value}) == []
        expected.append({"data": value, "count": sender.count})
    assert await all_told([sender, member, outsider]) == [expected, expected, []]

    await sender.send("leave", {"room": room})
    await sender.told()
    assert await sender.send("my_room_event", {"room": room, "data": "from outside"}) == []  # outsiders may send
    told = [{"data": "from outside", "count": sender.count}]
    assert await all_told([sender, member, outsider]) == [[], told, []]

    await outsider.send("my_room_event", {"room": room, "data": "in"})
    assert await all_told([sender, member, outsider]) == [[], [{"data": "in", "count": outsider.count}], []]


@pytest.mark.parametrize("room", ["", None])
async def test_no_room_is_the_sender_alone(sender: Client, others: list[Client], room: str | None) -> None:
    assert await sender.send("my_room_event", {"room": room, "data": "to myself"}) == []

    assert await sender.told() == [{"data": "to myself", "count": sender.count}]
    assert await all_told(others) == [[], []]


async def test_a_sid_is_a_room(sender: Client, others: list[Client]) -> None:
    one, _ = others
    assert await sender.send("my_room_event", {"room": one.sid, "data": "to you"}) == []
    assert await all_told([sender, *others]) == [[], [{"data": "to you", "count": sender.count}], []]

    assert await sender.send("my_room_event", {"room": sender.sid, "data": "to me"}) == []
    assert await all_told([sender, *others]) == [[{"data": "to me", "count": sender.count}], [], []]


@pytest.mark.parametrize("room", ["nobody is here", " ", "*", "/", "None", "null", "0"])
async def test_a_room_with_nobody_in_it_is_nobody(sender: Client, others: list[Client], room: str) -> None:
    assert await sender.send("my_room_event", {"room": room, "data": "hello?"}) == []

    assert await all_told([sender, *others]) == [[], [], []]


async def test_a_room_of_any_name_is_a_room(sender: Client, others: list[Client]) -> None:
    for room in ("Küche 灯 💡", " ", "a, b", "x" * 100, "__proto__", "Connected"):
        await sender.send("join", {"room": room})
        await sender.told()
        await others[0].send("my_room_event", {"room": room, "data": room})
        assert await sender.told() == [{"data": room, "count": others[0].count}]
        await sender.send("leave", {"room": room})
        await sender.told()


async def test_closing_a_room_tells_its_members_alone_and_empties_it(sender: Client, others: list[Client]) -> None:
    room = next(ROOMS)
    member, outsider = others
    await member.send("join", {"room": room})
    await sender.send("join", {"room": room})
    await all_told([sender, *others])

    assert await sender.send("close_room", {"room": room}) == []
    closing = [{"data": f"Room {room} is closing.", "count": sender.count}]
    assert await all_told([sender, member, outsider]) == [closing, closing, []]

    await outsider.send("my_room_event", {"room": room, "data": "anybody?"})
    assert await all_told([sender, *others]) == [[], [], []]
    assert await sender.rooms() == await member.rooms() == set()

    await member.send("join", {"room": room})  # and it may be made again
    await member.told()
    await outsider.send("my_room_event", {"room": room, "data": "again"})
    assert await all_told([sender, member, outsider]) == [[], [{"data": "again", "count": outsider.count}], []]


async def test_an_outsider_closes_a_room_and_is_not_told(sender: Client, others: list[Client]) -> None:
    room = next(ROOMS)
    await others[0].send("join", {"room": room})
    await others[0].told()

    assert await sender.send("close_room", {"room": room}) == []

    closing = [{"data": f"Room {room} is closing.", "count": sender.count}]
    assert await all_told([sender, *others]) == [[], closing, []]
    assert await others[0].rooms() == set()


async def test_closing_a_room_that_is_none_is_no_error(sender: Client, others: list[Client]) -> None:
    assert await sender.send("close_room", {"room": "nobody is here"}) == []
    assert await all_told([sender, *others]) == [[], [], []]


@pytest.mark.parametrize("name", EACH_CLIENT)
async def test_who_leaves_the_panel_leaves_its_rooms(
    panel: RunningPanel, node: NodeClients, others: list[Client], name: str
) -> None:
    room = next(ROOMS)
    guest = await Client(await join(name, panel, node)).begin()
    await guest.send("join", {"room": room})
    await others[0].send("join", {"room": room})
    await others[0].told()
    await guest.socket.disconnect()

    await others[1].send("my_room_event", {"room": room, "data": "who is left?"})

    assert await all_told(others) == [[{"data": "who is left?", "count": others[1].count}], []]
    again = await Client(await join(name, panel, node)).begin()
    assert again.sid != guest.sid
    assert await again.rooms() == set()
    await again.socket.disconnect()


# --- refusals -----------------------------------------------------------------------------------------------


NOT_AN_OBJECT: list[list[Any]] = [[], [None], ["data"], [5], [True], [["data"]]]


NO_ROOM: list[Any] = [{}, {"Room": "r"}, {"data": 1}]


NOT_A_ROOM: list[Any] = [{"room": room} for room in (5, 0, True, 1.5, ["r"], {"r": 1})]


REFUSED: dict[str, list[list[Any]]] = {
    "my_event": [*NOT_AN_OBJECT, [{}], [{"Data": 1}]],
    "my_broadcast_event": [*NOT_AN_OBJECT, [{}], [{"room": "r"}]],
    "join": [*NOT_AN_OBJECT, *([room] for room in [*NO_ROOM, *NOT_A_ROOM, {"room": None}, {"room": ""}])],
    "leave": [*NOT_AN_OBJECT, *([room] for room in [*NO_ROOM, *NOT_A_ROOM, {"room": None}, {"room": ""}])],
    "close_room": [*NOT_AN_OBJECT, *([room] for room in [*NO_ROOM, *NOT_A_ROOM, {"room": None}, {"room": ""}])],
    "my_room_event": [
        *NOT_AN_OBJECT,
        *([room] for room in NO_ROOM),
        *([{**room, "data": 1}] for room in NOT_A_ROOM),
        [{"room": "r"}],
        [{"room": ""}],
    ],
}


@pytest.mark.parametrize("event", REFUSED)
async def test_a_wrong_argument_is_told_to_its_sender_alone(sender: Client, others: list[Client], event: str) -> None:
    room = next(ROOMS)
    for client in [sender, *others]:
        await client.send("join", {"room": room})
        await client.told()

    for args in REFUSED[event]:
        await assert_refused(sender, event, *args)

    assert await all_told(others) == [[], []]
    assert await sender.rooms() == await others[0].rooms() == {room}


async def test_another_client_s_own_room_cannot_be_joined_or_closed(sender: Client, others: list[Client]) -> None:
    victim, _ = others
    for event in ("join", "close_room"):
        await assert_refused(sender, event, {"room": victim.sid})

    assert await sender.rooms() == set()
    assert await all_told(others) == [[], []]
    await sender.send("my_room_event", {"room": victim.sid, "data": "still there?"})
    assert await all_told([sender, *others]) == [[], [{"data": "still there?", "count": sender.count}], []]


async def test_leaving_another_client_s_own_room_changes_nothing(sender: Client, others: list[Client]) -> None:
    await sender.send("leave", {"room": others[0].sid})
    await sender.told()

    await sender.send("my_room_event", {"room": others[0].sid, "data": "still there?"})
    assert await all_told(others) == [[{"data": "still there?", "count": sender.count}], []]


async def test_the_own_room_can_be_neither_left_nor_closed(sender: Client, others: list[Client]) -> None:
    for event in ("leave", "close_room"):
        await assert_refused(sender, event, {"room": sender.sid})

    assert await all_told(others) == [[], []]
    await others[0].send("my_room_event", {"room": sender.sid, "data": "still there?"})
    assert await sender.told() == [{"data": "still there?", "count": others[0].count}]


async def test_a_refusal_without_an_ack_is_told_too(sender: Client, others: list[Client]) -> None:
    await sender.socket.emit("join", {"room": 5})
    sender.count += 1

    [answer] = await sender.told()
    assert answer["count"] == sender.count
    assert "room" in answer["data"]
    assert await all_told(others) == [[], []]


async def assert_refused(sender: Client, event: str, *args: Any) -> None:
    """Assert that `my_response` and the problem in the ack say what is wrong, with the same detail."""
    [problem] = await sender.send(event, *args)
    assert problem["type"] == PROBLEM, args
    assert problem["status"] == 400
    assert problem["title"]
    assert problem["detail"]
    assert isinstance(problem["errors"], list)
    assert await sender.told() == [{"data": problem["detail"], "count": sender.count}], args
