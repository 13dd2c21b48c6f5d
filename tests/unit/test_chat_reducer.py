"""The chat page's reducer, `apply(state, event)` of static/js/chat/state.js, run by Node on what a panel sends."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.page_reducer import OF_EVERY_OBJECT, reduced

VIEW = """(page, state, same) => {
  const threads = Object.entries(state.threads).map(([key, thread]) => [key, {
    ...thread,
    unread: page.unread(thread),
    missing: page.missingAfter(thread),
    typists: page.typists(thread),
    delivery: thread.messages.map((message) => page.delivery(thread, message, state.me)),
  }]);
  return { ...state, threads: Object.fromEntries(threads), same };
}"""

Event = dict[str, Any]
LOBBY, BOB = "room:lobby", "to:Bob"


def after(*events: Event, me: str = "Ada") -> Any:
    """What the page of this person knows after these events; each thread with what the page asks about it."""
    return reduced("chat/state.js", VIEW, [{"event": "me", "name": me}, *events])


def lobby(*events: Event) -> Any:
    return after(*events)["threads"][LOBBY]


def bob(*events: Event) -> Any:
    return after(*events)["threads"][BOB]


def numbers(thread: Any) -> list[int]:
    return [message["n"] for message in thread["messages"]]


# --- what a panel and a page say ---------------------------------------------------------------------------


def snapshot(n: int = 0, epoch: str = "first", rev: int = 5, *, kept: bool = True, **people: int) -> Event:
    state = {
        "lights": {},
        "people": {name: person(name, devices) for name, devices in people.items()},
        "rooms": {"lobby": {"name": "lobby", "n": n, "at": None}},
        "runs": {},
        "shows": {},
        "storage": {"kept": kept, "reason": None if kept else "the disk is full"},
    }
    return {"event": "snapshot", "epoch": epoch, "rev": rev, "state": state}


def person(name: str, devices: int) -> dict[str, Any]:
    return {"name": name, "devices": [{"via": "live", "device": "curl", "at": 1.0}] * devices}


def said(n: int, by: str = "Bob", *, to: str | None = None, **more: Any) -> dict[str, Any]:
    room = None if to else "lobby"
    return {
        "id": n,
        "room": room,
        "to": to,
        "n": n,
        "from": by,
        "msg": f"{by} {n}",
        "at": 100.0 + n,
        "client_id": None,
    } | more


def message(n: int, by: str = "Bob", **more: Any) -> Event:
    return {"event": "message", "message": said(n, by, **more)}


def page(*ns: int, key: str = LOBBY, more: bool = False, **where: int) -> Event:
    private = {"to": "Ada"} if key == BOB else {}
    return {"event": "messages", "key": key, "messages": [said(n, **private) for n in ns], "more": more, **where}


def thread(n: int, read: int, *, room: str | None = "lobby", who: str | None = None, **marks: tuple[int, int]) -> Event:
    told = {name: {"delivered": delivered, "read": seen} for name, (delivered, seen) in marks.items()}
    last = said(n, to=None if room else "Ada") if n else None
    return {"room": room, "with": who, "n": n, "read": read, "unread": n - read, "last": last, "marks": told}


def threads(*all: Event) -> Event:
    return {"event": "threads", "threads": list(all)}


def marks(who: str, delivered: int, read: int, *, to: str | None = None) -> Event:
    room = None if to else "lobby"
    return {"event": "marks_changed", "room": room, "to": to, "person": who, "delivered": delivered, "read": read}


def saying(client_id: str, key: str = LOBBY) -> Event:
    pending = {"client_id": client_id, "msg": client_id, "at": 1.0, "state": "waiting", "problem": None}
    return {"event": "said", "key": key, "pending": pending}


# --- messages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "known", "missing"),
    [
        pytest.param([page(), message(1)], [1], None, id="the first"),
        pytest.param([page(7, 8), message(9)], [7, 8, 9], None, id="the next"),
        pytest.param([page(7, 8), message(8)], [7, 8], None, id="one that is there"),
        pytest.param([page(7, 8), message(11)], [7, 8, 11], 8, id="one after a hole"),
        pytest.param(
            [page(7, 8), message(11), page(9, 10, after=8)], [7, 8, 9, 10, 11], None, id="a hole that is filled"
        ),
        pytest.param([page(7, 8), message(11), page(10, 11, after=8)], [7, 8, 10, 11], None, id="a hole for ever"),
        pytest.param([page(7, 8), message(11), page(9, after=8)], [7, 8, 9, 11], 9, id="a hole that is filled in part"),
        pytest.param([page(7, 8), page(5, 6, before=7)], [5, 6, 7, 8], None, id="older ones"),
        pytest.param([page(7, 8), snapshot(10)], [7, 8], 8, id="a snapshot that has more"),
        pytest.param([page(7, 8), snapshot(10), page(after=8)], [7, 8], None, id="a number with nothing behind it"),
    ],
)
def test_the_messages_of_a_room_and_what_is_missing(events: list[Event], known: list[int], missing: int | None) -> None:
    got = lobby(*events)
    assert (numbers(got), got["missing"]) == (known, missing)


def test_what_is_not_open_is_counted_and_not_kept() -> None:
    got = lobby(snapshot(5), threads(thread(5, 3)), message(6))
    assert (got["messages"], got["unread"], got["last"]["n"], got["missing"]) == ([], 3, 6, None)


def test_a_room_one_has_not_joined_counts_too() -> None:
    changed = {"event": "room_changed", "rev": 6, "room": "garden", "state": {"name": "garden", "n": 3, "at": 9.0}}
    got = after(snapshot(), changed)
    assert got["threads"]["room:garden"]["unread"] == 3
    assert got["rev"] == 6


def test_a_private_message_is_in_the_thread_of_the_other_whoever_said_it() -> None:
    got = after(message(1, to="Ada"), message(2, "Ada", to="Bob"), message(1, "Eve", to="Ada"))["threads"]
    assert {key: found["n"] for key, found in got.items()} == {"to:Bob": 2, "to:Eve": 1}


def test_who_says_something_has_read_what_was_before() -> None:
    assert lobby(message(1), message(2))["unread"] == 2
    assert lobby(message(1), message(2, "Ada"))["unread"] == 0


# --- marks, typing, people ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "state"),
    [
        pytest.param([], "stored", id="stored"),
        pytest.param([marks("Bob", 1, 0, to="Ada")], "delivered", id="delivered"),
        pytest.param([marks("Bob", 1, 1, to="Ada")], "read", id="read"),
        pytest.param([marks("Bob", 1, 1, to="Ada"), marks("Bob", 1, 0, to="Ada")], "read", id="an older mark later"),
        pytest.param([marks("Ada", 1, 1, to="Bob")], "stored", id="one's own mark"),
        pytest.param([threads(thread(1, 1, room=None, who="Bob", Bob=(1, 0)))], "delivered", id="as the threads say"),
    ],
)
def test_how_far_a_private_message_came(events: list[Event], state: str) -> None:
    got = bob(page(key=BOB), message(1, "Ada", to="Bob"), *events)
    assert got["delivery"][-1]["state"] == state


@pytest.mark.parametrize("name", OF_EVERY_OBJECT)
def test_whoever_has_the_name_of_what_every_object_has_is_a_person(name: str) -> None:
    got = after(snapshot(), page(key=f"to:{name}"), message(1, "Ada", to=name), marks(name, 1, 0, to="Ada"))
    thread = got["threads"][f"to:{name}"]
    assert thread["marks"][name] == {"delivered": 1, "read": 0}
    assert thread["delivery"][-1]["state"] == "delivered"


def test_in_a_room_it_is_who_has_read_it() -> None:
    got = lobby(page(), message(1, "Ada"), marks("Bob", 1, 1), marks("Eve", 1, 1), marks("Cy", 1, 0))
    assert got["delivery"][0] == {"state": "read", "by": ["Bob", "Eve"]}


def test_what_was_read_on_another_device_is_read() -> None:
    assert lobby(snapshot(5), threads(thread(5, 2)), marks("Ada", 5, 4))["unread"] == 1


def test_typing_is_forgotten_after_a_while_or_with_the_message() -> None:
    typing = {"event": "typing", "room": None, "to": "Ada", "person": "Bob", "typing": True, "heard": 1000}
    assert bob(typing)["typists"] == ["Bob"]
    assert bob(typing, {"event": "tick", "now": 6500})["typists"] == ["Bob"]
    assert bob(typing, {"event": "tick", "now": 7100})["typists"] == []
    assert bob(typing, message(1, to="Ada"))["typists"] == []
    assert bob(typing, typing | {"typing": False})["typists"] == []
    assert after(typing | {"person": "Ada", "to": "Bob"})["threads"] == {}, "one's own, in another tab"


def test_people_come_and_go() -> None:
    came = {"event": "person_changed", "rev": 6, "person": "Eve", "devices": person("Eve", 2)["devices"]}
    got = after(snapshot(Bob=1), came)
    assert {name: len(found["devices"]) for name, found in got["people"].items()} == {"Bob": 1, "Eve": 2}
    left = {"event": "person_changed", "rev": 7, "person": "Bob", "devices": []}
    assert set(after(snapshot(Bob=1), came, left)["people"]) == {"Eve"}


# --- what this page says -----------------------------------------------------------------------------------


def test_a_message_waits_until_the_panel_has_it() -> None:
    begun = [page(), saying("c1"), saying("c2")]
    assert [one["client_id"] for one in lobby(*begun)["pending"]] == ["c1", "c2"]
    got = lobby(*begun, message(1, "Ada", client_id="c1"))
    assert [one["client_id"] for one in got["pending"]] == ["c2"]
    assert numbers(got) == [1]
    assert len(lobby(*begun, message(1, "Bob", client_id="c1"))["pending"]) == 2, "another's id is another's"


def test_what_a_lost_answer_hid_is_found_in_the_history() -> None:
    known = {"event": "messages", "key": LOBBY, "messages": [said(1, "Ada", client_id="c1")], "more": False}
    got = lobby(saying("c1"), known)
    assert (got["pending"], numbers(got)) == ([], [1])


def test_a_refused_message_stays_with_its_reason_and_can_be_dropped() -> None:
    problem = {"type": "x", "title": "No", "status": 507, "detail": "The disk is full."}
    refused = {"event": "saying", "key": LOBBY, "client_id": "c1", "state": "refused", "problem": problem}
    assert lobby(saying("c1"), refused)["pending"][0]["problem"] == problem
    assert lobby(saying("c1"), refused, {"event": "unsaid", "key": LOBBY, "client_id": "c1"})["pending"] == []


# --- another run of the panel, another person --------------------------------------------------------------


def test_a_panel_that_forgot_its_messages_starts_from_nothing() -> None:
    before = [snapshot(3, kept=False), threads(thread(3, 3)), page(1, 2, 3), saying("c1")]
    got = lobby(*before, snapshot(0, "second", 0, kept=False))
    assert (got["n"], got["messages"], got["loaded"]) == (0, [], False)
    assert len(got["pending"]) == 1, "what was typed here is still to be said"


def test_a_panel_that_kept_them_goes_on() -> None:
    before = [snapshot(3), threads(thread(3, 3)), page(1, 2, 3)]
    got = lobby(*before, snapshot(5, "second", 0), threads(thread(5, 3)))
    assert (numbers(got), got["missing"], got["unread"]) == ([1, 2, 3], 3, 2)


def test_the_new_ones_begin_where_one_stopped_reading() -> None:
    opened = {"event": "opened", "key": LOBBY}
    assert lobby(snapshot(5), threads(thread(5, 3)), opened)["new_after"] == 3
    assert lobby(snapshot(5), opened, threads(thread(5, 3)))["new_after"] == 3, "opened by its address"
    assert lobby(snapshot(5), threads(thread(5, 5)), opened)["new_after"] is None
    assert lobby(snapshot(5), threads(thread(5, 0)), opened)["new_after"] is None, "never here before"


def test_another_name_is_another_person() -> None:
    got = after(snapshot(3, Bob=1), message(1, to="Ada"), {"event": "me", "name": "Eve"})
    assert (got["me"], got["threads"], got["epoch"]) == ("Eve", {}, None)


@pytest.mark.parametrize("event", ["light_changed", "run_changed", "run_log", "tea_ready"])
def test_what_is_for_other_pages_leaves_the_very_same_state(event: str) -> None:
    assert after(snapshot(), {"event": event, "rev": 9, "light": "led", "state": {}})["same"]


# --- changed messages --------------------------------------------------------------------------------------


def changed(n: int, change: int, **more: Any) -> Event:
    edited = {"edited_at": 200.0, "change": change, "msg": f"changed {change}"}
    return {"event": "message_changed", "message": said(n) | edited | more}


def changes(*all: Event, upto: int, more: bool = False) -> Event:
    return {
        "event": "changes",
        "key": LOBBY,
        "messages": [one["message"] for one in all],
        "more": more,
        "upto": upto,
    }


ASKED = {"event": "loading", "key": LOBBY, "loading": True}


@pytest.mark.parametrize(
    ("events", "texts", "missing"),
    [
        pytest.param([page(1, 2), changed(1, 1)], ["changed 1", "Bob 2"], None, id="an edit"),
        pytest.param([page(1, 2), changed(1, 2)], ["changed 2", "Bob 2"], 0, id="an edit after one that is missing"),
        pytest.param([page(1, 2), changed(1, 2), changed(1, 1)], ["changed 2", "Bob 2"], 1, id="an older edit"),
        pytest.param(
            [page(1, 2), changed(1, 2), changes(changed(2, 1), changed(1, 2), upto=2)],
            ["changed 2", "changed 1"],
            None,
            id="the missing one is asked for",
        ),
        pytest.param(
            [page(1, 2), changed(1, 3), changes(changed(2, 1), upto=3, more=True)],
            ["changed 3", "changed 1"],
            1,
            id="the first part of those that are missing",
        ),
        pytest.param(
            [page(1, 2), changed(1, 3), changes(changed(1, 3), upto=3)],
            ["changed 3", "Bob 2"],
            None,
            id="one that was changed more than once",
        ),
        pytest.param([page(2), changed(1, 1)], ["Bob 2"], None, id="one that this page has not"),
        pytest.param([ASKED, changed(1, 1), page(1)], ["Bob 1"], 0, id="an edit that overtakes the first page"),
        pytest.param([changed(1, 4), ASKED, page(1)], ["Bob 1"], None, id="an edit before the first page"),
        pytest.param([page(1), changed(1, 1), page(1)], ["changed 1"], None, id="an old page after the edit"),
    ],
)
def test_changes_of_messages(events: list[Event], texts: list[str], missing: int | None) -> None:
    view = "(page, state) => { const one = page.threadOf(state, 'room:lobby'); "
    view += "return { texts: one.messages.map(({ msg }) => msg), missing: page.changesMissingAfter(one) }; }"
    found = reduced("chat/state.js", view, [{"event": "me", "name": "Ada"}, *events])
    assert found == {"texts": texts, "missing": missing}


def test_a_deleted_message_is_no_preview_any_more() -> None:
    gone = changed(2, 1, msg=None, deleted_at=300.0)
    assert lobby(page(1, 2), message(2), gone)["last"]["deleted_at"] == 300.0
