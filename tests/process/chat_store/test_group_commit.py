"""Messages survive the process: group commit, retention, restarts."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
from functools import partial
from pathlib import Path

import pytest

from asgi_app.errors import InternalError, NotStored
from asgi_app.models.base import Actor
from asgi_app.models.chat import Marks, Thread
from asgi_app.models.lights import LightSettings
from asgi_app.models.runs import Run
from asgi_app.store import SCHEMA_VERSION, Retention, Store, database
from asgi_app.store import chat as stored
from asgi_app.store import runs as stored_runs
from asgi_app.store.schema import MIGRATIONS
from tests.support.chat_people import person
from tests.support.native_command_tables import assert_refused
from tests.support.panel_process import eventually
from tests.support.stored_messages import LOBBY, StartPanel, draft, errors, history, page

# --- group commit -------------------------------------------------------------------------------------------


async def test_what_comes_at_once_shares_a_transaction(store: Store) -> None:
    statements: list[str] = []
    store.read(lambda database: database.set_trace_callback(statements.append))
    saying = [store.do(partial(stored.say, draft=draft(number)), durable=True) for number in range(1000)]
    done = await asyncio.gather(*saying)

    assert [(one.message.n, one.message.msg, one.new) for one in done] == [(n + 1, n, True) for n in range(1000)]
    assert [one.message.id for one in done] == sorted(one.message.id for one in done)
    assert [message.n for message in await page(store)] == list(range(1, 1001))
    assert statements.count("COMMIT") < 20


async def test_work_that_fails_costs_the_others_nothing(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    def fault(database: sqlite3.Connection) -> None:
        stored.say(database, draft(666))
        raise ValueError("a bug")

    async def say(number: int) -> stored.Said:
        return await store.do(partial(stored.say, draft=draft(number)))

    jobs = [store.do(fault) if number % 10 == 5 else say(number) for number in range(100)]
    done = await asyncio.gather(*jobs, return_exceptions=True)

    assert [type(one) for one in done[5::10]] == [InternalError] * 10
    kept = await page(store)
    assert [message.n for message in kept] == list(range(1, 91))
    assert [message.msg for message in kept] == [number for number in range(100) if number % 10 != 5]
    assert {record.message for record in caplog.records} == {"The store failed."}


async def test_retries_in_one_transaction_add_one_message(store: Store) -> None:
    saying = [store.do(partial(stored.say, draft=draft(number, client_id="same"))) for number in range(50)]
    done = await asyncio.gather(*saying)
    assert [one.new for one in done] == [True] + [False] * 49
    assert {one.message.id for one in done} == {done[0].message.id}
    assert [message.msg for message in await page(store)] == [0]


async def test_an_asker_who_leaves_does_not_stop_the_writing(store: Store) -> None:
    saying = [store.do(partial(stored.say, draft=draft(number))) for number in range(10)]
    for future in saying[::2]:
        future.cancel()
    await asyncio.gather(*saying, return_exceptions=True)
    assert [message.msg for message in await page(store)] == list(range(10))


async def test_after_the_close_nothing_is_stored(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.open()
    pending = [store.do(partial(stored.say, draft=draft(number))) for number in range(100)]
    store.close()
    with pytest.raises(NotStored):
        await store.do(partial(stored.say, draft=draft(5)))
    assert [(await one).message.n for one in pending] == list(range(1, 101))  # what was handed over before, is


# --- retention ----------------------------------------------------------------------------------------------


async def test_old_messages_are_forgotten_and_numbers_go_on(store: Store) -> None:
    pair = Thread.between("Ada", "Bob")
    for number in range(250):
        store.do(partial(stored.say, draft=draft(number)))
    for number in range(50):
        store.do(partial(stored.say, draft=draft(number, pair)))
    forgotten = 0
    while some := await store.prune():
        forgotten += some
    assert forgotten == 150
    assert [message.n for message in await page(store)] == list(range(151, 251))
    assert len(await page(store, pair)) == 50
    newest = await store.do(partial(stored.messages, thread=LOBBY, before=152, after=None, limit=5))
    assert ([message.n for message in newest[0]], newest[1]) == ([151], False)
    assert (await store.do(partial(stored.say, draft=draft(0)))).message.n == 251
    assert (await store.do(stored.rooms))["lobby"].n == 251
    [thread] = [one for one in await store.do(partial(stored.threads, person="Cleo")) if one.room]
    assert (thread.n, thread.unread) == (251, 101)  # what is not kept cannot be read


async def test_beyond_the_bytes_the_oldest_of_all_threads_are_forgotten(tmp_path: Path) -> None:
    # given as many bytes as fit, in a room and between two, each message with 1,202 of them
    store = Store(tmp_path, Retention(message_bytes=20 * 1202))
    store.open()
    pair = Thread.between("Ada", "Bob")
    for number in range(20):
        text = f"{number:04}" + "x" * 996
        await store.do(partial(stored.say, draft=draft(number, pair if number % 2 else LOBBY)._replace(msg=text)))
    assert await store.prune() == 0
    # when one grows and others become small, then so many may be kept
    await store.do(partial(stored.edit, wanted=stored.Edit(LOBBY, 10, None, "y" * 3000, False, 1.0)))
    assert await store.prune() == 2
    assert [message.n for message in await page(store)] == list(range(2, 11))
    assert [message.n for message in await page(store, pair)] == list(range(2, 11))
    await store.do(partial(stored.edit, wanted=stored.Edit(LOBBY, 10, None, None, True, 1.0)))
    await store.do(partial(stored.say, draft=draft(20)._replace(msg="z" * 1000)))
    assert await store.prune() == 0
    # then a file that is opened again has counted the same
    store.close()
    store = Store(tmp_path, Retention(message_bytes=2000))
    store.open()
    assert await store.prune() == 18
    assert [message.n for message in await page(store)] == [11]
    assert await page(store, pair) == []
    [thread] = [one for one in await store.do(partial(stored.threads, person="Bob")) if one.other]
    assert (thread.n, thread.unread, thread.last) == (10, 0, None)
    store.close()


async def test_a_long_log_is_forgotten_a_part_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # given two runs that have ended, of which one is kept, with logs of 25 rows
    monkeypatch.setattr(database, "PRUNE_ROWS", 10)
    store = Store(tmp_path, Retention(runs=1, lines=1000))
    store.open()
    by = Actor(name="Ada", via="rest")
    for at, id in enumerate(("old", "new")):
        run = Run(id=id, name=id, kind="process", state="ended", started_at=at, ended_at=at, by=by, producer=False)
        await store.do(partial(stored_runs.keep, run=run))
        for first in range(0, 2500, 100):
            await store.do(partial(stored_runs.add_lines, run=id, first=first, lines=[{"msg": "x"}] * 100))
    # when the old ones are forgotten, then never many rows at once
    gone = []
    while some := await store.prune():
        gone.append(some)
    assert max(gone) == 10
    assert sum(gone) == 25 + 1 + 15  # the old run and its log; of the new one, what 1000 lines follow
    # and what is kept is the end
    assert await store.do(partial(stored_runs.one, run="old")) == (None, None)
    assert (await store.do(partial(stored_runs.lines, run="new", since=0, limit=1))).since == 1500
    store.close()


async def test_what_waits_is_told_by_its_ids(store: Store) -> None:
    pair = Thread.between("Ada", "Bob")
    for number in range(5):
        await store.do(partial(stored.say, draft=draft(number, pair)))
    await store.do(partial(stored.say, draft=draft(9)))
    ids, newest = await store.do(partial(stored.waiting, person="Bob"))
    assert [message.msg for message in await store.do(partial(stored.by_id, ids=ids))] == [0, 1, 2, 3, 4]
    assert newest == ids[-1] + 1
    assert (await store.do(partial(stored.waiting, person="Ada"))).ids == []
    await store.do(partial(stored.mark, thread=pair, person="Bob", marks=Marks(delivered=3)))
    assert (await store.do(partial(stored.waiting, person="Bob"))).ids == ids[3:]
    assert await store.do(partial(stored.received, person="Bob", after=ids[0])) == ids[1:]
    assert await store.do(partial(stored.received, person="Bob", after=newest)) == []
    assert await store.do(partial(stored.by_id, ids=[])) == []


# --- through restarts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_what_was_said_is_there_after_a_restart(start_panel: StartPanel, how: signal.Signals) -> None:
    panel = start_panel()
    async with person(panel, "live", "Ada") as ada, person(panel, "panel", "Bob") as bob:
        for number in range(5):
            await ada.ask("say", room="lobby", msg=number, client_id=f"c{number}")
        await ada.ask("join_room", room="garden")
        first = await ada.ask("say", room="garden", msg={"ü": [None]}, client_id="g")
        await ada.ask("say", to="Bob", msg="psst")
        await bob.ask("mark", room="lobby", read=3)
        threads = (await bob.ask("get_threads"))["threads"]
        pid = panel.process.pid
        os.kill(pid, how)
    await asyncio.to_thread(eventually, lambda: panel.returncode is not None)
    await asyncio.to_thread(panel.start)
    async with person(panel, "live", "Ada") as ada:
        state = ada.opening["state"]
        assert state["storage"] == {"kept": True, "reason": None}
        assert {name: room["n"] for name, room in state["rooms"].items()} == {"lobby": 5, "garden": 1}
        assert await history(ada, room="lobby") == [(number + 1, number) for number in range(5)]
        # a retry of before finds its message, and the numbers go on
        again = await ada.ask("say", room="garden", msg={"ü": [None]}, client_id="g")
        assert again["message"] == first["message"]
        assert (await ada.ask("say", room="lobby", msg="on"))["message"]["n"] == 6
        # who was here is known, though away
        assert (await ada.ask("say", to="Bob", msg="again"))["message"]["n"] == 2
        assert_refused(await ada.ask("say", to="Cleo", msg="hi"), "unknown-person")
        async with person(panel, "panel", "Bob") as bob:
            now = {(one["room"], one["with"]): one for one in (await bob.ask("get_threads"))["threads"]}
            before = {(one["room"], one["with"]): one for one in threads}
            assert now[None, "Ada"]["n"] == 2
            assert now["lobby", None]["read"] == before["lobby", None]["read"] == 3
            assert now["garden", None] == before["garden", None]


async def test_a_file_of_version_1_is_brought_up_to_date(tmp_path: Path, start_panel: StartPanel) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with contextlib.closing(sqlite3.connect(data / "pilotlight.db")) as database, database:
        database.executescript(MIGRATIONS[0])
        database.execute("INSERT INTO lights VALUES ('led', ?)", (LightSettings(level=37, on=True).model_dump_json(),))
        database.execute("PRAGMA user_version = 1")
    panel = start_panel(data=data)
    assert panel.level() == 37
    async with person(panel, "live", "Ada") as ada:
        assert (await ada.ask("say", room="lobby", msg="hi"))["message"]["n"] == 1
    await asyncio.to_thread(panel.restart)
    assert panel.level() == 37
    async with person(panel, "live", "Ada") as ada:
        assert await history(ada, room="lobby") == [(1, "hi")]
    with contextlib.closing(sqlite3.connect(data / "pilotlight.db")) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    assert errors(panel) == []
