"""Chat: what was said is edited and deleted, and everybody who follows has it in the end."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from tests.support.chat_people import new, of_kind, old, person
from tests.support.chat_rooms import history, on_every_wire, room_of
from tests.support.native_command_tables import assert_refused
from tests.support.panel_process import NO_TLS, RunningPanel

StartPanel = Callable[..., RunningPanel]


@on_every_wire
async def test_an_edited_message_keeps_its_number_and_its_place(panel: RunningPanel, wire: str) -> None:
    async with person(panel, wire, new("Ada")) as ada, person(panel, wire, new("Bob")) as bob:
        room = await room_of(ada, bob)
        first = (await ada.ask("say", room=room, msg="Teh kettle", client_id="c1"))["message"]
        await ada.ask("say", room=room, msg="is on")
        await bob.events()

        reply = await ada.ask("edit_message", room=room, n=1, msg="The kettle")
        message = reply["message"]
        assert message == {**first, "msg": "The kettle", "edited_at": message["edited_at"], "change": 1}
        events = await bob.events()
        assert of_kind(events, "message_changed") == [{"event": "message_changed", "message": message}]
        [changed] = of_kind(events, "room_changed")
        assert (changed["state"]["n"], changed["state"]["changes"]) == (2, 1)

        # the same text again changes nothing, and a retry of the first message gets what it is now
        assert (await ada.ask("edit_message", room=room, n=1, msg="The kettle"))["message"] == message
        assert (await ada.ask("say", room=room, msg="Teh kettle", client_id="c1"))["message"] == message
        assert of_kind(await bob.events(), "message_changed") == []
        assert [one["msg"] for one in await history(bob, room=room)] == ["The kettle", "is on"]


@on_every_wire
async def test_a_deleted_message_leaves_its_number(panel: RunningPanel, wire: str) -> None:
    ada_name, bob_name = new("Ada"), new("Bob")
    async with person(panel, wire, ada_name) as ada, person(panel, wire, bob_name) as bob:
        for text in ("secret", "hello"):
            said = await ada.ask("say", to=bob_name, msg=text)
            assert said["ok"], said
        await bob.events()
        gone = (await ada.ask("delete_message", to=bob_name, n=1))["message"]
        assert (gone["n"], gone.get("msg"), gone["from"]) == (1, None, ada_name)
        assert gone["deleted_at"] > 0
        assert [event["message"] for event in of_kind(await bob.events(), "message_changed")] == [gone]
        assert [one["n"] for one in await history(bob, to=ada_name)] == [1, 2]
        assert "secret" not in str(await history(bob, to=ada_name))

        assert (await ada.ask("delete_message", to=bob_name, n=1))["message"] == gone
        assert_refused(await ada.ask("edit_message", to=bob_name, n=1, msg="again"), "unknown-message")


async def test_what_others_said_stays_as_it_is(start_panel: StartPanel) -> None:
    panel = start_panel(role_loopback="operator")
    async with person(panel, "live", "Ada") as ada, person(panel, "live", "Bob") as bob:
        await ada.ask("say", room="lobby", msg="mine")
        await ada.ask("say", to="Bob", msg="ours")
        for where in ({"room": "lobby"}, {"to": "Ada"}):
            assert_refused(await bob.ask("edit_message", **where, n=1, msg="yours"), "not-yours")
            assert_refused(await bob.ask("delete_message", **where, n=1), "not-yours")
        async with person(panel, "live", "Cleo") as cleo:  # has no talk with either of them
            assert_refused(await cleo.ask("delete_message", to="Bob", n=1), "unknown-message")
        assert [one["msg"] for one in await history(bob, room="lobby")] == ["mine"]
        assert [one["msg"] for one in await history(bob, to="Ada")] == ["ours"]


async def test_an_admin_deletes_what_others_said_but_does_not_speak_for_them(panel: RunningPanel) -> None:
    async with person(panel, "live", new("Ada")) as ada, person(panel, "live", new("Admin")) as admin:
        room = await room_of(ada)
        await ada.ask("say", room=room, msg="rude")
        assert_refused(await admin.ask("edit_message", room=room, n=1, msg="kind"), "not-yours")
        assert (await admin.ask("delete_message", room=room, n=1))["message"]["deleted_at"] > 0
        assert len(of_kind(await ada.events(), "message_changed")) == 1


@on_every_wire
async def test_who_was_away_gets_every_change_once(panel: RunningPanel, wire: str) -> None:
    bob_name = new("Bob")
    async with person(panel, wire, new("Ada")) as ada:
        async with person(panel, wire, bob_name) as bob:
            room = await room_of(ada, bob)
            for number in range(1, 6):
                await ada.ask("say", room=room, msg=number)
            await ada.ask("edit_message", room=room, n=1, msg="seen")
        await ada.ask("edit_message", room=room, n=4, msg="once")
        await ada.ask("delete_message", room=room, n=2)
        await ada.ask("edit_message", room=room, n=4, msg="twice")
        async with person(panel, wire, bob_name) as bob:
            [thread] = [one for one in (await bob.ask("get_threads"))["threads"] if one["room"] == room]
            assert thread["changes"] == 4
            page = await bob.ask("get_messages", room=room, changed_after=1)
            assert [(one["n"], one.get("msg"), one["change"]) for one in page["messages"]] == [
                (2, None, 3),
                (4, "twice", 4),
            ]
            first = await bob.ask("get_messages", room=room, changed_after=1, limit=1)
            assert ([one["n"] for one in first["messages"]], first["more"]) == ([2], True)
            assert (await bob.ask("get_messages", room=room, changed_after=4))["messages"] == []


async def test_changes_over_rest(panel: RunningPanel) -> None:
    name = {"X-Client-Name": new("Ada")}
    async with person(panel, "live", new("Bob")) as bob, httpx.AsyncClient(base_url=panel.url, verify=NO_TLS) as http:
        room = await room_of(bob)
        at = f"/chat/rooms/{room}/messages"
        await http.post(at, json={"msg": "one"}, headers=name)
        answer = await http.patch(f"{at}/1", json={"msg": "two"}, headers=name)
        assert (answer.status_code, answer.json()["msg"], answer.json()["n"]) == (200, "two", 1)
        assert (await http.get(at, params={"changed_after": 0})).json()["messages"] == [answer.json()]
        answer = await http.delete(f"{at}/1", headers=name)
        assert (answer.status_code, answer.json()["msg"]) == (200, None)
        for path in ("2", "0", "-1", "one", "9" * 400):
            answer = await http.delete(f"{at}/{path}", headers=name)
            assert (answer.status_code, answer.json()["type"].split(":")[-1]) == (404, "unknown-message")
        assert [one["message"]["change"] for one in of_kind(await bob.events(), "message_changed")] == [1, 2]


async def test_old_pages_see_no_change_and_get_no_deleted_message(panel: RunningPanel) -> None:
    old_name = new("Old")
    async with person(panel, "live", new("Ada")) as ada:
        async with old(panel, old_name) as page:
            await ada.ask("say", room="lobby", msg="Teh kettle")
            assert [frame["msg"] for frame in await page.arrived()] == ["Teh kettle"]
            n = (await ada.ask("get_messages", room="lobby", limit=1))["messages"][0]["n"]
            await ada.ask("edit_message", room="lobby", n=n, msg="The kettle")
            await ada.ask("delete_message", room="lobby", n=n)
            assert await page.arrived() == []
        await ada.ask("say", to=old_name, msg="forget this")
        await ada.ask("say", to=old_name, msg="Teh tea")
        await ada.ask("delete_message", to=old_name, n=1)
        await ada.ask("edit_message", to=old_name, n=2, msg="The tea")
        async with old(panel, old_name) as page:
            assert [frame["msg"] for frame in await page.arrived()] == ["The tea"]
