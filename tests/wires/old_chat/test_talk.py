"""`ws /<username>`: group and private talk, and names. The contract's section F."""

from __future__ import annotations

import asyncio
import contextlib
import json
import unicodedata
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.support.chat_people import OldClient, address, new, old
from tests.support.inbox import TIMEOUT
from tests.support.live_client import strict_json
from tests.support.old_chat_frames import group, private
from tests.support.panel_process import NO_TLS, RunningPanel

# --- group and private --------------------------------------------------------------------------------------


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


# --- what can be said ---------------------------------------------------------------------------------------


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


# --- names --------------------------------------------------------------------------------------------------


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
    *("openapi.json", "asyncapi.json", "docs", "server"),
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
    async with httpx.AsyncClient(timeout=TIMEOUT, verify=NO_TLS) as http:
        answer = await http.request(method, panel.url + path)
    status, slug = (404, "not-found") if method in ("GET", "HEAD") else (405, "method-not-allowed")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    if method != "HEAD":
        assert answer.json()["type"] == f"urn:pilotlight:problem:{slug}"
