"""People and rooms in the panel's own words: over `ws /live`, over Socket.IO's `/panel`, and over REST."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import weakref
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from asgi_app.models import Actor, Hardware, LightSpec, Reply, parse_command
from asgi_app.service import Panel, Session
from asgi_app.service import chat as service
from asgi_app.store import Store
from tests.support.chat_people import Person, new, of_kind, old, person, said
from tests.support.native_command_tables import assert_refused
from tests.support.panel_process import RunningPanel, eventually

StartPanel = Callable[..., RunningPanel]

WIRES = ("live", "panel")
on_every_wire = pytest.mark.parametrize("wire", WIRES)


async def room_of(*people: Person) -> str:
    """A new room that all of them have joined, and whose making has been heard."""
    name = new("room")
    for one in people:
        assert (await one.ask("join_room", room=name))["ok"]
    for one in people:
        await one.events()
    return name


async def history(one: Person, **where: Any) -> list[dict[str, Any]]:
    """All messages of a thread."""
    found: list[dict[str, Any]] = []
    after = 0
    while True:
        page = await one.ask("get_messages", **where, after=after, limit=200)
        found += page["messages"]
        if not page["more"]:
            return found
        after = found[-1]["n"]


# --- saying ------------------------------------------------------------------------------------------------


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


# --- the history -------------------------------------------------------------------------------------------

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
    """More than a feed keeps: who is in time gets it, or is told exactly which numbers to ask for."""
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


# --- what passes -------------------------------------------------------------------------------------------


@on_every_wire
async def test_typing(panel: RunningPanel, wire: str) -> None:
    ada_name, bob_name = new("Ada"), new("Bob")
    async with (
        person(panel, wire, ada_name) as ada,
        person(panel, wire, bob_name) as bob,
        person(panel, wire, new("Cleo")) as cleo,
    ):
        room = await room_of(ada, bob)
        await ada.ask("typing", room=room)
        await ada.ask("typing", room=room, typing=False)
        await ada.ask("typing", to=bob_name, typing=True)

        # each waits for its own, so that the newest of a key is what counts
        heard = of_kind(await bob.events(), "typing")
        in_room = {"event": "typing", "room": room, "to": None, "person": ada_name}
        assert [event for event in heard if event["room"] == room][-1] == {**in_room, "typing": False}
        assert {"event": "typing", "room": None, "to": bob_name, "person": ada_name, "typing": True} in heard
        assert of_kind(await ada.events(), "typing") == of_kind(await cleo.events(), "typing") == []


@on_every_wire
async def test_presence(panel: RunningPanel, wire: str) -> None:
    ada_name, bob_name = new("Ada"), new("Bob")
    async with person(panel, wire, ada_name) as ada:
        me = ada.opening["state"]["people"][ada_name]
        assert [device["via"] for device in me["devices"]] == [wire]
        assert set(me["devices"][0]) == {"via", "device", "at"}

        async def devices_of_bob() -> list[str]:
            found: list[dict[str, Any]] = []
            while not found:  # the end of a connection is noticed when it is
                found = [
                    event for event in of_kind(await ada.events(), "person_changed") if event["person"] == bob_name
                ]
            return [device["via"] for device in found[-1]["devices"]]

        async with person(panel, "live", bob_name) as bob:
            assert await devices_of_bob() == ["live"]
            async with old(panel, bob_name), person(panel, "panel", bob_name):
                while sorted(await devices_of_bob()) != ["chat", "live", "panel"]:
                    pass
                state = (await ada.ask("get_state"))["snapshot"]["state"]
                assert sorted(device["via"] for device in state["people"][bob_name]["devices"]) == [
                    "chat",
                    "live",
                    "panel",
                ]
            while await devices_of_bob() != ["live"]:
                pass
            assert bob.opening["state"]["people"].keys() >= {ada_name, bob_name}
        assert await devices_of_bob() == []
        people = (await ada.ask("get_state"))["snapshot"]["state"]["people"]
        assert ada_name in people
        assert bob_name not in people


@on_every_wire
async def test_coming_back_brings_people_and_rooms(panel: RunningPanel, wire: str) -> None:
    ada_name, bob_name = new("Ada"), new("Bob")
    async with person(panel, "live", new("watcher")) as watcher:
        async with person(panel, wire, ada_name) as ada:
            epoch = ada.opening["epoch"]
            rev = (await ada.ask("ping"))["rev"]
        while not [e for e in of_kind(await watcher.events(), "person_changed") if e["person"] == ada_name]:
            pass
        async with person(panel, wire, bob_name) as bob:
            room = await room_of(bob)
            await bob.ask("say", room=room, msg="while you were away")
            async with person(panel, wire, ada_name, epoch=epoch, rev=str(rev)) as back:
                missed = back.opening["events"]
                assert [event["rev"] for event in missed] == list(range(rev + 1, back.opening["rev"] + 1))
                people = [(e["person"], len(e["devices"])) for e in of_kind(missed, "person_changed")]
                assert people == [(ada_name, 0), (bob_name, 1), (ada_name, 1)]
                rooms = [(e["room"], e["state"]["n"]) for e in of_kind(missed, "room_changed")]
                assert rooms == [(room, 0), (room, 1)]
                assert said(missed) == []
                assert [m["msg"] for m in await history(back, room=room)] == ["while you were away"]
                assert said(await back.events()) == []


# --- names -------------------------------------------------------------------------------------------------

NEEDS_A_NAME: list[dict[str, Any]] = [
    {"do": "say", "room": "lobby", "msg": "hi"},
    {"do": "say", "to": "Ada", "msg": "hi"},
    {"do": "typing", "room": "lobby", "typing": True},
    {"do": "mark", "room": "lobby", "read": 1},
    {"do": "join_room", "room": "lobby"},
    {"do": "join_room", "room": "a new one"},
    {"do": "leave_room", "room": "lobby"},
    {"do": "get_messages", "room": "lobby"},
    {"do": "get_threads"},
]


@on_every_wire
async def test_without_a_name_there_is_light_and_no_chat(panel: RunningPanel, wire: str) -> None:
    async with person(panel, wire, None) as nameless, person(panel, wire, "  ") as blank:
        before = (await nameless.ask("get_state"))["snapshot"]
        for one in (nameless, blank):
            assert "someone" not in one.opening["state"]["people"]
            for command in NEEDS_A_NAME:
                reply = await one.send(command)
                assert_refused(reply, "name-needed")
                assert reply["problem"]["status"] == 403
            assert (await one.ask("set_light", light="led", level=11))["ok"]
        after = (await nameless.ask("get_state"))["snapshot"]["state"]
        assert (after["rooms"], after["people"]) == (before["state"]["rooms"], before["state"]["people"])


@on_every_wire
@pytest.mark.parametrize("name", ["live", "Server", "WS", "a\x00b", "a\u202eb", "a\u200bb", "\u200d", "socket.io"])
async def test_a_name_that_cannot_be_had(panel: RunningPanel, wire: str, name: str) -> None:
    async with person(panel, wire, name) as one:
        assert name not in one.opening["state"]["people"]
        for command in NEEDS_A_NAME:
            assert_refused(await one.send(command), "bad-name")
        assert (await one.ask("set_light", light="led", level=12))["ok"]


@on_every_wire
async def test_a_name_is_the_same_however_it_is_written(panel: RunningPanel, wire: str) -> None:
    name = new("Zoë Ray")
    async with (
        person(panel, wire, name) as composed,
        person(panel, wire, f"  {name.replace('ë', 'e' + chr(0x308)).replace(' ', '   ')} ") as decomposed,
        person(panel, wire, new("Ada")) as ada,
    ):
        message = (await ada.ask("say", to=name.replace("ë", "e\u0308"), msg="hi"))["message"]
        assert message["to"] == name
        assert said(await composed.events()) == said(await decomposed.events()) == [message]
        assert len(ada.opening["state"]["people"][name]["devices"]) == 2


# --- what is refused ---------------------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"do": "say"}, "bad-command"),
    ({"do": "say", "msg": "hi"}, "bad-command"),
    ({"do": "say", "room": "lobby"}, "bad-command"),
    ({"do": "say", "room": "lobby", "to": "{me}", "msg": "hi"}, "bad-command"),
    ({"do": "say", "room": None, "to": None, "msg": "hi"}, "bad-command"),
    ({"do": "say", "room": 5, "msg": "hi"}, "bad-command"),
    ({"do": "say", "room": ["lobby"], "msg": "hi"}, "bad-command"),
    ({"do": "say", "to": {"name": "{me}"}, "msg": "hi"}, "bad-command"),
    ({"do": "say", "room": "lobby", "msg": "hi", "client_id": ""}, "bad-command"),
    ({"do": "say", "room": "lobby", "msg": "hi", "client_id": "x" * 65}, "bad-command"),
    ({"do": "say", "room": "lobby", "msg": "hi", "client_id": 7}, "bad-command"),
    ({"do": "say", "room": "lobby", "msg": "hi", "from": "{me}"}, "bad-command"),
    ({"do": "say", "room": "lobby", "msg": "hi", "at": 0}, "bad-command"),
    ({"do": "say", "room": "nope", "msg": "hi"}, "unknown-room"),
    ({"do": "say", "room": "", "msg": "hi"}, "unknown-room"),
    ({"do": "say", "room": "x" * 100_000, "msg": "hi"}, "unknown-room"),
    ({"do": "say", "to": "nobody", "msg": "hi"}, "unknown-person"),
    ({"do": "say", "to": "", "msg": "hi"}, "unknown-person"),
    ({"do": "say", "to": "x" * 100_000, "msg": "hi"}, "unknown-person"),
    ({"do": "say", "to": "a\x00b", "msg": "hi"}, "unknown-person"),
    ({"do": "say", "room": "lobby", "msg": "x" * 262_144}, "too-large"),
    ({"do": "say", "room": "lobby", "msg": "界" * 90_000}, "too-large"),
    ({"do": "typing"}, "bad-command"),
    ({"do": "typing", "room": "lobby", "typing": 1}, "bad-command"),
    ({"do": "typing", "room": "lobby", "typing": None}, "bad-command"),
    ({"do": "typing", "room": "nope"}, "unknown-room"),
    ({"do": "typing", "to": "nobody"}, "unknown-person"),
    ({"do": "mark", "room": "lobby"}, "bad-command"),
    ({"do": "mark", "read": 1}, "bad-command"),
    ({"do": "mark", "room": "lobby", "read": -1}, "bad-command"),
    ({"do": "mark", "room": "lobby", "read": 1.5}, "bad-command"),
    ({"do": "mark", "room": "lobby", "read": "1"}, "bad-command"),
    ({"do": "mark", "room": "lobby", "read": True}, "bad-command"),
    ({"do": "mark", "room": "nope", "read": 1}, "unknown-room"),
    ({"do": "mark", "to": "nobody", "read": 1}, "unknown-person"),
    ({"do": "join_room"}, "bad-command"),
    ({"do": "join_room", "room": None}, "bad-command"),
    ({"do": "join_room", "to": "{me}"}, "bad-command"),
    ({"do": "join_room", "room": ""}, "bad-name"),
    ({"do": "join_room", "room": "   "}, "bad-name"),
    ({"do": "join_room", "room": "x" * 65}, "bad-name"),
    ({"do": "join_room", "room": "a\x00b"}, "bad-name"),
    ({"do": "join_room", "room": "a\u202eb"}, "bad-name"),
    ({"do": "leave_room"}, "bad-command"),
    ({"do": "leave_room", "room": "nope"}, "unknown-room"),
    ({"do": "get_messages"}, "bad-command"),
    ({"do": "get_messages", "room": "lobby", "to": "{me}"}, "bad-command"),
    ({"do": "get_messages", "room": "lobby", "before": 0}, "bad-command"),
    ({"do": "get_messages", "room": "lobby", "after": -1}, "bad-command"),
    ({"do": "get_messages", "room": "lobby", "before": "5"}, "bad-command"),
    ({"do": "get_messages", "room": "lobby", "limit": 0}, "bad-command"),
    ({"do": "get_messages", "room": "lobby", "limit": 201}, "bad-command"),
    ({"do": "get_messages", "room": "lobby", "limit": 1.5}, "bad-command"),
    ({"do": "get_messages", "room": "nope"}, "unknown-room"),
    ({"do": "get_messages", "to": "nobody"}, "unknown-person"),
    ({"do": "get_threads", "room": "lobby"}, "bad-command"),
]


@on_every_wire
async def test_what_is_refused_changes_nothing(panel: RunningPanel, wire: str) -> None:
    name = new("Ada")
    async with person(panel, wire, name) as ada, person(panel, wire, new("Bob")) as bystander:
        await ada.ask("join_room", room="lobby")
        await bystander.ask("join_room", room="lobby")
        await bystander.events()
        before = (await ada.ask("get_state"))["snapshot"], await history(ada, room="lobby")
        threads = (await ada.ask("get_threads"))["threads"]
        for command, slug in REFUSED:
            reply = await ada.send(json.loads(json.dumps(command).replace("{me}", name)))
            try:
                assert_refused(reply, slug)
                assert len(reply["problem"]["detail"]) < 1000
            except AssertionError as error:
                raise AssertionError(f"{str(command)[:200]}: {str(reply)[:300]}") from error
        assert ((await ada.ask("get_state"))["snapshot"], await history(ada, room="lobby")) == before
        assert (await ada.ask("get_threads"))["threads"] == threads
        assert await bystander.events() == []


async def test_what_json_cannot_say_is_refused(panel: RunningPanel) -> None:
    """1e400 can be read, as infinity; no browser could read it back."""
    async with person(panel, "live", new("Ada")) as ada:
        client = ada.client
        await client.send('{"do": "say", "room": "lobby", "msg": [1e400], "id": 1}')
        assert_refused(await client.reply(1), "bad-command")


async def test_too_fast(start_panel: StartPanel) -> None:
    panel = start_panel(chat_rate=3)
    async with person(panel, "live", "Ada") as ada, person(panel, "panel", "Bob") as bob:
        replies = [await ada.ask("say", room="lobby", msg=number) for number in range(60)]
        refused = [reply for reply in replies if not reply["ok"]]
        assert 0 < len(refused) <= 30  # thirty at once, and three a second
        for reply in refused:
            assert_refused(reply, "too-fast")
            assert reply["problem"]["status"] == 429
        assert [m["n"] for m in await history(ada, room="lobby")] == list(range(1, 61 - len(refused)))
        # it is the person's: not another's, and the same on another connection
        assert (await bob.ask("say", room="lobby", msg="me"))["ok"]
        await ada.close()
        async with person(panel, "panel", "Ada") as again:
            slugs = [(await again.ask("say", room="lobby", msg=1)).get("problem", {}).get("type") for _ in range(10)]
            assert "urn:pilotlight:problem:too-fast" in slugs


async def test_a_rate_under_one_message_in_ten_seconds_lets_one_through(start_panel: StartPanel) -> None:
    panel = start_panel(chat_rate=0.01)
    async with person(panel, "live", "Ada") as ada:
        assert (await ada.ask("say", room="lobby", msg="one"))["ok"]
        assert_refused(await ada.ask("say", room="lobby", msg="two"), "too-fast")


async def test_too_many_rooms(start_panel: StartPanel) -> None:
    panel = start_panel(chat_rooms=60)
    async with person(panel, "live", "Ada") as ada, person(panel, "panel", "Bob") as bob:
        # given as many rooms as one connection may be in
        for number in range(50):
            assert (await ada.ask("join_room", room=f"room {number}"))["ok"]
        # when it wants one more, then that room is not made; but one it is in can be joined again
        assert_refused(await ada.ask("join_room", room="one more"), "too-many")
        assert (await ada.ask("join_room", room="room 7"))["ok"]
        rooms = (await ada.ask("get_state"))["snapshot"]["state"]["rooms"]
        assert len(rooms) == 51
        assert (await ada.ask("leave_room", room="room 7"))["ok"]
        assert (await ada.ask("join_room", room="lobby"))["ok"]
        # and the panel has an end too
        for number in range(9):
            assert (await bob.ask("join_room", room=f"more {number}"))["ok"]
        assert_refused(await bob.ask("join_room", room="too many"), "too-many")
        assert len((await ada.ask("get_state"))["snapshot"]["state"]["rooms"]) == 60


async def test_who_finds_the_panel_full_of_people_leaves_nothing_behind() -> None:
    # given a panel that knows as many people as it can
    panel, store = Panel({"led": LightSpec(pin=21)}, Hardware(pins="mock", why="a test")), Store(None)
    store.open()
    service.Chat(panel, store, service.ChatLimits(people=1))

    async def ask(session: Session, do: str, **fields: Any) -> Reply:
        return await panel.ask(session.actor, parse_command({"do": do, **fields}), session)

    with panel.session(Actor(name="Ada", via="live", given="Ada")) as ada:
        assert (await ask(ada, "say", room="lobby", msg="hi")).ok
        # when one more comes, then that one is refused, and gone without a trace after leaving
        with panel.session(Actor(name="Bob", via="live", given="Bob")) as bob:
            assert (await ask(bob, "say", room="lobby", msg="hi")).status == 409
            assert (await ask(bob, "join_room", room="lobby")).ok
            assert list(panel.state.people) == ["Ada"]
            trace = weakref.ref(bob)
        del bob
        gc.collect()
        assert trace() is None
        assert (await ask(ada, "say", room="lobby", msg="still here")).ok
    store.close()


# --- REST --------------------------------------------------------------------------------------------------


async def test_rest_is_the_same_room(panel: RunningPanel) -> None:
    name, robot = new("Ada"), new("washing machine")
    async with person(panel, "live", name) as ada, httpx.AsyncClient(base_url=panel.url) as http:
        room = await room_of(ada)
        path = f"/chat/rooms/{room}/messages"
        answer = await http.post(path, headers={"X-Client-Name": robot}, json={"msg": "Done!", "client_id": "r1"})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        message = answer.json()
        assert (message["from"], message["n"], message["room"], message["client_id"]) == (robot, 1, room, "r1")
        assert said(await ada.events()) == [message]
        again = await http.post(path, headers={"X-Client-Name": robot}, json={"msg": "Done!", "client_id": "r1"})
        assert again.json() == message
        unicode = await http.post(f"{path}?name=J%C3%B6rg", json={"msg": None})
        assert (unicode.json()["from"], unicode.json()["msg"]) == ("Jörg", None)
        assert (await http.get(path)).json()["messages"] == await history(ada, room=room)
        rooms = (await http.get("/chat/rooms")).json()
        assert set(rooms) == {"rooms", "people"}
        assert {"name": room, "n": 2, "at": unicode.json()["at"]} in rooms["rooms"]
        assert name in {one["name"] for one in rooms["people"]}
        # who spoke over REST can be written to
        assert (await ada.ask("say", to=robot, msg="thanks"))["ok"]


REST_REFUSED: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("POST", "lobby/messages", {"json": {"msg": "hi"}, "name": None}, 403, "name-needed"),
    ("POST", "lobby/messages", {"json": {"msg": "hi"}, "name": "server"}, 400, "bad-name"),
    ("POST", "nope/messages", {"json": {"msg": "hi"}}, 404, "unknown-room"),
    ("POST", "lobby/messages", {"json": {}}, 400, "bad-command"),
    ("POST", "lobby/messages", {"json": []}, 400, "bad-command"),
    ("POST", "lobby/messages", {"json": {"msg": "hi", "to": "Ada"}}, 400, "bad-command"),
    ("POST", "lobby/messages", {"json": {"msg": "hi", "room": "lobby"}}, 400, "bad-command"),
    ("POST", "lobby/messages", {"json": {"msg": "hi", "client_id": 5}}, 400, "bad-command"),
    ("POST", "lobby/messages", {"json": {"msg": "hi", "extra": 5}}, 400, "bad-command"),
    ("POST", "lobby/messages", {"json": {"msg": "x" * 300_000}}, 413, "too-large"),
    ("POST", "lobby/messages", {"content": b"{", "type": "application/json"}, 400, "malformed-json"),
    ("POST", "lobby/messages", {"content": b'{"msg": 1e400}', "type": "application/json"}, 400, "bad-command"),
    ("POST", "lobby/messages", {"content": b"hi", "type": "text/plain"}, 415, "unsupported-media-type"),
    ("PUT", "lobby/messages", {"json": {"msg": "hi"}}, 405, "method-not-allowed"),
    ("GET", "nope/messages", {}, 404, "unknown-room"),
    ("GET", "lobby/messages?limit=201", {}, 400, "bad-command"),
    ("GET", "lobby/messages?limit=0", {}, 400, "bad-command"),
    ("GET", "lobby/messages?limit=x", {}, 400, "bad-command"),
    ("GET", "lobby/messages?before=0", {}, 400, "bad-command"),
    ("GET", "lobby/messages?before=-1", {}, 400, "bad-command"),
    ("GET", "lobby/messages?after=-1", {}, 400, "bad-command"),
    ("GET", "lobby/messages?to=Ada", {}, 400, "bad-command"),
    ("GET", "lobby", {}, 404, "not-found"),
]


async def test_what_rest_refuses_changes_nothing(panel: RunningPanel) -> None:
    before = panel.get("/chat/rooms").json()["rooms"]
    async with httpx.AsyncClient(base_url=panel.url + "/chat/rooms/") as http:
        for method, path, options, status, slug in REST_REFUSED:
            sent = {name: options[name] for name in ("json", "content") if name in options}
            name, kind = options.get("name", "Ada"), options.get("type")
            headers = ({"X-Client-Name": name} if name else {}) | ({"Content-Type": kind} if kind else {})
            answer = await http.request(method, path, headers=headers, **sent)
            assert answer.status_code == status, (method, path, options, answer.text)
            assert answer.json()["type"] == f"urn:pilotlight:problem:{slug}", (path, options)
            assert answer.headers["content-type"] == "application/problem+json"
        for far in (2**63 - 1, 2**63, 10**18, 9_999_999_999_999_999_999, 10**30):
            for way in ("before", "after"):
                assert (await http.get(f"lobby/messages?{way}={far}")).status_code == 200
    assert panel.get("/chat/rooms").json()["rooms"] == before


# --- everybody together ------------------------------------------------------------------------------------


async def test_the_old_wire_the_native_ones_and_rest_are_one_chat(panel: RunningPanel) -> None:
    olaf_name, live_name, sio_name, rest_name = new("Olaf"), new("Livia"), new("Sio"), new("Rest")
    async with (
        old(panel, olaf_name) as olaf,
        person(panel, "live", live_name) as livia,
        person(panel, "panel", sio_name) as sio,
        httpx.AsyncClient(base_url=panel.url) as http,
    ):
        for one in (livia, sio):
            await one.ask("join_room", room="lobby")
            await one.events()
        # in the room
        await olaf.say("from the old page")
        await olaf.through()
        await livia.ask("say", room="lobby", msg="from live")
        await sio.ask("say", room="lobby", msg="from Socket.IO")
        posted = await http.post(
            "/chat/rooms/lobby/messages", headers={"X-Client-Name": rest_name}, json={"msg": "curl"}
        )
        assert posted.status_code == 200
        lines = [
            (olaf_name, "from the old page"),
            (live_name, "from live"),
            (sio_name, "from Socket.IO"),
            (rest_name, "curl"),
        ]
        heard = said(await livia.events())
        assert [(message["from"], message["msg"]) for message in heard] == lines
        assert said(await sio.events()) == heard
        assert (await http.get("/chat/rooms/lobby/messages", params={"limit": 4})).json()["messages"] == heard
        assert [(frame["username"], frame["msg"]) for frame in await olaf.arrived()] == lines[1:]
        # privately, each to each
        await olaf.tell(live_name, "old to live")
        await olaf.tell(sio_name, "old to sio")
        await olaf.through()
        await livia.ask("say", to=olaf_name, msg="live to old")
        await sio.ask("say", to=olaf_name, msg="sio to old")
        await livia.ask("say", to=sio_name, msg="live to sio")
        assert [m["msg"] for m in said(await livia.events())] == ["old to live", "live to old", "live to sio"]
        assert [m["msg"] for m in said(await sio.events())] == ["old to sio", "sio to old", "live to sio"]
        assert await olaf.arrived() == [
            {"msg": "live to old", "from_user": live_name},
            {"msg": "sio to old", "from_user": sio_name},
        ]
        # the old page's having it is told to the writer
        assert [m["n"] for m in await history(livia, to=olaf_name)] == [1, 2]

        async def mine() -> dict[str, Any]:
            threads = (await livia.ask("get_threads"))["threads"]
            [thread] = [each for each in threads if each["with"] == olaf_name]
            return thread["marks"][olaf_name]

        await olaf.through()
        assert await mine() == {"delivered": 2, "read": 1}


async def test_who_leaves_a_wire_abruptly_is_gone_from_its_rooms(panel: RunningPanel) -> None:
    name = new("Bob")
    async with person(panel, "live", new("Ada")) as ada:
        async with person(panel, "live", name) as bob:
            room = await room_of(ada, bob)
            bob.client.socket.transport.abort()

        def gone() -> bool:
            return name not in {one["name"] for one in panel.get("/chat/rooms").json()["people"]}

        await asyncio.to_thread(eventually, gone)
        assert (await ada.ask("say", room=room, msg="alone"))["ok"]
        assert [m["msg"] for m in said(await ada.events())] == ["alone"]


async def test_nothing_of_this_left_a_traceback(panel: RunningPanel) -> None:
    assert "Traceback" not in panel.log()
    assert [line for line in panel.output if " ERROR " in line] == []


async def test_names_that_meant_nothing_to_anybody_make_room_for_others() -> None:
    # given a panel that is full of names: of some who wrote to each other in private, and of many who were just there
    panel, store = Panel({"led": LightSpec(pin=21)}, Hardware(pins="mock", why="a test")), Store(None)
    store.open()
    service.Chat(panel, store, service.ChatLimits(people=6))

    async def say(name: str, **fields: Any) -> Reply:
        with panel.session(Actor(name=name, via="live", given=name)) as session:
            return await panel.ask(session.actor, parse_command({"do": "say", "msg": "hi", **fields}), session)

    for number in range(4):
        assert (await say(f"stranger {number}", room="lobby")).ok
    assert (await say("Ada", room="lobby")).ok
    assert (await say("Bob", to="Ada")).ok
    # when one more comes, then there is no room at first, and then there is
    assert (await say("Cyd", room="lobby")).status == 409
    await store.do(lambda database: None)  # what it did about that is done
    assert (await say("Cyd", room="lobby")).ok
    # and the strangers are forgotten, but not those who have something to lose
    assert (await say("Cyd", to="Ada")).ok
    assert (await say("Cyd", to="Bob")).ok
    assert (await say("Cyd", to="stranger 1")).status == 404
    store.close()
