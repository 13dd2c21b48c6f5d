"""The Python client at the limits of a panel: what is too large says so, and a log is sent in parts that fit."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

import pilotlight
from asgi_app.models import json_text
from pilotlight import encode
from tests.support.panel_process import RunningPanel


@contextlib.asynccontextmanager
async def listening(serving: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[str]:
    """The address of a stand-in for a panel."""
    async with serve(serving, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


async def test_what_is_over_the_limit_of_a_frame_is_refused(panel: RunningPanel) -> None:
    async with pilotlight.connect(panel.url, name="script") as client:
        run = (await client.ask("start_run", name="waits"))["run"]["id"]
        waiting = asyncio.create_task(client.ask("signal_run", run=run, signal="stop"))
        with pytest.raises(pilotlight.TooLarge, match="2000"):
            await client.say("x" * 2_000_000, room="lobby")
        with pytest.raises(pilotlight.Unanswered):  # cut with it
            await waiting
        assert (await client.say("y", room="lobby")).msg == "y"


@pytest.mark.parametrize(
    ("max_frame", "lines"),
    [
        (1024 * 1024, [f"{n} " + "é" * 15_000 for n in range(200)]),
        (8 * 1024, [f"{n} " + "\x01" * 100 for n in range(200)]),
        (8 * 1024, [{"n": n} for n in range(600)]),
    ],
)
async def test_a_log_comes_in_parts_that_fit(
    start_panel: Callable[..., RunningPanel], max_frame: int, lines: list[Any]
) -> None:
    panel = start_panel(max_frame=max_frame)
    async with pilotlight.connect(panel.url) as client:
        async with client.run("long") as run:
            for line in lines:
                run.log(line)
        assert [line.msg async for line in client.log(run.id)] == lines


async def test_a_line_that_no_frame_holds_is_shortened(panel: RunningPanel) -> None:
    async with pilotlight.connect(panel.url) as client:
        async with client.run("long") as run:
            for msg in ("before", "x" * 2_000_000, ["y" * 2_000_000], "after"):
                run.log(msg)
        before, text, other, after = [line.msg async for line in client.log(run.id)]
        assert (before, text[:3], other[:4], after) == ("before", "xxx", "['yy", "after")


async def test_a_line_that_is_no_json_is_refused_where_it_is_said(panel: RunningPanel) -> None:
    async with pilotlight.connect(panel.url) as client:
        async with client.run("odd") as run:
            for msg, why in ((object(), TypeError), ({1, 2}, TypeError), (float("nan"), ValueError)):
                with pytest.raises(why):
                    run.log(msg)
            run.log("a\udcffb")
            said = {"one": 1}
            run.log(said)
            said["one"] = 2
        assert [line.msg async for line in client.log(run.id)] == ["a?b", {"one": 1}]


@pytest.mark.parametrize(
    ("msg", "why"),
    [
        (float("nan"), ValueError),
        ("a\udcff", ValueError),
        (object(), TypeError),
        (json.loads("[" * 300 + "]" * 300), pilotlight.TooDeep),
        (10**150, pilotlight.BadCommand),
    ],
)
async def test_what_the_panel_cannot_read_is_refused_once(panel: RunningPanel, msg: Any, why: type[Exception]) -> None:
    async with pilotlight.connect(panel.url, name="script") as client, asyncio.timeout(10):
        with pytest.raises(why):
            await client.say(msg, room="lobby")
        assert (await client.say("[" * 300, room="lobby")).msg == "[" * 300


async def test_the_depth_is_that_of_the_panel(panel: RunningPanel) -> None:
    async with pilotlight.connect(panel.url, name="script") as client:
        deepest = json.loads("[" * (encode.DEPTH - 1) + "]" * (encode.DEPTH - 1))
        assert (await client.say(deepest, room="lobby")).msg == deepest
        with pytest.raises(pilotlight.TooDeep):
            await client.say([deepest], room="lobby")
    assert encode.DEPTH == json_text.DEPTH


async def test_one_odd_line_does_not_cost_the_others(panel: RunningPanel) -> None:
    async with pilotlight.connect(panel.url) as client:
        async with client.run("r" * 300) as run:
            run.step = "s" * 300
            for n in range(50):
                run.log(n, level="x" * 5000 if n == 20 else "info")
        lines = [(line.msg, line.level) async for line in client.log(run.id)]
        assert [msg for msg, level in lines if level == "info"] == [*range(20), *range(21, 50)]
        assert lines[20] == ("2…", "warning")
        shown = client.runs[run.id]
        assert (len(shown.name), shown.outcome) == (200, "done")


@pytest.mark.undescribed
async def test_a_run_that_the_panel_does_not_store_says_so_at_its_end() -> None:
    """A stand-in: for the true one the disk would have to be full."""
    full = {"type": "urn:pilotlight:problem:not-stored", "title": "Not stored", "status": 503, "detail": "disk full"}

    async def answer(connection: ServerConnection) -> None:
        await connection.send('{"epoch": "e", "rev": 1, "state": {}}')
        async for text in connection:
            command = json.loads(text)
            reply = {"ok": False, "problem": full} if command["do"] == "log_run" else {"ok": True, "run": {"lines": 0}}
            await connection.send(json.dumps({"reply": command["id"]} | reply))

    async with listening(answer) as url, pilotlight.connect(url, timeout=0.3) as client:
        with pytest.raises(pilotlight.NotStored, match="disk full"):
            async with asyncio.timeout(10), client.run("long") as run:
                run.log("never")


@pytest.mark.undescribed
async def test_a_panel_that_cuts_each_connection_at_once_is_not_hammered() -> None:
    seen: list[float] = []

    async def open_and_end(connection: ServerConnection) -> None:
        seen.append(asyncio.get_running_loop().time())
        await connection.send('{"epoch": "e", "rev": 1, "state": {}}')

    async with listening(open_and_end) as url, asyncio.timeout(20):
        with contextlib.suppress(pilotlight.Unreachable):  # or it was there for a moment
            async with pilotlight.connect(url, wait=3):
                await asyncio.sleep(3)
    assert 3 < len(seen) < 20


def refusal(slug: str, status: int, **more: Any) -> dict[str, Any]:
    return {"type": f"urn:pilotlight:problem:{slug}", "title": slug, "status": status, **more}


@pytest.mark.undescribed
@pytest.mark.parametrize(
    ("refused", "lost_first", "outcome"),
    [
        (refusal("too-fast", 429, retry_after=0.01), True, "said"),
        (refusal("not-stored", 507, retry_after=0.01), True, "said"),
        (refusal("restarting", 503, retry_after=0.01), True, "said"),
        (refusal("too-large", 413), True, "too-large"),
        (refusal("too-fast", 429, retry_after=0.01), False, "too-fast"),
        (refusal("not-stored", 507), False, "not-stored"),
    ],
)
async def test_what_may_have_been_said_is_asked_until_it_is_known(
    refused: dict[str, Any], lost_first: bool, outcome: str
) -> None:
    """A stand-in that says a message and is cut before it answers; then it refuses, twice, before it knows the id."""
    asked: list[str] = []

    async def answer(connection: ServerConnection) -> None:
        await connection.send('{"epoch": "e", "rev": 1, "state": {}}')
        async for text in connection:
            command = json.loads(text)
            if command["do"] != "say":
                continue
            asked.append(command["client_id"])
            if lost_first and len(asked) == 1:
                return
            reply: dict[str, Any] = {"reply": command["id"], "ok": False, "problem": refused}
            if len(asked) > 3:
                message = {"id": 1, "n": 1, "room": "lobby", "from": "Ada", "msg": "hi", "at": 1.0}
                reply |= {"ok": True, "message": message}
            await connection.send(json.dumps(reply))

    async with listening(answer) as url, pilotlight.connect(url) as client, asyncio.timeout(20):
        if outcome == "said":
            assert (await client.say("hi", room="lobby")).n == 1
        else:
            with pytest.raises(pilotlight.PanelError) as raised:
                await client.say("hi", room="lobby")
            assert raised.value.slug == outcome
    assert len(set(asked)) == 1
