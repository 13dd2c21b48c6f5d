"""A file that is locked for a while: the lights work, the state shows it, and writing resumes without a restart."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from asgi_app.errors import NotStored
from asgi_app.models.chat import Thread
from asgi_app.models.history import RememberedLight
from asgi_app.store import Store
from asgi_app.store import chat as stored
from tests.support.chat_people import old, person
from tests.support.database_file import NAME, locked, stored_level, stored_messages
from tests.support.panel_process import END_SECONDS, RunningPanel, eventually
from tests.support.steady_clock import steady

StartPanel = Callable[..., RunningPanel]

NOT_STORED = "urn:pilotlight:problem:not-stored"


def not_ready(panel: RunningPanel) -> str | None:
    """What `/health/ready` says of the store."""
    answer = panel.get("/health/ready").json()
    return None if answer["ok"] else answer["not_ready"].get("store")


def fill(data: Path) -> None:
    """A file in which the light is at 37, two messages and a private one were said, and a run goes on."""
    store = Store(data)
    store.open()

    async def say() -> None:
        for msg in ("one", "two"):
            draft = stored.Draft(Thread(room="lobby"), "Ada", None, msg, 1000.0, None)
            await store.do(lambda db, draft=draft: stored.say(db, draft))
        draft = stored.Draft(Thread.between("Ada", "Bob"), "Ada", "Bob", "psst", 1000.0, None)
        await store.do(lambda db: stored.say(db, draft))
        store.save("led", RememberedLight(level=37, on=True))
        await store.try_to(lambda database: None)

    asyncio.run(say())
    store.close()


async def test_a_file_that_is_locked_at_the_start_is_adopted_when_it_opens(
    start_panel: StartPanel, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    await asyncio.to_thread(fill, data)
    with contextlib.closing(sqlite3.connect(data / NAME)) as other:  # so that not even reading is possible
        other.execute("PRAGMA journal_mode = DELETE")
    lights = "[lights.led]\npin = 21\n[lights.desk]\npin = 12\n"
    with contextlib.ExitStack() as held:
        held.enter_context(locked(data / NAME, "BEGIN EXCLUSIVE"))
        panel = await asyncio.to_thread(start_panel, data=data, lights=lights)
        # then the lights are there, and it is said that nothing is kept
        assert panel.level() == 50
        assert panel.patch("/lights/desk", {"level": 61}).status_code == 200
        assert "locked" in (not_ready(panel) or "")
        async with person(panel, "live", "Ada") as ada, old(panel, "Bob") as bob:
            storage = ada.opening["state"]["storage"]
            assert storage["kept"] is False
            assert "locked" in storage["reason"]
            assert str(data) not in storage["reason"]
            # what would not be stored is refused, on every wire
            assert (await ada.ask("say", room="lobby", msg="lost"))["problem"]["type"] == NOT_STORED
            await bob.say("lost")
            [refusal] = await bob.arrived()
            assert refusal["error"]["type"] == NOT_STORED
            assert panel.post("/runs", json={"name": "lost"}).json()["type"] == NOT_STORED
            assert panel.post("/led", json={"level": 4}, headers={"X-By": "nobody"}).status_code == 200
            assert panel.post("/lights/led/undo").status_code == 200
            # when the lock is gone
            held.close()
            await asyncio.to_thread(eventually, lambda: not_ready(panel) is None)
            await asyncio.to_thread(eventually, lambda: '"n":2' in panel.get("/chat/rooms").text.replace(" ", ""))
            # then the panel goes on with that file, on the connections that are open
            events = await ada.events()
            assert [one["state"] for one in events if one["event"] == "storage_changed"] == [
                {"kept": True, "reason": None}
            ]
            assert [one["state"]["n"] for one in events if one["event"] == "room_changed"] == [2]
            waited = [] if bob.frames else [await bob.next()]
            assert [frame["msg"] for frame in [*waited, *bob.frames]] == ["psst"]
            bob.frames = []
            said = await ada.ask("say", room="lobby", msg="three")
            assert said["message"]["n"] == 3
            assert [frame["msg"] for frame in await bob.arrived()] == ["three"]
        # and what was set meanwhile stands, and is remembered
        assert panel.light("desk")["level"] == 61
        await asyncio.to_thread(eventually, lambda: stored_level(data / NAME, "desk") == 61)
    assert stored_messages(data / NAME) == ["one", "two", "psst", "three"]
    assert len(panel.complaints()) == 1, panel.log()


async def test_a_light_that_nobody_set_is_put_back_when_the_file_opens(start_panel: StartPanel, tmp_path: Path) -> None:
    data = tmp_path / "data"
    await asyncio.to_thread(fill, data)
    with contextlib.closing(sqlite3.connect(data / NAME)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
    with locked(data / NAME, "BEGIN EXCLUSIVE"):
        panel = await asyncio.to_thread(start_panel, data=data)
        assert panel.level() == 50
    await asyncio.to_thread(eventually, lambda: panel.level() == 37)


async def test_a_file_that_others_write_to_at_the_start_is_read(start_panel: StartPanel, tmp_path: Path) -> None:
    data = tmp_path / "data"
    await asyncio.to_thread(fill, data)
    with locked(data / NAME):  # in WAL mode only the writers are locked out
        panel = await asyncio.to_thread(start_panel, data=data)
        assert panel.level() == 37
        assert "locked" in (not_ready(panel) or "")
    await asyncio.to_thread(eventually, lambda: not_ready(panel) is None)


async def test_a_lock_that_comes_and_goes_is_told_and_a_retry_says_when(start_panel: StartPanel) -> None:
    panel = await asyncio.to_thread(start_panel)
    async with person(panel, "live", "Ada") as ada, person(panel, "panel", "Bob") as bob:
        run = (await ada.ask("start_run", name="build"))["run"]["id"]
        with locked(panel.data / NAME):
            assert (await ada.ask("say", room="lobby", msg="m", client_id="c"))["problem"]["type"] == NOT_STORED
            assert (await ada.ask("log_run", run=run, lines=["a line"]))["problem"]["type"] == NOT_STORED
            assert (await ada.ask("end_run", run=run, exit_code=0))["problem"]["type"] == NOT_STORED
            assert (await ada.ask("get_messages", room="lobby"))["ok"]
            assert "locked" in (not_ready(panel) or "")
            [told] = [one for one in await bob.events() if one["event"] == "storage_changed"]
            assert told["state"]["kept"] is False
        await asyncio.to_thread(eventually, lambda: not_ready(panel) is None)
        [told] = [one for one in await bob.events() if one["event"] == "storage_changed"]
        assert told["state"]["kept"] is True
        assert (await ada.ask("say", room="lobby", msg="m", client_id="c"))["message"]["n"] == 1
        assert (await ada.ask("end_run", run=run, exit_code=0))["run"]["state"] == "ended"
        # the lines that could not be stored are, without anybody's doing
        page = await ada.ask("get_log", run=run)
        assert [line["msg"] for line in page["log"]["lines"]] == ["a line"]
    await asyncio.to_thread(panel.kill)
    await asyncio.to_thread(panel.start)
    assert panel.get(f"/runs/{run}").json()["state"] == "ended"
    assert panel.get(f"/runs/{run}/log").json()["lines"][0]["msg"] == "a line"


# --- a disk that stalls ------------------------------------------------------------------------------------


async def test_a_save_returns_while_the_thread_is_stuck_and_the_newest_is_written_after(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.open()
    go_on, stuck = threading.Event(), threading.Event()
    written: list[str] = []
    store.read(lambda db: db.set_trace_callback(written.append))
    stall = store.do(lambda db: (stuck.set(), go_on.wait()))  # as a write to an SD card that does not answer
    await asyncio.to_thread(stuck.wait)
    for level in range(101):
        store.save("led", RememberedLight(level=level, on=True))
        store.save("desk", RememberedLight(level=100 - level, on=True))
    assert not stall.done()  # here already: none of them waited
    go_on.set()
    await stall
    await store.try_to(lambda db: None)
    assert any("INSERT INTO lights" in one for one in written)
    assert len(written) < 20  # not one a step
    assert (stored_level(tmp_path / NAME), stored_level(tmp_path / NAME, "desk")) == (100, 0)
    await asyncio.to_thread(store.close)


@pytest.mark.parametrize("lock", ["nobody's", "another process's, for a moment"])
def test_an_orderly_stop_writes_the_last_level(start_panel: StartPanel, lock: str) -> None:
    panel = start_panel()
    with contextlib.ExitStack() as held:
        if lock != "nobody's":
            held.enter_context(locked(panel.data / NAME))
            threading.Timer(0.3, held.close).start()
        for level in range(5, 45):
            assert panel.post("/led", json={"level": level}).status_code == 200
        assert panel.stop() < END_SECONDS
    assert stored_level(panel.data / NAME) == 44


def test_a_stop_that_cannot_write_the_last_level_says_so(start_panel: StartPanel) -> None:
    panel = start_panel()
    with locked(panel.data / NAME):
        assert panel.post("/led", json={"level": 9}).status_code == 200
        assert panel.stop() < END_SECONDS
    assert panel.returncode == 0
    assert [line for line in panel.complaints() if "levels are not remembered" in line]


async def test_what_waits_for_a_lock_ends_in_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.open()
    with locked(tmp_path / NAME):
        draft = stored.Draft(Thread(room="lobby"), "Ada", None, "hi", 1.0, None)
        with pytest.raises(NotStored, match="locked"):
            await store.do(lambda db: stored.say(db, draft))
        began = steady()
        with pytest.raises(NotStored, match="locked"):  # once that is known, nobody waits again
            await store.do(lambda db: stored.say(db, draft))
        assert steady() - began < 1.5
    await asyncio.to_thread(store.close)
