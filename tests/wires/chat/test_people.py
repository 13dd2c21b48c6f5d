"""Chat in the panel's own words: what passes, names, everybody together."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from asgi_app.models.base import Actor
from asgi_app.models.lights import Hardware
from asgi_app.models.wire import Reply, parse_command
from asgi_app.service import Panel
from asgi_app.service.chat import Chat
from asgi_app.settings import Settings
from asgi_app.store import Store
from tests.support.chat_people import Person, new, of_kind, old, person, said
from tests.support.chat_rooms import history, on_every_wire, room_of
from tests.support.native_command_tables import assert_refused
from tests.support.panel_process import NO_TLS, RunningPanel, eventually

# --- what passes --------------------------------------------------------------------------------------------


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
        changes: list[Any] = []
        while not [e for e in changes if e["person"] == ada_name and not e["devices"]]:
            changes = of_kind(await watcher.events(), "person_changed")
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


# --- names --------------------------------------------------------------------------------------------------


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


# --- everybody together -------------------------------------------------------------------------------------


async def test_the_old_wire_the_native_ones_and_rest_are_one_chat(panel: RunningPanel) -> None:
    olaf_name, live_name, sio_name, rest_name = new("Olaf"), new("Livia"), new("Sio"), new("Rest")
    async with (
        old(panel, olaf_name) as olaf,
        person(panel, "live", live_name) as livia,
        person(panel, "panel", sio_name) as sio,
        httpx.AsyncClient(base_url=panel.url, timeout=30, verify=NO_TLS) as http,
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
    panel, store = Panel(Hardware(pins="mock", why="a test")), Store(None)
    store.open()
    Chat(panel, store, Settings(chat_people=6))

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


async def test_who_is_new_has_nothing_unread(panel: RunningPanel) -> None:
    async with person(panel, "live", new("Ada")) as ada:
        room = await room_of(ada)
        for number in range(3):
            await ada.ask("say", room=room, msg=number)
        async with person(panel, "live", new("Bob")) as bob:
            assert await unread_in(bob, room) == 0
            await ada.ask("say", room=room, msg="since then")
            assert await unread_in(bob, room) == 1
            await bob.ask("mark", room=room, read=4)
            await ada.ask("say", room=room, msg="one more")
            assert await unread_in(bob, room) == 1


async def unread_in(one: Person, room: str) -> int:
    [thread] = [one for one in (await one.ask("get_threads"))["threads"] if one["room"] == room]
    return int(thread["unread"])
