"""Unusable databases, and a full disk: messages are refused, not lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from asgi_app.store import SCHEMA_VERSION, Store
from asgi_app.store import chat as stored
from tests.support.chat_people import Person, old, person, said
from tests.support.panel_process import END_SECONDS, RunningPanel, eventually
from tests.support.stored_messages import StartPanel, draft, errors, history

UNLIMITED = (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY)


@contextlib.contextmanager
def full_disk(panel: RunningPanel) -> Iterator[None]:
    """No file of the panel's can grow, nor be written past its first byte."""
    panel.process.rlimit(psutil.RLIMIT_FSIZE, (1, psutil.RLIM_INFINITY))
    try:
        yield
    finally:
        panel.process.rlimit(psutil.RLIMIT_FSIZE, UNLIMITED)


# --- files that cannot be used ------------------------------------------------------------------------------


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
    assert panel.stop() < END_SECONDS
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


# --- a full disk --------------------------------------------------------------------------------------------


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
                assert (await ada.ask("set_light", light="led", level=number))["light"]["target"] == number
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
