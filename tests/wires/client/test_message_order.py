"""The Python client where the panel's replies and its events meet: a number in a reply may be older than an event."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from websockets.asyncio.server import ServerConnection, serve

import pilotlight
from pilotlight.feeds import Feeds

LAST = 60  # the number of the message that the client has when its connection is cut
CARLS = 7  # messages, from before the first connection
Frame = dict[str, Any]
Answer = tuple[list[int], int, list[int]]


def said(n: int) -> Frame:
    message = {"id": n, "n": n, "room": "lobby", "to": None, "from": "Bob", "msg": n, "at": 1.0}
    return {"events": [{"event": "message", "message": message}]}


def said_to(n: int) -> Frame:
    frame = said(n)
    frame["events"][0]["message"] |= {"room": None, "to": "Ada"}
    return frame


@asynccontextmanager
async def scripted(
    do: str, answers: dict[int, Answer], make: Callable[[int], Frame], *, first: Sequence[int] = ()
) -> AsyncIterator[str]:
    """A panel whose answer to `do` has a number, with events right before and behind it, for each connection in turn.

    Then the connection ends; the last one goes on with another event. `first` are events of the first connection that
    come before anything is asked.
    """
    connections = 0

    async def talk(socket: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        before, at, behind = answers[connections]
        newest = max([at, *before, *behind])
        await socket.send(json.dumps({"epoch": str(connections), "rev": 0, "state": {}}))
        for n in first if connections == 1 else ():
            await socket.send(json.dumps(make(n)))
        async for text in socket:
            command = json.loads(text)
            reply: Frame = {"reply": command["id"], "ok": True, "room": {"name": "lobby", "n": at}, "threads": []}
            if command["do"] == "get_threads" == do:
                reply["threads"] = [{"with": "Carl", "n": CARLS}, {"with": "Bob", "n": at}]
            if command["do"] == "get_messages":
                after = command.get("after", newest) + 1
                numbers = range(after, newest + 1) if command.get("to") != "Carl" else range(after, CARLS + 1)
                reply["messages"] = [make(n)["events"][0]["message"] for n in numbers]
            if command["do"] != do:
                await socket.send(json.dumps(reply))
                continue
            for frame in [*map(make, before), reply, *map(make, behind)]:  # they arrive together
                await socket.send(json.dumps(frame))
            await asyncio.sleep(0.1)
            if connections < len(answers):
                return
            newest += 1
            await socket.send(json.dumps(make(newest)))

    async with serve(talk, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


@pytest.mark.parametrize(
    ("before", "at", "behind"),
    [
        ([], LAST, [1, 2]),
        ([1], LAST, [2]),
        ([1, 2], LAST, []),
        ([1], LAST + 1, [2]),
        ([], LAST + 2, []),
        ([], LAST - 1, [0, 1, 2]),
    ],
)
@pytest.mark.undescribed  # the stand-in sends only what the client reads
@pytest.mark.parametrize("do", ["join_room", "get_threads"])
async def test_each_message_is_given_once_whichever_comes_first(
    do: str, before: list[int], at: int, behind: list[int]
) -> None:
    make = said if do == "join_room" else said_to
    answers = {1: ([], LAST - 1, [LAST]), 2: ([LAST + n for n in before], at, [LAST + n for n in behind])}
    async with (
        scripted(do, answers, make) as url,
        pilotlight.connect(url, name="Ada") as client,
    ):
        messages = client.messages()
        if do == "join_room":
            await client.join("lobby")
        given: list[int] = []
        async with asyncio.timeout(10):
            while given[-1:] != [LAST + 3]:
                given.append((await anext(messages)).message.n)
    assert given == [LAST, LAST + 1, LAST + 2, LAST + 3]


@pytest.mark.parametrize(("before", "behind"), [([], [1, 2]), ([1], [2]), ([1, 2], [])])
@pytest.mark.undescribed  # the stand-in sends only what the client reads
@pytest.mark.parametrize("do", ["join_room", "get_threads"])
async def test_a_panel_that_begins_to_count_again_is_followed(do: str, before: list[int], behind: list[int]) -> None:
    make = said if do == "join_room" else said_to
    async with (
        scripted(do, {1: ([], LAST - 1, [LAST]), 2: (before, 0, behind)}, make) as url,
        pilotlight.connect(url, name="Ada") as client,
    ):
        messages = client.messages()
        if do == "join_room":
            await client.join("lobby")
        async with asyncio.timeout(10):
            given = [(await anext(messages)).message.n for _ in range(4)]
    assert given == [LAST, 1, 2, 3]


@pytest.mark.undescribed  # the stand-in sends only what the client reads
@pytest.mark.parametrize(
    ("first", "answer"),
    [
        ([LAST + 1], ([], LAST + 1, [])),
        ([LAST + 1], ([], LAST, [])),
        ([], ([LAST + 1], LAST, [])),
        ([], ([], LAST, [LAST + 1])),
    ],
)
async def test_what_was_said_before_the_first_connection_is_not_given(first: list[int], answer: Answer) -> None:
    answers = {1: answer, 2: ([], LAST + 1, [])}
    async with (
        scripted("get_threads", answers, said_to, first=first) as url,
        pilotlight.connect(url, name="Ada") as client,
    ):
        messages = client.messages()
        given: list[int] = []
        async with asyncio.timeout(10):
            while given[-1:] != [LAST + 2]:
                given.append((await anext(messages)).message.n)
        for _ in range(3):  # the stand-in answers in turn: by then also what was asked before
            await client.ask("ping")
    given += [said.message.n async for said in messages]
    assert given in ([LAST + 1, LAST + 2], [LAST + 2])  # the first one may come before `messages` is called


async def test_the_first_messages_of_a_new_person_are_not_missed() -> None:
    """Bob says two while Ada's connection is cut or slow; the second one comes first."""
    given: list[int] = []
    said_so_far: list[Frame] = []

    class Connection:
        """It answers at once."""

        async def ask(self, do: str, **fields: Any) -> Frame:
            after = fields.get("after", 0)
            found = [message for message in said_so_far if message["n"] > after]
            return {"threads": []} if do == "get_threads" else {"messages": found}

        def aside(self, work: Coroutine[Any, Any, None]) -> None:
            tasks.append(asyncio.ensure_future(work))

    tasks: list[asyncio.Future[None]] = []
    feeds = Feeds(lambda event: given.append(cast(Any, event).message.n), name="Ada")
    feeds.connection = cast(Any, Connection())
    await feeds.catch_up()
    feeds.cut()
    said_so_far += [said_to(n)["events"][0]["message"] for n in (1, 2)]
    assert not feeds.is_next("message", said_so_far[1])
    await asyncio.gather(*tasks)
    await feeds.catch_up()
    assert given == [1, 2]
