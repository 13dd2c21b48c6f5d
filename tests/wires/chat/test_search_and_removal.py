"""Chat: the search finds what one may read, and an admin deletes rooms and people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from tests.support.chat_people import Person, new, of_kind, old, person
from tests.support.chat_rooms import history, on_every_wire, room_of
from tests.support.native_command_tables import assert_refused
from tests.support.panel_process import NO_TLS, RunningPanel, eventually

StartPanel = Callable[..., RunningPanel]


async def found(one: Person, q: str, **where: Any) -> list[Any]:
    """What a search finds, the newest first."""
    reply = await one.ask("search_messages", q=q, **where)
    assert reply["ok"], reply
    assert (len(reply["messages"]), reply["more"], reply["cut"]) == (reply["total"], False, False)
    return [message["msg"] for message in reply["messages"]]


@on_every_wire
async def test_a_search_finds_what_one_may_read(panel: RunningPanel, wire: str) -> None:
    ada_name, bob_name, word = new("Ada"), new("Bob"), new("Kettle")
    async with (
        person(panel, wire, ada_name) as ada,
        person(panel, wire, bob_name) as bob,
        person(panel, wire, new("Cleo")) as cleo,
        person(panel, wire, None) as nameless,
    ):
        room = await room_of(ada)
        await ada.ask("say", room=room, msg=f"The {word} is on")
        await ada.ask("say", to=bob_name, msg=f"my {word}")
        await ada.ask("say", room=room, msg={"what": [word]})
        await ada.ask("say", room=room, msg=f"no {word}")
        await ada.ask("delete_message", room=room, n=3)
        in_rooms = [{"what": [word]}, f"The {word} is on"]
        everything = [in_rooms[0], f"my {word}", in_rooms[1]]
        for one, expected in ((ada, everything), (bob, everything), (cleo, in_rooms), (nameless, in_rooms)):
            assert await found(one, word.upper()) == expected
            assert await found(one, word, room=room) == in_rooms
        assert await found(bob, word, to=ada_name) == [f"my {word}"]
        assert await found(cleo, word, to=ada_name) == []
        assert_refused(await nameless.ask("search_messages", q=word, to=ada_name), "name-needed")


async def test_a_search_is_paged_over_rest(panel: RunningPanel) -> None:
    word = new("Lamp")
    async with (
        person(panel, "live", new("Ada")) as ada,
        httpx.AsyncClient(base_url=panel.url, timeout=30, verify=NO_TLS) as http,
    ):
        room = await room_of(ada)
        for number in range(5):
            await ada.ask("say", room=room, msg=f"{word} {number}")
        await ada.ask("say", to=(await ada.ask("say", room=room, msg="me"))["message"]["from"], msg=f"{word} private")
        ids: list[int] = []
        asked: dict[str, Any] = {"q": word, "limit": 2}
        while True:
            page = (await http.get("/chat/search", params=asked)).json()
            assert page["total"] == 5
            ids += [message["id"] for message in page["messages"]]
            if not page["more"]:
                break
            asked["before"] = ids[-1]
        assert len(ids) == 5
        assert ids == sorted(ids, reverse=True)
        answer = await http.get("/chat/search", params={"q": word, "room": "nope"})
        assert answer.status_code == 404
        assert (await http.get("/chat/search")).status_code == 400


@on_every_wire
async def test_an_admin_deletes_a_room(panel: RunningPanel, wire: str) -> None:
    async with person(panel, wire, new("Ada")) as ada, person(panel, wire, new("Bob")) as bob:
        room = await room_of(ada, bob)
        await ada.ask("say", room=room, msg="one")
        await bob.events()
        assert (await ada.ask("delete_room", room=room))["ok"]
        [gone] = of_kind(await bob.events(), "room_changed")
        assert (gone["room"], gone["state"]) == (room, None)
        assert_refused(await bob.ask("say", room=room, msg="two"), "unknown-room")
        assert await found(bob, "one", room="lobby") == []
        # who makes it again begins at 1, and nobody is in it who has not joined again
        assert (await ada.ask("join_room", room=room))["room"]["n"] == 0
        assert (await ada.ask("say", room=room, msg="anew"))["message"]["n"] == 1
        assert of_kind(await bob.events(), "message") == []
        assert [one["msg"] for one in await history(ada, room=room)] == ["anew"]


async def test_an_admin_deletes_a_person(panel: RunningPanel) -> None:
    ada_name, bob_name = new("Ada"), new("Bob")
    async with person(panel, "live", ada_name) as ada:
        room = await room_of(ada)
        async with old(panel, bob_name), person(panel, "live", bob_name) as bob:
            await bob.ask("say", to=ada_name, msg="between us")
            await bob.ask("say", room=room, msg="to all")
            await bob.ask("mark", room=room, read=1)
            await ada.events()
            answer = await _delete(panel, f"/chat/people/{bob_name}")
            assert answer.status_code == 200
        # then Ada hears it, and the panel knows nothing of him but what he said to all
        assert of_kind(await ada.events(), "talk_deleted") == [{"event": "talk_deleted", "person": bob_name}]
        eventually(lambda: bob_name not in str(panel.get("/chat/rooms").json()["people"]))
        assert_refused(await ada.ask("get_messages", to=bob_name), "unknown-person")
        threads = (await ada.ask("get_threads"))["threads"]
        assert [one["with"] for one in threads if one.get("with")] == []
        assert [one["marks"] for one in threads if one["room"] == room] == [{}]
        assert [one["msg"] for one in await history(ada, room=room)] == ["to all"]
        # and somebody may come under that name, as new
        async with person(panel, "live", bob_name) as bob:
            assert (await bob.ask("say", to=ada_name, msg="hi"))["message"]["n"] == 1


async def test_a_name_that_is_owned_becomes_free(start_panel: StartPanel) -> None:
    panel = start_panel()
    async with httpx.AsyncClient(base_url=panel.url, timeout=30) as ada:
        assert (await ada.post("/access/sign-in", json={"name": "Ada", "password": "correct horse"})).status_code == 200
        await ada.post("/chat/rooms/lobby/messages", json={"msg": "mine"}, headers={"X-Client-Name": "Ada"})
    async with httpx.AsyncClient(base_url=panel.url, timeout=30) as other:
        said = {"json": {"msg": "yours"}, "headers": {"X-Client-Name": "Ada"}}
        assert (await other.post("/chat/rooms/lobby/messages", **said)).status_code == 403
        assert (await other.delete("/chat/people/Ada")).status_code == 200
        assert (await other.post("/chat/rooms/lobby/messages", **said)).status_code == 200


async def _delete(panel: RunningPanel, path: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=panel.url, timeout=30, verify=NO_TLS) as http:
        return await http.delete(path)
