"""The Python client when its connection is cut: nothing is missed or given twice, and what was not answered says so."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest

import pilotlight
from tests.support.client_under_cuts import RATE, under_cuts
from tests.support.cuttable_line import Line
from tests.support.live_client import live
from tests.support.panel_process import RunningPanel, free_port
from tests.support.slow_cases import slow


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seconds", [5, *slow(60)])
async def test_a_cut_every_second_loses_nothing_and_repeats_nothing(panel: RunningPanel, seconds: int) -> None:
    says = 200 if seconds == 60 else 30
    before = panel.get("/chat/rooms/lobby/messages?limit=1").json()["messages"]
    seen = await under_cuts(panel, seconds=seconds, says=says)
    assert seen.levels == seen.set
    assert len(seen.set) == seconds * RATE + 1
    assert seen.said == [*range(says), "end"]
    assert seen.cuts["Lost"] == seen.cuts["Resumed"] >= seconds - 2
    assert seen.cuts["Resynced"] == 0
    assert seen.grown < 100_000  # the lists of this test take a third of it
    stored = panel.get("/chat/rooms/lobby/messages?limit=200").json()["messages"]
    assert [message["msg"] for message in stored[-says - 1 :]] == [*range(says), "end"][-200:]
    assert stored[-1]["n"] == (before[0]["n"] if before else 0) + says + 1


async def test_a_command_in_flight_at_a_cut_is_unanswered(panel: RunningPanel) -> None:
    async with live(panel, name="producer") as producer, Line(panel) as line, pilotlight.connect(line.url) as client:
        events = client.events(pilotlight.RunChanged)
        run = (await producer.ask("start_run", name="slow"))["run"]["id"]
        assert (await anext(events)).run == run
        asking = asyncio.create_task(client.runs[run].send("stop"))
        await producer.event("run_signal", run=run)
        line.cut()
        with pytest.raises(pilotlight.Unanswered, match="signal_run"):
            await asking
        line.mend()
        assert (await client.lights["led"].set(31)).level == 31  # waits for the next connection


async def test_a_command_that_is_cancelled_leaves_the_client_as_it_was(panel: RunningPanel) -> None:
    async with pilotlight.connect(panel.url) as client:
        for level in range(1, 40):
            asking = asyncio.create_task(client.lights["led"].set(level))
            for _ in range(level % 4):
                await asyncio.sleep(0)
            asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
        assert (await client.lights["led"].set(77)).level == 77
        assert client.lights["led"].level == 77


async def test_changes_of_messages_in_the_meantime_come_once(panel: RunningPanel) -> None:
    async with (
        Line(panel) as line,
        pilotlight.connect(line.url, name="Ada") as ada,
        pilotlight.connect(panel.url, name="Bob") as bob,
    ):
        await ada.join("attic")
        room = await bob.join("attic")
        changes = ada.events(pilotlight.MessageChanged)
        first, second = await room.say("one"), await room.say("two")
        await room.edit(first.n, "eins")
        assert (await anext(changes)).message.msg == "eins"
        line.cut()
        await room.edit(first.n, "un")
        await room.delete(second.n)
        line.mend()
        meantime = [(await anext(changes)).message for _ in range(2)]
        assert [(message.n, message.msg) for message in meantime] == [(1, "un"), (2, None)]
        with pytest.raises(pilotlight.NotYours):
            await ada.edit(first.n, "mine", room="attic")


async def test_private_messages_of_the_meantime_come_once(panel: RunningPanel) -> None:
    async with (
        Line(panel) as line,
        pilotlight.connect(line.url, name="Ada") as ada,
        pilotlight.connect(panel.url, name="Bob") as bob,
    ):
        messages = ada.messages()
        await bob.say("one", to="Ada")
        assert (await anext(messages)).message.msg == "one"
        line.cut()
        await bob.say("two", to="Ada")
        line.mend()
        await ada.say("three", to="Bob")
        assert [(await anext(messages)).message.msg for _ in range(2)] == ["two", "three"]


async def test_a_panel_that_comes_back_is_known_anew(start_panel: Callable[..., RunningPanel]) -> None:
    panel = start_panel(port=free_port())
    async with pilotlight.connect(panel.url, name="script") as client:
        room = await client.join("kitchen")
        events = client.events(pilotlight.Lost, pilotlight.Resynced, pilotlight.MessageSaid)
        async with client.run("backup") as run:
            run.log("before")
            await asyncio.to_thread(panel.stop)
            assert isinstance(await anext(events), pilotlight.Lost)
            assert not client.connected
            run.log("while it is away")
            run.progress = 30
            await asyncio.to_thread(panel.start)
            assert await anext(events) == pilotlight.Resynced(why="snapshot")
            await room.say("here again")
            said = await anext(events)
            assert isinstance(said, pilotlight.MessageSaid)
            assert said.message.msg == "here again"
        assert [line.msg async for line in client.log(run.id)] == ["before", "while it is away"]
        assert client.runs[run.id].outcome == "done"


async def test_a_log_is_followed_through_cuts_to_its_end(panel: RunningPanel) -> None:
    async with (
        Line(panel) as line,
        pilotlight.connect(line.url) as watcher,
        pilotlight.connect(panel.url) as producer,
    ):
        read: list[tuple[int, object]] = []

        async def follow(run: str) -> None:
            async for one in watcher.log(run, follow=True):
                read.append((one.n, one.msg))

        async with producer.run("long") as run:
            following = asyncio.create_task(follow(run.id))
            for count in range(300):
                run.log(count)
                if count % 100 == 50:
                    line.cut()
                    await asyncio.sleep(0.1)
                    line.mend()
        await asyncio.wait_for(following, 30)
        assert read == [(count, count) for count in range(300)]


async def test_who_reads_no_events_gets_one_that_says_so(panel: RunningPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pilotlight.panel.KEPT", 10)
    async with pilotlight.connect(panel.url) as client:
        events = client.events()
        for level in range(1, 30):
            await client.lights["led"].set(level)
        assert pilotlight.Resynced(why="slow") in [await anext(events) for _ in range(3)]
        assert client.lights["led"].level == 29


async def test_closing_leaves_nothing_behind(panel: RunningPanel) -> None:
    before = asyncio.all_tasks()
    async with pilotlight.connect(panel.url, name="script") as client:
        events = client.events()
        await client.join("lobby")
    assert asyncio.all_tasks() == before
    assert [event async for event in events if isinstance(event, pilotlight.Lost)] == []
    assert [event async for event in client.events()] == []
    with pytest.raises(pilotlight.Unreachable):
        await client.lights["led"].set(1)
    await client.close()


async def test_no_panel_is_unreachable() -> None:
    with pytest.raises(pilotlight.Unreachable, match="cannot be reached"):
        async with pilotlight.connect(f"http://127.0.0.1:{free_port()}", wait=0.3):
            pass


async def test_a_client_waits_for_a_panel_that_is_late(start_panel: Callable[..., RunningPanel]) -> None:
    port = free_port()
    entering = asyncio.create_task(pilotlight.connect(f"http://127.0.0.1:{port}", wait=None).__aenter__())
    await asyncio.sleep(0.2)
    await asyncio.to_thread(start_panel, port=port)
    client = await asyncio.wait_for(entering, 30)
    assert "led" in client.lights
    await client.close()


async def test_a_client_that_is_refused_says_why(panel: RunningPanel) -> None:
    with pytest.raises(pilotlight.SignInFailed, match="token"):
        async with pilotlight.connect(panel.url, wait=None, token="plt_wrong"):
            pass


async def test_a_client_that_is_thrown_out_ends_with_the_reason(panel: RunningPanel) -> None:
    made = panel.post("/access/tokens", json={"label": "script", "role": "operator"}).json()
    async with pilotlight.connect(panel.url, token=made["token"]) as client:
        events = client.events(pilotlight.Lost)
        await client.lights["led"].set(50)
        panel.delete(f"/access/tokens/{made['id']}")
        with pytest.raises(pilotlight.SignInFailed):
            [event async for event in events]
        with pytest.raises(pilotlight.SignInFailed):
            await client.lights["led"].set(51)
