"""Chat by the panel's own commands: refusals, and chat over REST."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable
from typing import Any

import httpx

from asgi_app.models.base import Actor
from asgi_app.models.lights import Hardware
from asgi_app.models.wire import Reply, parse_command
from asgi_app.service import Panel, Session
from asgi_app.service.chat import Chat
from asgi_app.settings import Settings
from asgi_app.store import Store
from tests.support.chat_people import new, person, said
from tests.support.chat_rooms import history, on_every_wire, room_of
from tests.support.native_command_tables import assert_refused
from tests.support.panel_process import NO_TLS, RunningPanel

StartPanel = Callable[..., RunningPanel]


# --- what is refused ----------------------------------------------------------------------------------------


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
    ({"do": "edit_message", "room": "lobby", "n": 1}, "bad-command"),
    ({"do": "edit_message", "room": "lobby", "msg": "hi"}, "bad-command"),
    ({"do": "edit_message", "n": 1, "msg": "hi"}, "bad-command"),
    ({"do": "edit_message", "room": "lobby", "n": 0, "msg": "hi"}, "bad-command"),
    ({"do": "edit_message", "room": "lobby", "n": 2**53, "msg": "hi"}, "bad-command"),
    ({"do": "edit_message", "room": "lobby", "n": 2**53 - 1, "msg": "hi"}, "unknown-message"),
    ({"do": "edit_message", "room": "nope", "n": 1, "msg": "hi"}, "unknown-room"),
    ({"do": "edit_message", "to": "nobody", "n": 1, "msg": "hi"}, "unknown-person"),
    ({"do": "edit_message", "room": "lobby", "n": 1, "msg": "x" * 262_144}, "too-large"),
    ({"do": "search_messages"}, "bad-command"),
    ({"do": "search_messages", "q": ""}, "bad-command"),
    ({"do": "search_messages", "q": "x" * 201}, "bad-command"),
    ({"do": "search_messages", "q": "x", "limit": 101}, "bad-command"),
    ({"do": "search_messages", "q": "x", "room": "lobby", "to": "{me}"}, "bad-command"),
    ({"do": "search_messages", "q": "x", "room": "nope"}, "unknown-room"),
    ({"do": "search_messages", "q": "x", "to": "nobody"}, "unknown-person"),
    ({"do": "delete_room", "room": "lobby"}, "bad-command"),
    ({"do": "delete_room", "room": "nope"}, "unknown-room"),
    ({"do": "delete_person", "person": "nobody"}, "unknown-person"),
    ({"do": "delete_person", "person": ""}, "unknown-person"),
    ({"do": "delete_message", "room": "lobby"}, "bad-command"),
    ({"do": "delete_message", "room": "lobby", "n": "1"}, "bad-command"),
    ({"do": "delete_message", "room": "lobby", "n": 99_999}, "unknown-message"),
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
    ({"do": "get_messages", "room": "lobby", "changed_after": -1}, "bad-command"),
    ({"do": "get_messages", "room": "lobby", "changed_after": 1, "after": 1}, "bad-command"),
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
            # fewer than a person who said nothing yet may say at once
            slugs = [(await again.ask("say", room="lobby", msg=1)).get("problem", {}).get("type") for _ in range(29)]
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
    panel, store = Panel(Hardware(pins="mock", why="a test")), Store(None)
    store.open()
    Chat(panel, store, Settings(chat_people=1))

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


# --- REST ---------------------------------------------------------------------------------------------------


async def test_rest_is_the_same_room(panel: RunningPanel) -> None:
    name, robot = new("Ada"), new("washing machine")
    async with (
        person(panel, "live", name) as ada,
        httpx.AsyncClient(base_url=panel.url, timeout=30, verify=NO_TLS) as http,
    ):
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
    ("GET", "lobby", {}, 405, "method-not-allowed"),
]


async def test_what_rest_refuses_changes_nothing(panel: RunningPanel) -> None:
    before = panel.get("/chat/rooms").json()["rooms"]
    async with httpx.AsyncClient(base_url=panel.url + "/chat/rooms/", timeout=30, verify=NO_TLS) as http:
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
