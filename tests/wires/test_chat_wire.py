"""`ws /<username>`: the chat of the old pages, line by line. The contract's section F."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import unicodedata
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.chat_people import OldClient, address, new, old
from tests.support.inbox import TIMEOUT
from tests.support.live_client import strict_json
from tests.support.panel_process import RunningPanel, eventually
from tests.support.raw_sockets import end_with_a_reset, never_reading

StartPanel = Callable[..., RunningPanel]


def group(sender: OldClient, msg: Any) -> dict[str, Any]:
    """What the others get of `sender.say(msg)`."""
    return {"username": sender.name, "msg": msg}


def private(sender: OldClient, msg: Any) -> dict[str, Any]:
    """What the one who is meant gets of `sender.tell(…, msg)`."""
    return {"msg": msg, "from_user": sender.name}


def reset(socket_: ClientConnection) -> None:
    """Leave without a goodbye: the kernel says RST."""
    end_with_a_reset(socket_.transport.get_extra_info("socket"))
    socket_.transport.abort()


# --- group and private -------------------------------------------------------------------------------------


async def test_what_is_said_goes_to_everybody_else(panel: RunningPanel) -> None:
    async with old(panel, new("Ada")) as ada, old(panel, new("Bob")) as bob, old(panel, new("Cleo")) as cleo:
        await ada.say("good morning")

        assert await ada.arrived() == []
        assert await bob.arrived() == await cleo.arrived() == [group(ada, "good morning")]


async def test_what_is_told_goes_to_that_person_only(panel: RunningPanel) -> None:
    async with old(panel, new("Ada")) as ada, old(panel, new("Bob")) as bob, old(panel, new("Cleo")) as cleo:
        await ada.tell(bob.name, "psst")

        assert await ada.arrived() == []
        assert await bob.arrived() == [private(ada, "psst")]
        assert await cleo.arrived() == []


async def test_one_can_talk_to_oneself(panel: RunningPanel) -> None:
    async with old(panel, new("Ada")) as ada, old(panel, new("Bob")) as bob:
        await ada.tell(ada.name, "buy milk")

        assert await ada.arrived() == [private(ada, "buy milk")]
        assert await bob.arrived() == []


async def test_every_tab_of_a_person_receives(panel: RunningPanel) -> None:
    bob, ada = new("Bob"), new("Ada")
    async with (
        old(panel, ada) as speaking,
        old(panel, ada) as other_tab,
        old(panel, bob) as one,
        old(panel, bob) as two,
        old(panel, bob) as three,
    ):
        await speaking.say("all of you")
        await speaking.tell(bob, "all your tabs")
        await speaking.tell(ada, "all my tabs")
        await speaking.through()

        to_bob = [group(speaking, "all of you"), private(speaking, "all your tabs")]
        assert [await tab.arrived() for tab in (one, two, three)] == [to_bob] * 3
        assert await other_tab.arrived() == [group(speaking, "all of you"), private(speaking, "all my tabs")]
        assert await speaking.arrived() == [private(speaking, "all my tabs")]

        # and when one tab is closed, the others go on
        await two.socket.close()
        await speaking.tell(bob, "still there?")
        await speaking.through()
        assert await one.arrived() == await three.arrived() == [private(speaking, "still there?")]


async def test_the_order_is_the_same_for_everybody(panel: RunningPanel) -> None:
    async with contextlib.AsyncExitStack() as stack:
        people = [await stack.enter_async_context(old(panel, new("Ada"))) for _ in range(6)]

        async def talk(speaker: OldClient) -> None:
            for number in range(50):
                await speaker.say(number)

        await asyncio.gather(*(talk(speaker) for speaker in people))
        for speaker in people:
            await speaker.through()
        heard = [await speaker.arrived() for speaker in people]

    everything = {(frame["username"], frame["msg"]) for frames in heard for frame in frames}
    assert len(everything) == 300
    order = [(frame["username"], frame["msg"]) for frame in heard[0]]
    for speaker, frames in zip(people[1:], heard[1:], strict=True):
        both = [said for said in order if said[0] != speaker.name]
        without_first = [(frame["username"], frame["msg"]) for frame in frames if frame["username"] != people[0].name]
        assert without_first == both
        assert len(frames) == 250


# --- what can be said --------------------------------------------------------------------------------------

MESSAGES: list[Any] = [
    "",
    " ",
    "Grüße, 世界, עולם, 👩‍👩‍👧",
    "nul \x00, bell \x07, line\r\nline",
    "<script>alert(1)</script>",
    '{"username": "x"}',
    None,
    True,
    0,
    -1.5,
    2**53,
    1e300,
    [],
    {},
    [1, [2, [None, {"a": {"b": []}}]]],
    {"msg": "x", "to_user": "Bob", "": [], "from": 1},
]


async def test_any_json_can_be_said(panel: RunningPanel) -> None:
    async with old(panel, new("Ada")) as ada, old(panel, new("Bob")) as bob:
        for msg in MESSAGES:
            await ada.say(msg)
            await ada.tell(bob.name, msg)
            await ada.through()
        expected = [frame for msg in MESSAGES for frame in (group(ada, msg), private(ada, msg))]
        assert await bob.arrived() == expected
        assert await ada.arrived() == []


async def test_deep_nesting_can_be_said(panel: RunningPanel) -> None:
    deep: Any = "bottom"
    for _ in range(150):
        deep = [deep]
    async with old(panel, new("Ada")) as ada, old(panel, new("Bob")) as bob:
        await ada.say(deep)
        await ada.through()
        assert await bob.arrived() == [group(ada, deep)]


async def test_a_binary_frame_of_json_is_a_message(panel: RunningPanel) -> None:
    async with old(panel, new("Ada")) as ada, old(panel, new("Bob")) as bob:
        await ada.send(json.dumps({"username": "x", "msg": "bin är"}, ensure_ascii=False).encode())
        await ada.send(json.dumps({"msg": "bin", "to_user": bob.name}).encode())
        await ada.through()
        assert await bob.arrived() == [group(ada, "bin är"), private(ada, "bin")]


@pytest.mark.parametrize("character", ["x", "ß", "界"])
async def test_200_kb(panel: RunningPanel, character: str) -> None:
    text = character * (200_000 // len(character.encode()))
    async with old(panel, new("Ada")) as ada, old(panel, new("Bob")) as bob:
        for number in range(4):
            await ada.say(f"{number}{text}")
        await ada.tell(bob.name, text)
        await ada.through()
        frames = await bob.arrived()
    assert frames == [*(group(ada, f"{number}{text}") for number in range(4)), private(ada, text)]


async def test_many_large_messages_at_once_are_all_shown(panel: RunningPanel) -> None:
    """More than a feed keeps for those who are behind, in one transaction: it is read from the file."""
    large = "x" * 200_000
    async with contextlib.AsyncExitStack() as stack:
        speakers = [await stack.enter_async_context(old(panel, new("Ada"))) for _ in range(6)]
        listeners = [await stack.enter_async_context(old(panel, new("Bob"))) for _ in range(2)]
        second_tab = await stack.enter_async_context(old(panel, listeners[0].name))
        for number in range(3):
            await asyncio.gather(*(speaker.say([number, large]) for speaker in speakers))
            await asyncio.gather(*(speaker.tell(listeners[0].name, [number, large]) for speaker in speakers))
        for speaker in speakers:
            await speaker.through()

        in_the_room = sorted((speaker.name, number) for speaker in speakers for number in range(3))
        for listener, is_told in ((listeners[0], True), (second_tab, True), (listeners[1], False)):
            frames = await listener.arrived()
            assert sorted((f["username"], f["msg"][0]) for f in frames if "username" in f) == in_the_room
            told = sorted((f["from_user"], f["msg"][0]) for f in frames if "username" not in f)
            assert told == (in_the_room if is_told else [])


# --- names -------------------------------------------------------------------------------------------------

NAMES = {
    "Jörg": "Jörg",
    unicodedata.normalize("NFD", "Zoë"): "Zoë",
    "名前": "名前",
    "👩‍👩‍👧": "👩‍👩‍👧",
    "ﷺ علي‌رضا": "ﷺ علي‌رضا",
    "Ann Lee": "Ann Lee",
    "  Ann \t  Lee ": "Ann Lee",
    "a+b": "a+b",
    "50%": "50%",
    "what?": "what?",
    "#1": "#1",
    "@home": "@home",
    "O'Brien & <b>": "O'Brien & <b>",
    "..": "..",
    "null": "null",
    "z" * 64: "z" * 64,
    "字" * 64: "字" * 64,
}


@pytest.mark.parametrize(("written", "shown"), NAMES.items(), ids=[ascii(name)[:30] for name in NAMES])
async def test_names_of_any_writing(panel: RunningPanel, written: str, shown: str) -> None:
    async with old(panel, new("Ada")) as ada, old(panel, written) as named:
        named.frames.clear()  # of the server before this one
        await named.send({"username": "somebody else", "msg": "hi"})
        await named.tell(ada.name, "you")
        await ada.tell(written, "there")
        await named.through()
        assert await ada.arrived() == [{"username": shown, "msg": "hi"}, {"msg": "you", "from_user": shown}]
        await ada.through()
        assert await named.arrived() == [private(ada, "there")]


@pytest.mark.parametrize(
    "frame",
    [
        {"username": "{bob}", "msg": "forged"},
        {"username": "server", "msg": "forged"},
        {"username": ["x"], "msg": "forged"},
        {"username": None, "msg": "forged"},
        {"username": "{bob}", "from_user": "{bob}", "from": "{bob}", "client_id": "1", "msg": "forged"},
    ],
)
async def test_a_group_name_cannot_be_forged(panel: RunningPanel, frame: dict[str, Any]) -> None:
    async with old(panel, new("Ada")) as ada, old(panel, new("Bob")) as bob:
        await ada.send(json.dumps(frame).replace("{bob}", bob.name))
        await ada.through()
        assert await bob.arrived() == [group(ada, "forged")]


async def test_a_private_name_cannot_be_forged(panel: RunningPanel) -> None:
    async with old(panel, new("Ada")) as ada, old(panel, new("Bob")) as bob, old(panel, new("Cleo")) as cleo:
        await ada.send({"username": cleo.name, "from_user": cleo.name, "to_user": bob.name, "msg": "forged"})
        await ada.through()
        assert await bob.arrived() == [private(ada, "forged")]
        assert await cleo.arrived() == await ada.arrived() == []


OWN_PATHS = [  # those that are no socket of their own, such as live and echo
    *("ws", "static", "lights", "led", "api", "chat", "runs", "shows", "watch", "compare", "lab"),
    *("openapi.json", "docs", "server"),
    *("WS", "Static", "SERVER", " live "),
]
BAD_NAMES = {
    "65 characters": "x" * 65,
    "65 ideographs": "字" * 65,
    "NUL": "a\x00b",
    "BEL": "a\x07b",
    "ESC": "a\x1b[31mb",
    "DEL": "a\x7fb",
    "right to left": "a\u202eb",
    "zero width space": "Ad\u200ba",
    "soft hyphen": "Ad\u00ada",
    "byte order mark": "\ufeffAda",
    "private use": "\ue000",
    "only a joiner": "\u200d",
    "only an accent": "\u0301",
    "a space": " ",
    "spaces": "\u00a0 \u3000",
}


@pytest.mark.parametrize("name", [*OWN_PATHS, *BAD_NAMES.values()], ids=[*OWN_PATHS, *BAD_NAMES])
async def test_a_name_that_cannot_be_had_is_refused(panel: RunningPanel, name: str) -> None:
    async with connect(address(panel, name)) as refused:
        frame = strict_json(await asyncio.wait_for(refused.recv(), TIMEOUT))
        assert (frame["username"], frame["from_user"]) == ("server", "server")
        assert frame["msg"] == frame["error"]["detail"]
        assert (frame["error"]["type"], frame["error"]["status"]) == ("urn:pilotlight:problem:bad-name", 400)
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(refused.recv(), TIMEOUT)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
    assert name.strip() not in {person["name"] for person in panel.get("/chat/rooms").json()["people"]}


async def test_every_path_of_the_panel_is_reserved(panel: RunningPanel) -> None:
    paths = {path.split("/")[1] for path in panel.get("/openapi.json").json()["paths"]} - {"", "echo", "live"}
    assert paths
    for name in paths:
        async with connect(address(panel, name)) as refused:
            frame = strict_json(await asyncio.wait_for(refused.recv(), TIMEOUT))
            assert frame["error"]["type"] == "urn:pilotlight:problem:bad-name", name


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/Ada", "/J%C3%B6rg", "/%00", "/%FF", "/a%20b"])
async def test_plain_http_at_a_name_is_refused(panel: RunningPanel, method: str, path: str) -> None:
    async with httpx.AsyncClient(timeout=TIMEOUT) as http:
        answer = await http.request(method, panel.url + path)
    status, slug = (404, "not-found") if method in ("GET", "HEAD") else (405, "method-not-allowed")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    if method != "HEAD":
        assert answer.json()["type"] == f"urn:pilotlight:problem:{slug}"


# --- what cannot be said -----------------------------------------------------------------------------------

MALFORMED, BAD, NOBODY = "malformed-json", "bad-command", "unknown-person"
REFUSED: dict[str, tuple[Any, str]] = {
    "a word": ("hello", MALFORMED),
    "nothing": ("", MALFORMED),
    "no bytes": (b"", MALFORMED),
    "cut short": ('{"username": "x", "msg": ', MALFORMED),
    "not UTF-8": (b'{"username": "x", "msg": "\xff"}', MALFORMED),
    "NaN": ('{"username": "x", "msg": NaN}', MALFORMED),
    "half a surrogate pair": (r'{"username": "x", "msg": "\ud800"}', MALFORMED),
    "too deep": ('{"username": "x", "msg": ' + "[" * 10_000 + "]" * 10_000 + "}", MALFORMED),
    "too many digits": ('{"username": "x", "msg": ' + "9" * 5_000 + "}", MALFORMED),
    "more than JSON can say": ('{"username": "x", "msg": 1e400}', BAD),
    "more, to one person": ('{"to_user": "{bob}", "msg": [-1e400]}', BAD),
    "a list": ([], BAD),
    "a list of messages": ([{"username": "x", "msg": "hi"}], BAD),
    "null": ("null", BAD),
    "a number": ("5", BAD),
    "a text": ('"hi"', BAD),
    "empty": ({}, BAD),
    "only a name": ({"username": "x"}, BAD),
    "only a receiver": ({"to_user": "{bob}"}, BAD),
    "only a message": ({"msg": "for whom?"}, BAD),
    "another spelling": ({"msg": "hi", "toUser": "{bob}"}, BAD),
    "to nobody known": ({"msg": "hi", "to_user": "never was here"}, NOBODY),
    "to no name": ({"msg": "hi", "to_user": ""}, NOBODY),
    "to a space": ({"msg": "hi", "to_user": " "}, NOBODY),
    "to a name too long": ({"msg": "hi", "to_user": "x" * 1000}, NOBODY),
    "to null": ({"msg": "hi", "to_user": None}, NOBODY),
    "to a number": ({"msg": "hi", "to_user": 5}, NOBODY),
    "to a list": ({"msg": "hi", "to_user": ["{bob}"]}, NOBODY),
    "to an object": ({"msg": "hi", "to_user": {"name": "{bob}"}}, NOBODY),
    "to another case": ({"msg": "hi", "to_user": "{BOB}"}, NOBODY),
    "300 kB": ({"username": "x", "msg": "x" * 300_000}, "too-large"),
}


async def test_what_cannot_be_said_is_answered_and_the_connection_stays(panel: RunningPanel) -> None:
    async with old(panel, new("Ada")) as ada, old(panel, new("bob")) as bob:
        for what, (frame, slug) in REFUSED.items():
            raw = frame if isinstance(frame, (str, bytes)) else json.dumps(frame)
            if isinstance(raw, str):
                raw = raw.replace("{bob}", bob.name).replace("{BOB}", bob.name.upper())
            await ada.send(raw)

            [answer] = await ada.arrived()
            assert set(answer) == {"username", "from_user", "msg", "error"}, what
            assert (answer["username"], answer["from_user"]) == ("server", "server")
            assert answer["error"]["type"] == f"urn:pilotlight:problem:{slug}", what
            assert answer["msg"] == answer["error"]["detail"]
            assert len(answer["msg"]) < 500
            assert 400 <= answer["error"]["status"] < 500

        await ada.say("and on")
        await ada.through()
        assert await bob.arrived() == [group(ada, "and on")]


async def test_a_frame_over_the_limit_ends_its_own_connection_only(panel: RunningPanel) -> None:
    async with old(panel, new("Ada")) as ada, old(panel, new("Bob")) as bob:
        await ada.say("x" * 1024 * 1024)
        with pytest.raises(ConnectionClosed) as closed:
            await ada.arrived()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        assert await bob.arrived() == []


# --- who is away -------------------------------------------------------------------------------------------


async def test_what_is_told_to_somebody_away_is_delivered_once(panel: RunningPanel) -> None:
    async with old(panel, new("Ada")) as ada, old(panel, new("Cleo")) as cleo:
        bob = new("Bob")
        async with old(panel, bob):
            pass
        for number in range(30):
            await ada.tell(bob, number)
            await cleo.tell(bob, number)
        await ada.through()
        await cleo.through()

        async with old(panel, bob) as back:
            frames = await back.arrived()
            for sender in (ada, cleo):
                mine = [frame["msg"] for frame in frames if frame["from_user"] == sender.name]
                assert mine == list(range(30))
            assert len(frames) == 60
            await ada.tell(bob, "now")
            await ada.through()
            assert await back.arrived() == [private(ada, "now")]
        async with old(panel, bob) as again, old(panel, bob) as second_tab:
            assert await again.arrived() == await second_tab.arrived() == []


async def test_two_tabs_that_come_back_miss_nothing_and_get_nothing_twice(panel: RunningPanel) -> None:
    async with old(panel, new("Ada")) as ada:
        bob = new("Bob")
        async with old(panel, bob):
            pass
        for number in range(200):
            await ada.tell(bob, number)
        await ada.through()

        async with old(panel, bob) as first, old(panel, bob) as second:
            for number in range(200, 220):
                await ada.tell(bob, number)
            await ada.through()
            tabs = [[frame["msg"] for frame in await tab.arrived()] for tab in (first, second)]
    for tab in tabs:
        assert tab == sorted(set(tab))
        assert tab[-20:] == list(range(200, 220))
    assert set(tabs[0]) | set(tabs[1]) == set(range(220))


async def test_who_answers_at_once_still_gets_what_waited(panel: RunningPanel) -> None:
    """A script connects, says something, and only then reads."""
    async with old(panel, new("Ada")) as ada:
        bob = new("Bob")
        async with old(panel, bob):
            pass
        for number in range(50):
            await ada.tell(bob, number)
        await ada.through()

        async with connect(address(panel, bob)) as socket_:
            back = OldClient(socket_, bob)
            await back.tell(ada.name, "I am back")
            assert [frame["msg"] for frame in await back.arrived()] == list(range(50))
        assert await ada.arrived() == [{"msg": "I am back", "from_user": bob}]


async def test_private_messages_wait_through_a_restart(server: str, start_panel: StartPanel) -> None:
    panel = start_panel(server=server)
    async with old(panel, "Ada") as ada:
        async with old(panel, "Bob") as bob:
            await ada.tell("Bob", "delivered")
            await ada.through()
            assert await bob.arrived() == [private(ada, "delivered")]
        await ada.tell("Bob", "before")
        await ada.say("in the room")
        await ada.through()
    await asyncio.to_thread(panel.restart)
    async with old(panel, "Ada") as ada:
        await ada.tell("Bob", "after")  # who is known still
        await ada.through()
        async with old(panel, "Bob") as bob:
            assert await bob.arrived() == [private(ada, "before"), private(ada, "after")]
        async with old(panel, "Bob") as bob:
            assert await bob.arrived() == []


async def test_what_was_said_to_all_is_not_replayed(panel: RunningPanel) -> None:
    async with old(panel, new("Ada")) as ada:
        async with old(panel, new("Bob")) as bob:
            await ada.say("heard")
            await ada.through()
            assert await bob.arrived() == [group(ada, "heard")]
        await ada.say("missed")
        await ada.through()
        async with old(panel, bob.name) as bob, old(panel, new("Cleo")) as newcomer:
            assert await bob.arrived() == await newcomer.arrived() == []


# --- coming and going --------------------------------------------------------------------------------------


async def test_someone_leaving_disturbs_nobody(panel: RunningPanel) -> None:
    async with old(panel, new("Ada")) as ada, old(panel, new("Bob")) as bob:
        for number in range(10):
            async with connect(address(panel, new("gone"))) as polite:
                await polite.send(json.dumps({"msg": "hi"}))
            async with connect(address(panel, new("gone"))) as rude:
                reset(rude)
            async with connect(address(panel, bob.name)) as rude:  # a tab of somebody who stays
                reset(rude)
            await ada.say(number)
            await ada.tell(bob.name, number)
        await ada.through()
        assert await bob.arrived() == [
            frame for number in range(10) for frame in (group(ada, number), private(ada, number))
        ]
        assert await ada.arrived() == []

    def present() -> set[str]:
        return {person["name"] for person in panel.get("/chat/rooms").json()["people"]}

    await asyncio.to_thread(eventually, lambda: not {name for name in present() if name.startswith("gone")})


async def test_who_leaves_in_the_middle_of_a_flood_disturbs_nobody(panel: RunningPanel) -> None:
    async with old(panel, new("Ada")) as ada, old(panel, new("Bob")) as bob, old(panel, new("Cleo")) as leaving:

        async def talk() -> None:
            for number in range(200):
                await ada.say(number)
                if number == 100:
                    reset(leaving.socket)

        await talk()
        await ada.through()
        assert [frame["msg"] for frame in await bob.arrived()] == list(range(200))


@pytest.mark.parametrize("messages", [1, 40])
async def test_who_says_something_and_leaves_has_said_it(panel: RunningPanel, messages: int) -> None:
    """A script that connects, sends and closes."""
    async with old(panel, new("Ada")) as ada:
        for _ in range(3):
            name = new("script")
            async with connect(address(panel, name)) as script:
                for number in range(messages):
                    await script.send(json.dumps({"username": "x", "msg": number}))
            for number in range(messages):
                assert await ada.next() == {"username": name, "msg": number}
        assert await ada.arrived() == []


# --- fast and slow -----------------------------------------------------------------------------------------


async def test_a_fast_sender_is_slowed_and_loses_nothing(server: str, start_panel: StartPanel) -> None:
    # given a rate that allows 1,800 at once, and somebody who sends 2,000 without reading
    panel = start_panel(server=server, chat_rate=180)
    async with old(panel, "Ada") as ada, old(panel, "Bob") as bob, old(panel, "Cleo") as cleo:

        async def flood() -> None:
            for number in range(1000):
                await ada.say(number)
                await ada.tell("Bob", -number)
            await ada.through()

        flooding = asyncio.create_task(flood())
        # when somebody else says something meanwhile, then it is said at once
        await cleo.say("quick")
        await asyncio.wait_for(cleo.through(), 2)
        await flooding
        # then nothing is lost, doubled or out of order, and nothing was refused
        frames = await bob.arrived()
        assert [frame["msg"] for frame in frames if frame.get("username") == "Ada"] == list(range(1000))
        assert [frame["msg"] for frame in frames if "username" not in frame] == [-number for number in range(1000)]
        assert [frame["msg"] for frame in await cleo.arrived()] == list(range(1000))
        assert [frame["msg"] for frame in await ada.arrived()] == ["quick"]
    assert panel.get("/chat/rooms").json()["rooms"][0]["n"] == 1001


async def test_a_reader_that_never_reads_costs_others_nothing(server: str, start_panel: StartPanel) -> None:
    # given somebody who never reads
    panel = start_panel(server=server, slow_reader=1, chat_rate=1000)
    stuck = never_reading(panel.port, "/Stuck", [])
    async with old(panel, "Ada") as ada, old(panel, "Bob") as bob:
        await ada.say("x" * 100_000)
        await ada.through()
        before = panel.process.memory_info().rss
        # when 10 MB are said, then the others get all of it, and the panel's memory is flat
        for number in range(50):
            await ada.say([number, "x" * 100_000])
            await ada.tell("Stuck", [number, "x" * 100_000])
            if number % 10 == 9:
                await ada.through()
                await bob.through()
        assert [frame["msg"][0] for frame in (await bob.arrived())[1:]] == list(range(50))
        assert panel.process.memory_info().rss - before < 6 * 1024 * 1024
        # and who never reads is cut
        await asyncio.to_thread(eventually, lambda: "it read nothing for 1 s" in panel.log())
        await ada.say("still here")
        await ada.through()
        assert await bob.arrived() == [group(ada, "still here")]
    stuck.close()
    assert "Traceback" not in panel.log()


async def test_a_slow_reader_is_late_and_misses_nothing(server: str, start_panel: StartPanel) -> None:
    # given somebody who does not read while more is said than the panel keeps for them
    panel = start_panel(server=server, chat_rate=1000)
    with socket.socket() as narrow:
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        narrow.setblocking(False)
        await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", panel.port))
        async with (
            old(panel, "Ada") as ada,
            old(panel, "Slow") as other_tab,
            connect(address(panel, "Slow"), sock=narrow, compression=None, max_queue=1) as socket_,
        ):
            slow = OldClient(socket_, "Slow")
            await slow.through()
            for number in range(60):
                await ada.say([number, "x" * 20_000])
                await ada.tell("Slow", [number, "x" * 20_000])
            await ada.through()
            assert len(await other_tab.arrived()) == 120  # whose having it takes nothing from this one
            # when it reads again, then it gets all of it, in order and once
            frames = await slow.arrived()
            assert [frame["msg"][0] for frame in frames if "username" in frame] == list(range(60))
            assert [frame["msg"][0] for frame in frames if "username" not in frame] == list(range(60))


async def test_nothing_of_this_left_a_traceback(panel: RunningPanel) -> None:
    assert "Traceback" not in panel.log()
    assert [line for line in panel.output if " ERROR " in line] == []
