"""Chat in the panel's own words: saying, and the history."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from tests.support.chat_people import Person, new, of_kind, person, said
from tests.support.chat_rooms import history, on_every_wire, room_of
from tests.support.native_command_tables import assert_refused
from tests.support.panel_process import RunningPanel

# --- saying -------------------------------------------------------------------------------------------------


@on_every_wire
async def test_what_is_said_is_whole(panel: RunningPanel, wire: str) -> None:
    ada_name, bob_name = new("Ada"), new("Bob")
    async with person(panel, wire, ada_name) as ada, person(panel, wire, bob_name) as bob:
        room = await room_of(ada, bob)
        reply = await ada.ask("say", room=room, msg="hi", client_id="c1")

        assert set(reply) == {"reply", "ok", "rev", "message"}
        message = reply["message"]
        assert set(message) == {"id", "room", "to", "n", "from", "msg", "at", "client_id"}
        assert {name: message[name] for name in ("room", "to", "n", "from", "msg", "client_id")} == {
            "room": room,
            "to": None,
            "n": 1,
            "from": ada_name,
            "msg": "hi",
            "client_id": "c1",
        }
        expected = {"event": "message", "message": message}
        for one in (ada, bob):
            events = await one.events()
            assert of_kind(events, "message") == [expected]
            [changed] = of_kind(events, "room_changed")
            assert (changed["room"], changed["state"]) == (room, {"name": room, "n": 1, "at": message["at"]})
            assert changed["rev"] == reply["rev"]


async def test_a_frame_of_messages_only_has_no_rev(panel: RunningPanel) -> None:
    bob_name = new("Bob")
    async with person(panel, "live", new("Ada")) as ada, person(panel, "live", bob_name) as bob:
        await ada.ask("say", to=bob_name, msg="psst")
        frame = await bob.client.next()
    assert set(frame) == {"epoch", "events"}
    assert [event["event"] for event in frame["events"]] == ["message"]


@on_every_wire
async def test_only_those_who_joined_get_what_is_said_and_everybody_hears_that_there_is_more(
    panel: RunningPanel, wire: str
) -> None:
    async with (
        person(panel, wire, new("Ada")) as ada,
        person(panel, wire, new("Bob")) as outside,
        person(panel, wire, None) as nameless,
    ):
        room = await room_of(ada)
        await outside.events()
        await nameless.events()
        await ada.ask("say", room=room, msg="one")
        for one in (outside, nameless):
            events = await one.events()
            assert said(events) == []
            assert [event["state"]["n"] for event in of_kind(events, "room_changed")] == [1]

        await outside.ask("join_room", room=room)
        await ada.ask("say", room=room, msg="two")
        assert [message["msg"] for message in said(await outside.events())] == ["two"]
        assert (await outside.ask("leave_room", room=room))["ok"]
        assert (await outside.ask("leave_room", room=room))["ok"]
        await ada.ask("say", room=room, msg="three")
        assert said(await outside.events()) == []
        assert [message["n"] for message in said(await ada.events())] == [1, 2, 3]
        # and one may speak in a room that one has not joined
        assert (await outside.ask("say", room=room, msg="from outside"))["message"]["n"] == 4


async def test_joining_twice_is_joining_once(panel: RunningPanel) -> None:
    async with person(panel, "live", new("Ada")) as ada:
        room = await room_of(ada, ada)
        await ada.client.send({"do": "say", "room": room, "msg": 1, "id": "a"})
        await ada.ask("join_room", room=room)
        await ada.ask("say", room=room, msg=2)
        assert [message["msg"] for message in said(await ada.events())] == [1, 2]


@on_every_wire
async def test_what_is_private_comes_to_every_device_of_both_and_to_nobody_else(panel: RunningPanel, wire: str) -> None:
    ada_name, bob_name = new("Ada"), new("Bob")
    async with (
        person(panel, wire, ada_name) as ada,
        person(panel, "live", ada_name) as ada_phone,
        person(panel, wire, bob_name) as bob,
        person(panel, "panel", bob_name) as bob_phone,
        person(panel, wire, new("Cleo")) as cleo,
        person(panel, wire, None) as nameless,
    ):
        first = (await ada.ask("say", to=bob_name, msg={"a": [1]}))["message"]
        second = (await bob.ask("say", to=ada_name, msg=None))["message"]

        assert (first["room"], first["to"], first["n"], first["from"]) == (None, bob_name, 1, ada_name)
        assert (second["to"], second["n"], second["from"], second["msg"]) == (ada_name, 2, bob_name, None)
        for one in (ada, ada_phone, bob, bob_phone):
            assert said(await one.events()) == [first, second]
        for one in (cleo, nameless):
            assert [event for event in await one.events() if event["event"] != "person_changed"] == []
        assert await history(ada, to=bob_name) == await history(bob, to=ada_name) == [first, second]
        assert await history(cleo, to=bob_name) == []


@on_every_wire
async def test_a_monologue(panel: RunningPanel, wire: str) -> None:
    name = new("Ada")
    async with person(panel, wire, name) as ada, person(panel, wire, name) as phone:
        message = (await ada.ask("say", to=name, msg="milk"))["message"]
        assert said(await ada.events()) == said(await phone.events()) == [message]
        assert await history(phone, to=name) == [message]
        [thread] = [one for one in (await ada.ask("get_threads"))["threads"] if one["with"] == name]
        assert (thread["n"], thread["unread"]) == (1, 0)


@on_every_wire
async def test_a_retry_is_answered_with_what_is_there(panel: RunningPanel, wire: str) -> None:
    ada_name, bob_name = new("Ada"), new("Bob")
    async with person(panel, wire, ada_name) as ada, person(panel, wire, bob_name) as bob:
        room = await room_of(ada, bob)
        first = await ada.ask("say", room=room, msg="once", client_id="same")
        again = await ada.ask("say", room=room, msg="once", client_id="same")
        theirs = await bob.ask("say", room=room, msg="mine", client_id="same")  # the id is the sender's own
        without = [(await ada.ask("say", room=room, msg="x"))["message"]["n"] for _ in range(2)]

        assert again["ok"]
        assert again["message"] == first["message"]
        assert theirs["message"]["n"] == 2
        assert without == [3, 4]
        assert [message["n"] for message in said(await bob.events())] == [1, 2, 3, 4]
        assert len(await history(bob, room=room)) == 4


@on_every_wire
async def test_a_retry_in_another_place_is_no_retry(panel: RunningPanel, wire: str) -> None:
    ada_name, bob_name, cat_name = new("Ada"), new("Bob"), new("Cat")
    async with (
        person(panel, wire, ada_name) as ada,
        person(panel, wire, bob_name) as bob,
        person(panel, wire, cat_name),
    ):
        room, other = await room_of(ada, bob), await room_of(ada, bob)
        places: list[dict[str, str]] = [{"room": room}, {"room": other}, {"to": bob_name}, {"to": cat_name}]
        for number, place in enumerate(places):
            first = await ada.ask("say", **place, msg="here", client_id=f"id {number}")
            assert first["ok"]
            for elsewhere in places:
                reply = await ada.ask("say", **elsewhere, msg="there", client_id=f"id {number}")
                if elsewhere == place:
                    assert reply["message"] == first["message"]
                else:
                    assert_refused(reply, "bad-command")
                    assert reply["problem"]["errors"][0]["field"] == "client_id"
        assert [message["msg"] for message in said(await bob.events())] == ["here"] * 3


async def test_retries_at_the_same_time_add_one_message(panel: RunningPanel) -> None:
    name = new("Ada")
    async with person(panel, "live", name) as ada, person(panel, "live", name) as tab:
        room = await room_of(ada, tab)
        replies = await asyncio.gather(
            *(one.send({"do": "say", "room": room, "msg": "x", "client_id": "c"}) for one in (ada, tab))
        )
        assert replies[0]["message"] == replies[1]["message"]
        assert len(said(await ada.events())) == 1


async def test_messages_are_in_one_order_without_holes(panel: RunningPanel) -> None:
    # given people on both wires who all talk at once, in a room and to each other
    names = [new("Ada") for _ in range(6)]
    async with (
        person(panel, "live", names[0]) as a,
        person(panel, "panel", names[1]) as b,
        person(panel, "live", names[2]) as c,
        person(panel, "panel", names[3]) as d,
    ):
        people = [a, b, c, d]
        room = await room_of(*people)

        async def talk(number: int, speaker: Person) -> None:
            for count in range(25):
                await speaker.ask("say", room=room, msg=[number, count])
                await speaker.ask("say", to=names[0], msg=[number, count])

        await asyncio.gather(*(talk(number, speaker) for number, speaker in enumerate(people)))
        # then everybody has the same, in the order of n
        heard = [said(await one.events()) for one in people]
        in_room = [[message for message in messages if message["room"] == room] for messages in heard]
        assert in_room[0] == in_room[1] == in_room[2] == in_room[3] == await history(a, room=room)
        assert [message["n"] for message in in_room[0]] == list(range(1, 101))
        for number in range(4):
            assert [m["msg"][1] for m in in_room[0] if m["msg"][0] == number] == list(range(25))
            with_number = await history(people[number], to=names[0])
            assert [message["n"] for message in with_number] == list(range(1, 26))
        ids = [message["id"] for message in heard[0]]
        assert len(set(ids)) == len(ids)
        for messages in in_room:
            assert [message["id"] for message in messages] == sorted(message["id"] for message in messages)


# --- the history --------------------------------------------------------------------------------------------


PAGES: list[tuple[dict[str, Any], list[int], bool]] = [
    ({}, list(range(11, 61)), True),
    ({"limit": 5}, [56, 57, 58, 59, 60], True),
    ({"limit": 200}, list(range(1, 61)), False),
    ({"before": 11, "limit": 3}, [8, 9, 10], True),
    ({"before": 4, "limit": 3}, [1, 2, 3], False),
    ({"before": 1}, [], False),
    ({"before": 61, "limit": 1}, [60], True),
    ({"before": 1000, "limit": 2}, [59, 60], True),
    ({"after": 0, "limit": 3}, [1, 2, 3], True),
    ({"after": 57, "limit": 3}, [58, 59, 60], False),
    ({"after": 58, "limit": 3}, [59, 60], False),
    ({"after": 60}, [], False),
    ({"after": 10**6}, [], False),
    ({"after": 10, "before": 15}, [11, 12, 13, 14], False),
    ({"after": 10, "before": 15, "limit": 2}, [11, 12], True),
    ({"after": 15, "before": 10}, [], False),
    ({"before": 2**63}, list(range(11, 61)), True),
    ({"after": 2**63}, [], False),
]


@on_every_wire
async def test_pages(panel: RunningPanel, wire: str) -> None:
    name, bob = new("Ada"), new("Bob")
    async with person(panel, wire, bob):
        pass
    async with person(panel, wire, name) as ada:
        room = await room_of(ada)
        for number in range(60):
            await ada.ask("say", room=room, msg=number)
            await ada.ask("say", to=bob, msg=number)
        for where in ({"room": room}, {"to": bob}):
            for asked, numbers, more in PAGES:
                reply = await ada.ask("get_messages", **where, **asked)
                assert reply["ok"], (asked, reply)
                assert [message["n"] for message in reply["messages"]] == numbers, asked
                assert reply["more"] is more, asked
    for asked, numbers, more in PAGES:
        if max(asked.get("before", 0), asked.get("after", 0)) < 2**63:
            page = panel.get(f"/chat/rooms/{room}/messages", params=asked).json()
            assert ([message["n"] for message in page["messages"]], page["more"]) == (numbers, more), asked


@on_every_wire
async def test_a_long_message_and_many_of_them(panel: RunningPanel, wire: str) -> None:
    """More than a feed keeps: a fast reader gets everything, a slow one gets the numbers to ask for."""
    large = "x" * 250_000
    async with contextlib.AsyncExitStack() as stack:
        bob, *speakers = [await stack.enter_async_context(person(panel, wire, new("Bob"))) for _ in range(5)]
        room = await room_of(bob, *speakers)
        for _ in range(3):
            await asyncio.gather(*(one.ask("say", room=room, msg=large) for one in speakers))
        expected = 1
        for event in await bob.events():
            if event["event"] == "message":
                assert event["message"]["n"] == expected
                expected += 1
            elif event["event"] == "gap":
                assert (event["of"], event["room"], event["from"]) == ("room", room, expected)
                assert set(event) == {"event", "of", "room", "from", "upto"}
                expected = event["upto"]
        assert expected == 13


@on_every_wire
async def test_threads_unread_and_marks(panel: RunningPanel, wire: str) -> None:
    ada_name, bob_name = new("Ada"), new("Bob")
    async with person(panel, wire, ada_name) as ada, person(panel, wire, bob_name) as bob:
        room, silent = await room_of(ada, bob), await room_of(ada)

        async def thread(one: Person, **where: Any) -> dict[str, Any]:
            threads = (await one.ask("get_threads"))["threads"]
            [found] = [each for each in threads if where.items() <= each.items()]
            assert set(found) == {"room", "with", "n", "read", "unread", "last", "marks"}
            return found

        for number in range(3):
            await ada.ask("say", room=room, msg=number)
            await ada.ask("say", to=bob_name, msg=number)
        for where in ({"room": room}, {"with": bob_name}):
            mine = await thread(ada, **where)
            assert (mine["n"], mine["read"], mine["unread"], mine["last"]["msg"]) == (3, 3, 0, 2)
        for where, to in (({"room": room}, {"room": room}), ({"with": ada_name}, {"to": ada_name})):
            theirs = await thread(bob, **where)
            assert (theirs["n"], theirs["read"], theirs["unread"]) == (3, 0, 3)
            assert theirs["marks"] == {ada_name: {"delivered": 3, "read": 3}}
            await ada.events()
            # when Bob has got two of them and read one
            assert (await bob.ask("mark", **to, delivered=2, read=1))["ok"]
            # then Ada and Bob's own devices hear it
            [mark] = of_kind(await ada.events(), "marks_changed")
            other = {"room": room, "to": None} if "room" in to else {"room": None, "to": ada_name}
            assert mark == {"event": "marks_changed", **other, "person": bob_name, "delivered": 2, "read": 1}
            assert (await thread(bob, **where))["unread"] == 2
        assert (await thread(ada, **{"with": bob_name}))["marks"] == {bob_name: {"delivered": 2, "read": 1}}

        # marks never go back, never past the end, and what was read was got
        await bob.ask("mark", room=room, delivered=1)
        await bob.ask("mark", room=room, read=0)
        assert (await thread(ada, room=room))["marks"][bob_name] == {"delivered": 2, "read": 1}
        await bob.ask("mark", room=room, read=10**9)
        assert (await thread(ada, room=room))["marks"][bob_name] == {"delivered": 3, "read": 3}
        # saying something marks the thread read
        await ada.ask("say", room=room, msg="more")
        await bob.ask("say", room=room, msg="answer")
        assert (await thread(bob, room=room))["unread"] == 0
        assert (await thread(ada, room=room))["unread"] == 1
        # a room where nothing was said is one, and other people's private threads are none
        assert (await thread(ada, room=silent))["last"] is None
        async with person(panel, wire, new("Cleo")) as cleo:
            threads = (await cleo.ask("get_threads"))["threads"]
            assert [each["with"] for each in threads if each["with"] is not None] == []
            assert {"lobby", room, silent} <= {each["room"] for each in threads}
