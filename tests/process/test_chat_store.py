"""What was said outlives the process: group commit, migrations, retention, and files that cannot be used."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from asgi_app.errors import InternalError, NotStored
from asgi_app.models import Actor, ChatMessage, Look, Marks, Run, Thread
from asgi_app.store import SCHEMA_VERSION, Retention, Store, database
from asgi_app.store import chat as stored
from asgi_app.store import runs as stored_runs
from asgi_app.store.schema import MIGRATIONS
from tests.support.chat_people import Person, old, person, said
from tests.support.native_command_tables import assert_refused
from tests.support.panel_process import RunningPanel, eventually

StartPanel = Callable[..., RunningPanel]

LOBBY = Thread(room="lobby")
UNLIMITED = (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY)


def draft(number: int, thread: Thread = LOBBY, sender: str = "Ada", client_id: str | None = None) -> stored.Draft:
    return stored.Draft(thread, sender, thread.other(sender), number, 1000.0 + number, client_id)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(tmp_path, Retention(messages=100))
    store.open()
    yield store
    store.close()


async def page(
    store: Store, thread: Thread = LOBBY, *, after: int | None = 0, limit: int = 10_000
) -> list[ChatMessage]:
    found, _ = await store.do(partial(stored.messages, thread=thread, before=None, after=after, limit=limit))
    return found


@contextlib.contextmanager
def full_disk(panel: RunningPanel) -> Iterator[None]:
    """No file of the panel's can grow, nor be written past its first byte."""
    panel.process.rlimit(psutil.RLIMIT_FSIZE, (1, psutil.RLIM_INFINITY))
    try:
        yield
    finally:
        panel.process.rlimit(psutil.RLIMIT_FSIZE, UNLIMITED)


def errors(panel: RunningPanel) -> list[str]:
    return [line for line in panel.output if " ERROR " in line]


async def history(one: Person, **where: Any) -> list[tuple[int, Any]]:
    found = (await one.ask("get_messages", **where, after=0, limit=200))["messages"]
    return [(message["n"], message["msg"]) for message in found]


# --- group commit ------------------------------------------------------------------------------------------


async def test_what_comes_at_once_shares_a_transaction(store: Store) -> None:
    statements: list[str] = []
    store.read(lambda database: database.set_trace_callback(statements.append))
    saying = [store.do(partial(stored.say, draft=draft(number)), durable=True) for number in range(1000)]
    done = await asyncio.gather(*saying)

    assert [(one.message.n, one.message.msg, one.new) for one in done] == [(n + 1, n, True) for n in range(1000)]
    assert [one.message.id for one in done] == sorted(one.message.id for one in done)
    assert [message.n for message in await page(store)] == list(range(1, 1001))
    assert statements.count("COMMIT") < 20


async def test_a_durable_write_is_synchronous_and_another_is_not(store: Store) -> None:
    for durable, level in ((True, 2), (False, 1), (True, 2)):
        [[found]] = await store.do(lambda db: db.execute("PRAGMA synchronous").fetchall(), durable=durable)
        assert found == level  # FULL is 2, NORMAL 1: sqlite.org/pragma.html


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
    assert {record.message for record in caplog.records} == {"the store made a mistake"}


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


# --- retention ---------------------------------------------------------------------------------------------


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
    assert (thread.n, thread.unread) == (251, 251)


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
    assert await store.do(partial(stored_runs.one, run="old")) is None
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


# --- through restarts --------------------------------------------------------------------------------------


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
        database.execute("INSERT INTO lights VALUES ('led', ?)", (Look(level=37, on=True).model_dump_json(),))
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


# --- files that cannot be used -----------------------------------------------------------------------------


def filled(file: Path) -> None:
    """A file of this version with something in it."""
    store = Store(file.parent)
    store.open()

    async def fill() -> None:
        for number in range(200):
            await store.try_to(partial(stored.meet, person=f"person {number} of a long name"))
            await store.do(partial(stored.say, draft=draft(number)))

    asyncio.run(fill())
    store.close()


def spoil_table(name: str) -> Callable[[Path], None]:
    """A file with nonsense where a table begins."""

    def spoil(file: Path) -> None:
        filled(file)
        with contextlib.closing(sqlite3.connect(file)) as database:
            ((page,),) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchall()
            ((size,),) = database.execute("PRAGMA page_size").fetchall()
        with file.open("r+b") as opened:
            opened.seek((page - 1) * size)
            opened.write(b"\xde\xad" * (size // 2))

    return spoil


def no_database(file: Path) -> None:
    file.write_bytes(b"this is no database, it only looks like a file" * 100)


def cut_short(file: Path) -> None:
    filled(file)
    os.truncate(file, 5000)


def newer(file: Path) -> None:
    filled(file)
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")


SPOILED = {
    "no database": no_database,
    "cut short": cut_short,
    "of a newer panel": newer,
    "people damaged": spoil_table("people"),
    "threads damaged": spoil_table("threads"),
    "lights damaged": spoil_table("lights"),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_with_a_file_that_cannot_be_used_chat_works_and_is_forgotten(
    tmp_path: Path, start_panel: StartPanel, spoil: Callable[[Path], None]
) -> None:
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "pilotlight.db"
    spoil(file)
    before = file.read_bytes()
    panel = start_panel(data=tmp_path / "data")

    async def chat() -> None:
        async with person(panel, "live", "Ada") as ada, old(panel, "Bob") as bob:
            storage = ada.opening["state"]["storage"]
            assert storage["kept"] is False
            assert "pilotlight.db" in storage["reason"]
            assert (await ada.ask("say", room="lobby", msg="hi"))["message"]["n"] == 1
            assert (await ada.ask("say", to="Bob", msg="psst"))["ok"]
            assert [frame["msg"] for frame in await bob.arrived()] == ["hi", "psst"]
            assert await history(ada, room="lobby") == [(1, "hi")]
            assert (await ada.ask("set_light", light="led", level=5))["ok"]

    asyncio.run(chat())
    assert len(errors(panel)) == 1, panel.log()
    assert "Traceback" not in panel.log()
    assert panel.stop() < 3
    assert file.read_bytes() == before  # nothing that could be rescued is written over


async def test_messages_that_are_damaged_are_refused_and_the_light_works(
    tmp_path: Path, start_panel: StartPanel
) -> None:
    (tmp_path / "data").mkdir()
    await asyncio.to_thread(spoil_table("messages"), tmp_path / "data" / "pilotlight.db")
    panel = start_panel(data=tmp_path / "data")
    async with person(panel, "live", "Ada") as ada, old(panel, "Bob") as bob:
        for _ in range(3):
            reply = await ada.ask("say", room="lobby", msg="hi")
            assert reply["problem"]["type"] == "urn:pilotlight:problem:not-stored"
            assert (await ada.ask("get_messages", room="lobby"))["problem"]["status"] == 507
            assert (await ada.ask("set_light", light="led", level=5))["ok"]
        await bob.say("hi")
        [refusal] = await bob.arrived()
        assert refusal["error"]["status"] == 507
    assert "Traceback" not in panel.log()


# --- a full disk -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wire", ["live", "panel"])
async def test_on_a_full_disk_nothing_is_said_and_the_light_works(start_panel: StartPanel, wire: str) -> None:
    panel = start_panel()
    async with person(panel, wire, "Ada") as ada, person(panel, wire, "Bob") as bob, old(panel, "Olaf") as olaf:
        for one in (ada, bob):
            await one.ask("join_room", room="lobby")
        assert (await ada.ask("say", room="lobby", msg="before"))["message"]["n"] == 1
        assert len(await olaf.arrived()) == 1
        await bob.events()

        # when the disk is full
        with full_disk(panel):
            for number in range(5):
                reply = await ada.ask("say", room="lobby", msg="lost", client_id=f"c{number}")
                assert reply["ok"] is False
                assert reply["problem"]["type"] == "urn:pilotlight:problem:not-stored"
                assert reply["problem"]["status"] == 507
                # what only reads goes on, and so does the light
                assert await history(ada, room="lobby") == [(1, "before")]
                assert (await ada.ask("get_threads"))["ok"]
                assert (await ada.ask("set_light", light="led", level=number))["light"]["level"] == number
            answer = await asyncio.to_thread(
                panel.post, "/chat/rooms/lobby/messages?name=Cleo", json={"msg": "lost too"}
            )
            assert (answer.status_code, answer.json()["type"]) == (507, "urn:pilotlight:problem:not-stored")
            await olaf.say("lost as well")
            [refusal] = await olaf.arrived()
            assert refusal["error"]["type"] == "urn:pilotlight:problem:not-stored"
            # somebody new can come, and is known
            async with person(panel, wire, "Dora") as dora:
                assert "Dora" in dora.opening["state"]["people"]

        # then nobody saw any of it, the log said so once, and afterwards all is well: without a hole
        events = await bob.events()
        assert said(events) == []
        assert len(errors(panel)) == 1, panel.log()
        assert len(errors(panel)) == 1
        retry = await ada.ask("say", room="lobby", msg="kept", client_id="c0")
        assert retry["message"]["n"] == 2
        await olaf.say("and on")
        await olaf.through()
        assert [(m["n"], m["msg"]) for m in said(await bob.events())] == [(2, "kept"), (3, "and on")]
        assert [frame["msg"] for frame in await olaf.arrived()] == ["kept"]
        assert (await ada.ask("say", to="Dora", msg="hi"))["ok"]

        # and a disk that is full once more is said once more
        with full_disk(panel):
            assert (await ada.ask("say", room="lobby", msg="lost"))["problem"]["status"] == 507
            assert (await ada.ask("set_light", light="led", level=77))["ok"]
        assert len(errors(panel)) == 2
    await asyncio.to_thread(panel.restart)
    assert panel.level() == 77  # what was set meanwhile is remembered as soon as there is room
    async with person(panel, wire, "Ada") as ada:
        assert await history(ada, room="lobby") == [(1, "before"), (2, "kept"), (3, "and on")]
        assert (await ada.ask("say", to="Cleo", msg="hi"))["problem"]["type"].endswith("unknown-person")
        assert (await ada.ask("say", to="Dora", msg="hi"))["message"]["n"] == 2
    assert "Traceback" not in panel.log()


async def test_on_a_full_disk_what_waits_is_delivered_and_the_connection_stays(start_panel: StartPanel) -> None:
    panel = start_panel()
    async with old(panel, "Bob"):
        pass
    async with old(panel, "Ada") as ada:
        for number in range(3):
            await ada.tell("Bob", number)
        await ada.through()
        with full_disk(panel):
            for _ in range(2):  # that it was delivered cannot be remembered
                async with old(panel, "Bob") as bob:
                    assert [frame["msg"] for frame in await bob.arrived()] == [0, 1, 2]
                    await bob.say("?")
                    assert [frame["error"]["status"] for frame in await bob.arrived()] == [507]
        async with old(panel, "Bob") as bob:
            assert [frame["msg"] for frame in await bob.arrived()] == [0, 1, 2]
        async with old(panel, "Bob") as bob:
            assert await bob.arrived() == []
    assert len(errors(panel)) == 1
    assert "Traceback" not in panel.log()


async def test_many_at_once_on_a_full_disk_leave_no_hole(start_panel: StartPanel) -> None:
    panel = start_panel(chat_rate=1000)
    stored_: list[int] = []

    def more(than: int) -> bool:
        return len(stored_) > than + 20 or talking.done()

    def complained(than: int) -> bool:
        return len(errors(panel)) > than or talking.done()

    async with contextlib.AsyncExitStack() as stack:
        people = [await stack.enter_async_context(person(panel, "live", f"Ada {n}")) for n in range(10)]

        async def talk(one: Person) -> None:
            for number in range(60):
                reply = await one.ask("say", room="lobby", msg=number)
                assert reply["ok"] or reply["problem"]["status"] == 507
                if reply["ok"]:
                    stored_.append(reply["message"]["n"])

        talking = asyncio.gather(*(talk(one) for one in people))
        for _ in range(4):
            await asyncio.to_thread(eventually, partial(more, len(stored_)), 20)
            with full_disk(panel):
                await asyncio.to_thread(eventually, partial(complained, len(errors(panel))), 20)
        await talking
        await asyncio.gather(*(one.events() for one in people))  # a client that has read everything closes at once
        assert sorted(stored_) == list(range(1, len(stored_) + 1))
        rooms = (await people[0].ask("get_state"))["snapshot"]["state"]["rooms"]
        assert rooms["lobby"]["n"] == len(stored_)
    assert errors(panel)
