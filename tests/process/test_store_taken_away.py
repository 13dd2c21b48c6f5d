"""The file is deleted, moved or replaced under a running panel: it notices, loses nothing, and goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asgi_app.errors import NotStored
from asgi_app.models.chat import Thread
from asgi_app.models.history import RememberedLight
from asgi_app.store import Store
from asgi_app.store import chat as stored
from tests.support.chat_people import person, said
from tests.support.database_file import NAME, query, stored_level, stored_messages
from tests.support.panel_process import RunningPanel, eventually

NOT_STORED = "urn:pilotlight:problem:not-stored"


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """One panel for the whole table: it must go on after each case."""
    with RunningPanel(tmp_path_factory.mktemp("taken") / "data", command_rate=1e6) as running:
        yield running


def complaints(panel: RunningPanel) -> list[str]:
    """The errors in its log that are the store's."""
    return [line for line in panel.complaints() if "pilotlight.access" not in line]


def trouble(panel: RunningPanel) -> str | None:
    """What `/health/ready` says of the store; with the directory, the secrets are gone too."""
    said: str | None = panel.get("/health/ready").json()["not_ready"].get("store")
    return said


def everything_deleted(data: Path) -> None:
    for path in data.glob(f"{NAME}*"):
        path.unlink()


def database_deleted(data: Path) -> None:
    (data / NAME).unlink()


def log_deleted(data: Path) -> None:
    (data / f"{NAME}-wal").unlink()


def index_deleted(data: Path) -> None:
    (data / f"{NAME}-shm").unlink()


def file_moved(data: Path) -> None:
    (data / NAME).rename(data / "moved.db")


def directory_moved(data: Path) -> None:
    data.rename(data.with_name("moved"))


def directory_deleted(data: Path) -> None:
    gone = data.rename(data.with_name("deleted"))  # or the panel would find it half empty, and write into it
    shutil.rmtree(gone)


TAKEN = [
    everything_deleted,
    database_deleted,
    log_deleted,
    index_deleted,
    file_moved,
    directory_moved,
    directory_deleted,
]


@pytest.mark.parametrize("take", TAKEN)
@pytest.mark.parametrize("then", ["something is said", "nobody asks"])
async def test_what_was_acknowledged_is_in_the_file_at_the_path(
    panel: RunningPanel, take: Callable[[Path], None], then: str
) -> None:
    file = panel.data / NAME
    shutil.rmtree(panel.data.with_name("moved"), ignore_errors=True)
    async with person(panel, "live", "Ada") as ada, person(panel, "panel", "Bob") as bob:
        await bob.ask("join_room", room="lobby")
        first = await ada.ask("say", room="lobby", msg=f"before {take.__name__}, {then}")
        assert panel.post("/led", json={"level": 31}).status_code == 200
        noticed = panel.log().count("made again")
        # when it is taken away
        take(panel.data)
        if then == "something is said":
            assert (await ada.ask("say", room="lobby", msg="after"))["ok"]
            assert panel.post("/led", json={"level": 32}).status_code == 200
        # then the panel says so in its log, and goes on with a file that has everything
        await asyncio.to_thread(eventually, lambda: panel.log().count("made again") > noticed)
        last = await ada.ask("say", room="lobby", msg="last")
        assert last["message"]["n"] == first["message"]["n"] + (2 if then == "something is said" else 1)
        assert [one["n"] for one in said(await bob.events())][-1] == last["message"]["n"]
        ends = stored_messages(file)[-3:] if then == "something is said" else [*stored_messages(file)[-2:]]
        assert ends == [f"before {take.__name__}, {then}", *(["after"] if then == "something is said" else []), "last"]
        assert trouble(panel) is None
        level = 32 if then == "something is said" else 31
        await asyncio.to_thread(eventually, lambda: stored_level(file) == level)
    assert query(file, "PRAGMA integrity_check") == [("ok",)]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert complaints(panel) == []


async def test_it_is_all_there_after_a_kill(panel: RunningPanel) -> None:
    everything_deleted(panel.data)
    async with person(panel, "live", "Ada") as ada:
        assert (await ada.ask("say", room="lobby", msg="after the file was deleted"))["ok"]
        before = stored_messages(panel.data / NAME)
        panel.process.send_signal(signal.SIGKILL)
    await asyncio.to_thread(eventually, lambda: panel.returncode is not None)
    await asyncio.to_thread(panel.start)
    assert before[-1] == "after the file was deleted"
    assert stored_messages(panel.data / NAME) == before
    assert query(panel.data / NAME, "PRAGMA integrity_check") == [("ok",)]


async def test_where_no_file_can_be_made_it_is_refused_until_one_can(panel: RunningPanel) -> None:
    data = panel.data
    async with person(panel, "live", "Ada") as ada, person(panel, "panel", "Bob") as bob:
        assert (await ada.ask("say", room="lobby", msg="kept"))["ok"]
        # when the directory is gone and nothing can be in its place
        data.rename(data.with_name("away"))
        data.write_text("this is no directory")
        for _ in range(2):
            assert (await ada.ask("say", room="lobby", msg="lost"))["problem"]["type"] == NOT_STORED
        # then it is said everywhere, what reads and the light go on
        assert "taken away" in (trouble(panel) or "")
        [told] = [one for one in await bob.events() if one["event"] == "storage_changed"]
        assert told["state"]["kept"] is False
        assert str(data) not in told["state"]["reason"]
        assert (await ada.ask("get_messages", room="lobby"))["messages"][-1]["msg"] == "kept"
        assert panel.post("/led", json={"level": 64}).status_code == 200
        assert len(complaints(panel)) == 1
        # and when a directory can be made, everything is there, without what was refused
        data.unlink()
        await asyncio.to_thread(eventually, lambda: trouble(panel) is None)
        [told] = [one for one in await bob.events() if one["event"] == "storage_changed"]
        assert told["state"] == {"kept": True, "reason": None}
        assert stored_messages(data / NAME)[-1] == "kept"
        assert stored_level(data / NAME) == 64
        assert (await ada.ask("say", room="lobby", msg="on"))["ok"]
    shutil.rmtree(data.with_name("away"))


async def test_a_file_in_its_place_is_taken_over_and_numbers_go_on(panel: RunningPanel, tmp_path: Path) -> None:
    # given a file of another panel: an older lobby, a room of its own, another level
    other = Store(tmp_path / "other")
    other.open()
    for room, msg in (("lobby", "old"), ("attic", "dust")):
        draft = stored.Draft(Thread(room=room), "Zoe", None, msg, 1.0, None)
        await other.do(lambda db, draft=draft: stored.say(db, draft))
    other.save("led", RememberedLight(level=3, on=True))
    await asyncio.to_thread(other.close)
    run = panel.post("/runs", json={"name": "build"}).json()["id"]
    async with person(panel, "live", "Ada") as ada:
        await ada.ask("join_room", room="lobby")
        n = (await ada.ask("say", room="lobby", msg="mine"))["message"]["n"]
        private = (await ada.ask("say", to="Ada", msg="note"))["message"]["n"]
        assert panel.post("/led", json={"level": 88}).status_code == 200
        # when it is put in the place of the panel's
        os.replace(tmp_path / "other" / NAME, panel.data / NAME)
        await asyncio.to_thread(eventually, lambda: "replaced by another file" in panel.log())
        await asyncio.to_thread(eventually, lambda: "attic" in panel.get("/chat/rooms").text)
        # then numbers go on, for rooms and people, and the light stays
        assert (await ada.ask("say", room="lobby", msg="on"))["message"]["n"] == n + 1
        assert (await ada.ask("say", to="Ada", msg="on"))["message"]["n"] == private + 1
        assert (await ada.ask("say", to="Zoe", msg="hello"))["ok"]  # whom that file knows
        assert panel.level() == 88
        await asyncio.to_thread(eventually, lambda: stored_level(panel.data / NAME) == 88)
        assert panel.post(f"/runs/{run}/log", json={"lines": ["a line"]}).status_code == 200
    assert stored_messages(panel.data / NAME) == ["old", "dust", "on", "on", "hello"]
    assert query(panel.data / NAME, f"SELECT id FROM runs WHERE id = '{run}'") == [(run,)]
    assert query(panel.data / NAME, "PRAGMA integrity_check") == [("ok",)]


async def test_a_damaged_file_in_its_place_is_refused_and_left_alone(panel: RunningPanel) -> None:
    file = panel.data / NAME
    async with person(panel, "live", "Ada") as ada:
        new = file.with_name("damaged")
        new.write_bytes(b"this is no database, it only looks like a file" * 100)
        os.replace(new, file)
        assert (await ada.ask("say", room="lobby", msg="lost"))["problem"]["type"] == NOT_STORED
        assert file.read_bytes().startswith(b"this is no database")
        assert panel.post("/led", json={"level": 12}).status_code == 200
        file.unlink()  # then what was open is put back
        await asyncio.to_thread(eventually, lambda: trouble(panel) is None)
        assert (await ada.ask("say", room="lobby", msg="on"))["ok"]


async def test_a_file_that_was_emptied_is_begun_anew_where_nothing_is_left(panel: RunningPanel) -> None:
    file = panel.data / NAME
    await asyncio.to_thread(panel.restart)  # what is in the log is worked into the file
    async with person(panel, "live", "Ada") as ada:
        n = (await ada.ask("say", room="lobby", msg="before"))["message"]["n"]
        os.truncate(file, 0)
        replies = [await ada.ask("say", room="lobby", msg=f"after {number}") for number in range(3)]
        # then what was acknowledged is in the file, and no number is there twice
        kept = [reply["message"]["msg"] for reply in replies if reply["ok"]]
        assert kept[-2:] == ["after 1", "after 2"]
        assert stored_messages(file)[-len(kept) :] == kept
        assert replies[-1]["message"]["n"] > n
        assert trouble(panel) is None
    assert query(file, "PRAGMA integrity_check") == [("ok",)]


async def test_what_is_left_of_a_file_is_not_written_over(panel: RunningPanel) -> None:
    file = panel.data / NAME
    async with person(panel, "live", "Ada") as ada:
        for _ in range(30):  # more than SQLite has in its cache
            assert (await ada.ask("say", room="lobby", msg="x" * 20_000))["ok"]
    await asyncio.to_thread(panel.restart)
    async with person(panel, "live", "Ada") as ada:
        os.truncate(file, 8192)
        assert (await ada.ask("say", room="lobby", msg="lost"))["problem"]["type"] == NOT_STORED
        assert "taken away" in (trouble(panel) or "")
        assert file.stat().st_size == 8192
        file.unlink()
        await asyncio.to_thread(eventually, lambda: trouble(panel) is None)
        assert (await ada.ask("say", room="lobby", msg="on"))["ok"]


async def test_a_file_that_is_taken_away_again_while_it_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    store.open()

    async def say(msg: str) -> None:
        draft = stored.Draft(Thread(room="lobby"), "Ada", None, msg, 1.0, None)
        await store.do(lambda db: stored.say(db, draft), durable=True)

    await say("before")
    times = iter(range(9))
    rename = os.rename

    def taken_again(source: Path, target: Path) -> None:
        rename(source, target)
        if next(times) < 2:
            target.unlink()

    monkeypatch.setattr(os, "rename", taken_again)
    everything_deleted(tmp_path)
    for _ in range(2):  # it is refused, rather than written to a file that nobody finds, or to an empty one
        with pytest.raises(NotStored):
            await say("refused")
    await say("after")
    assert stored_messages(tmp_path / NAME) == ["before", "after"]
    await asyncio.to_thread(store.close)
    assert stored_messages(tmp_path / NAME) == ["before", "after"]


# --- nobody else can read it ---------------------------------------------------------------------------------


def test_the_files_are_their_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = Store(tmp_path / "data")
        store.open()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert modes == {NAME: 0o600, f"{NAME}-wal": 0o600, f"{NAME}-shm": 0o600}
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_a_file_of_an_older_version_is_made_private_and_the_directory_left_alone(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / NAME)) as older:
        older.execute("PRAGMA journal_mode = WAL")
        older.execute("CREATE TABLE people (name TEXT)").connection.rollback()
    os.chmod(tmp_path / NAME, 0o644)
    (tmp_path / f"{NAME}-wal").touch(0o644)
    os.chmod(tmp_path, 0o755)
    store = Store(tmp_path)
    with contextlib.suppress(Exception):
        store.open()
    store.close()
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
