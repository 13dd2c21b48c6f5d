"""`ws /<username>`: bad input, absence, arrival and leaving, fast and slow clients. Section F."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.chat_people import OldClient, address, new, old
from tests.support.old_chat_frames import group, private
from tests.support.panel_process import RunningPanel, eventually
from tests.support.raw_sockets import end_with_a_reset, never_reading

StartPanel = Callable[..., RunningPanel]


def reset(socket_: ClientConnection) -> None:
    """Leave without a goodbye: the kernel says RST."""
    end_with_a_reset(socket_.transport.get_extra_info("socket"))
    socket_.transport.abort()


# --- what cannot be said ------------------------------------------------------------------------------------


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


# --- who is away --------------------------------------------------------------------------------------------


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


# --- coming and going ---------------------------------------------------------------------------------------


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


# --- fast and slow ------------------------------------------------------------------------------------------


@pytest.mark.slow
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
        first, _ = await asyncio.wait(
            {flooding, (heard := asyncio.create_task(cleo.through()))}, return_when="FIRST_COMPLETED"
        )
        assert first == {heard}
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
