"""The Python client when it is cancelled or closed: nothing waits for ever, nothing goes on, nothing is warned of."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import threading

import pytest
from websockets.asyncio.server import ServerConnection, serve

import pilotlight
from tests.support.panel_process import ROOT, RunningPanel, eventually


async def test_a_run_that_is_cancelled_at_any_time_does_not_go_on(panel: RunningPanel) -> None:
    async def work(client: pilotlight.Panel) -> None:
        async with client.run("cancelled") as run:
            run.log("begun")

    async with pilotlight.connect(panel.url) as client, pilotlight.connect(panel.url) as other:
        for turns in range(40):
            working = asyncio.create_task(work(client))
            for _ in range(turns):
                await asyncio.sleep(0)
            if turns % 4 == 0:
                await asyncio.sleep(turns / 4 * 0.002)
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await working
        changes = other.events(pilotlight.RunChanged)
        async with client.run("last"), asyncio.timeout(10):
            while any(run.state != "ended" for run in other.runs.values() if run.name != "last"):
                await anext(changes)
        # The end of "last" may not have come to this connection yet.
        outcomes = {run.outcome for run in other.runs.values() if run.name != "last"}
        assert outcomes <= {"stopped", "done"}


async def test_who_follows_a_log_is_told_of_the_end_of_the_connection(panel: RunningPanel) -> None:
    async with pilotlight.connect(panel.url) as producer, producer.run("long") as run:
        client = await pilotlight.connect(panel.url).__aenter__()
        run.log("one")
        log = client.log(run.id, follow=True)
        assert (await anext(log)).msg == "one"
        reading = asyncio.ensure_future(anext(log))
        for _ in range(5):  # by then it waits for another line
            await client.ask("ping")
        await client.close()
        with pytest.raises(pilotlight.Unreachable, match="closed"):
            await asyncio.wait_for(reading, 10)


@pytest.mark.undescribed  # the stand-in sends only what the client reads
async def test_a_client_that_is_closed_ends_the_connection_normally() -> None:
    ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    async def talk(socket: ServerConnection) -> None:
        await socket.send(json.dumps({"epoch": "1", "rev": 0, "state": {}}))
        await socket.wait_closed()
        ended.set_result(socket.close_code)

    async with serve(talk, "127.0.0.1", 0) as server:
        async with pilotlight.connect(f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"):
            pass
        assert await asyncio.wait_for(ended, 10) == 1000


async def test_a_panel_that_is_not_entered_says_so() -> None:
    with pytest.raises(pilotlight.Unreachable, match="async with"):
        await pilotlight.connect("http://127.0.0.1:1").ask("ping")
    home = pilotlight.connect_sync("http://127.0.0.1:1")
    with pytest.raises(pilotlight.Unreachable, match="with"):
        home.ask("ping")
    home.close()


def test_a_signal_may_log_and_may_not_wait(panel: RunningPanel) -> None:
    """It is called in the thread of the loop, which would wait for itself."""
    with pilotlight.connect_sync(panel.url) as home, pilotlight.connect_sync(panel.url) as other:

        def on_signal(signal: str) -> object:
            if signal == "stop":
                home.lights["led"].off()
            run.log(f"got {signal}")
            return "logged"

        with home.run("deaf", on_signal=on_signal) as run:
            eventually(lambda: run.id in other.runs)
            assert other.runs[run.id].send("pause") == "logged"
            refused = other.runs[run.id].send("stop")
        assert "cannot wait" in refused["detail"]
        assert [line.msg for line in other.log(run.id)] == ["got pause"]


@pytest.mark.parametrize("how", ["close", "__exit__", "ask"])
def test_a_signal_may_not_end_what_it_came_by(panel: RunningPanel, how: str) -> None:
    with pilotlight.connect_sync(panel.url) as home, pilotlight.connect_sync(panel.url) as other:

        def on_signal(signal: str) -> object:
            arguments = {"close": (), "__exit__": (None, None, None), "ask": ("ping",)}
            return getattr(home, how)(*arguments[how])

        with home.run("deaf", on_signal=on_signal) as run:
            eventually(lambda: run.id in other.runs)
            refused = other.runs[run.id].send("stop")
            assert "cannot wait" in refused["detail"]
            run.log("still here")
        assert [line.msg for line in other.log(run.id)] == ["still here"]


def test_threads_that_wait_are_told_of_the_end(panel: RunningPanel) -> None:
    said: list[str] = []
    with pilotlight.connect_sync(panel.url) as home:
        run = home.ask("start_run", name="deaf")["run"]["id"]
        waiting = threading.Barrier(4)

        def wait(how: object) -> None:
            waiting.wait()
            try:
                assert callable(how)
                how()
                said.append("ended")
            except pilotlight.PanelError as error:
                said.append(type(error).__name__)

        ways = (
            lambda: home.ask("signal_run", run=run, signal="stop"),
            lambda: list(home.events()),
            lambda: list(home.log(run, follow=True)),
        )
        threads = [threading.Thread(target=wait, args=(way,)) for way in ways]
        for thread in threads:
            thread.start()
        waiting.wait()
    for thread in threads:
        thread.join(10)
    assert len(said) == 3, said
    assert set(said) <= {"Unanswered", "Unreachable", "ended"}
    with pytest.raises(pilotlight.Unreachable):
        home.lights["led"].off()


PROGRAM = """
import asyncio, gc, sys, pilotlight

async def main():
    async with pilotlight.connect(sys.argv[1], name="a") as panel:
        room = await panel.join("lobby")
        following = asyncio.create_task(anext(panel.events(pilotlight.MessageSaid)))
        await asyncio.sleep(0)
        await room.say("hi")
        await following
        async with panel.run("work") as run:
            run.log("one")
        async for line in panel.log(run.id, follow=True):
            break
        try:
            async with asyncio.timeout(0.01):
                await panel.lights["led"].set(40, transition=1)
        except TimeoutError:
            pass
    try:
        async with pilotlight.connect("http://127.0.0.1:1"):
            pass
    except pilotlight.Unreachable:
        pass

asyncio.run(main())
with pilotlight.connect_sync(sys.argv[1]) as home:
    home.lights["led"].set(40)
    events = home.events()
gc.collect()
"""


def test_a_program_gets_no_warnings(panel: RunningPanel) -> None:
    """With the checks of `-X dev`: for what is never awaited, never closed or never retrieved."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM, panel.url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    stderr = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]  # a machine that stalls
    assert (done.returncode, stderr) == (0, [])
