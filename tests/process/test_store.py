"""What outlives the process: how the lights were set, through restarts, kills and places that cannot be used."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest

from asgi_app.errors import SetupError
from asgi_app.models.base import Actor
from asgi_app.models.history import Moment, RememberedLight
from asgi_app.store import SCHEMA_VERSION, Store, history
from asgi_app.store.schema import MIGRATIONS
from tests.support.database_file import NAME, query, stored_level, stored_look
from tests.support.panel_process import END_SECONDS, NO_TLS, RunningPanel, eventually

LED = RememberedLight(level=30, on=True, effect="candle")
DESK = RememberedLight(level=70, on=False)


def reopened(directory: Path) -> dict[str, RememberedLight]:
    """What a store that is opened there now knows."""
    store = Store(directory)
    try:
        return store.open()
    finally:
        store.close()


async def saved(store: Store, light: str, settings: RememberedLight) -> None:
    """Save it, and wait until the store has tried."""
    store.save(light, settings)
    await store.try_to(lambda database: None)


def test_a_new_place_is_made_and_knows_nothing(tmp_path: Path) -> None:
    assert reopened(tmp_path / "some" / "where") == {}
    assert (tmp_path / "some" / "where" / "pilotlight.db").is_file()


async def test_what_was_saved_is_there_after_a_reopen(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.open()
    store.save("led", LED)
    store.save("desk", DESK)
    store.close()
    store.close()
    assert reopened(tmp_path) == {"led": LED, "desk": DESK}
    assert reopened(tmp_path) == {"led": LED, "desk": DESK}


async def test_the_newest_look_wins(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.open()
    for level in range(1000):
        store.save("led", RememberedLight(level=level % 101, on=True))
    store.save("led", DESK)
    store.close()
    assert reopened(tmp_path) == {"led": DESK}


async def test_a_busy_file_gets_every_change_later(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.open()
    with sqlite3.connect(tmp_path / NAME) as other:
        other.execute("BEGIN IMMEDIATE")
        for level in range(1000):
            moment = Moment(at=level, began=level, level=level % 101, by=Actor(name="Ann", via="live"))
            store.save("led", RememberedLight(level=level % 101, on=True, moments=(moment,)))
        other.execute("ROLLBACK")
    other.close()
    await store.try_to(lambda database: None)
    found = await store.do(partial(history.since, light="led", begin=0, end=1000))
    assert [moment.at for moment in found][-history.RECENT :] == list(range(1000 - history.RECENT, 1000))
    store.close()


async def test_a_save_is_done_once_it_is_in_the_file(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.open()
    try:
        await saved(store, "led", LED)
        assert reopened(tmp_path) == {"led": LED}
    finally:
        store.close()


async def test_a_store_without_a_place_remembers_nothing() -> None:
    store = Store(None)
    assert store.open() == {}
    await saved(store, "led", LED)
    store.close()


async def test_a_write_that_fails_is_said_once_and_stops_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(tmp_path)
    store.open()
    with sqlite3.connect(tmp_path / "pilotlight.db") as other:
        other.execute("DROP TABLE lights")
    other.close()
    await saved(store, "led", LED)
    await saved(store, "led", DESK)
    store.close()
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "levels are not remembered" in record.message


async def test_what_could_not_be_written_is_written_with_the_next_change(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.open()
    with sqlite3.connect(tmp_path / "pilotlight.db") as other:
        other.execute("ALTER TABLE lights RENAME TO away")
    await saved(store, "led", LED)
    with other:
        other.execute("ALTER TABLE away RENAME TO lights")
    other.close()
    await saved(store, "desk", DESK)
    store.close()
    assert reopened(tmp_path) == {"led": LED, "desk": DESK}


# --- places that cannot be used ----------------------------------------------------------------------------


def corrupt(place: Path) -> None:
    place.mkdir()
    (place / "pilotlight.db").write_bytes(b"this is no database, it only looks like a file" * 100)


def newer(place: Path) -> None:
    place.mkdir()
    with sqlite3.connect(place / "pilotlight.db") as database:
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    database.close()


def a_directory_in_its_place(place: Path) -> None:
    (place / "pilotlight.db").mkdir(parents=True)


def under_a_file(place: Path) -> None:
    place.write_text("")


def another_table(place: Path) -> None:
    place.mkdir()
    with sqlite3.connect(place / "pilotlight.db") as database:
        database.execute("CREATE TABLE lights (brightness)")
    database.close()


def a_row_that_is_no_look(place: Path) -> None:
    place.mkdir()
    with sqlite3.connect(place / "pilotlight.db") as database:
        database.executescript(MIGRATIONS[0])
        database.execute("INSERT INTO lights VALUES ('led', '{\"level\": \"bright\"}')")
    database.close()


PLACES = [corrupt, newer, a_directory_in_its_place, under_a_file, another_table]


@pytest.mark.parametrize("spoil", PLACES)
def test_a_place_that_cannot_be_used(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(tmp_path / "data")
    with pytest.raises(SetupError, match=r"data/pilotlight\.db") as raised:
        reopened(tmp_path / "data")
    assert "\n" not in raised.value.detail


def test_a_place_that_cannot_be_written() -> None:
    with pytest.raises(SetupError, match="pilotlight"):  # root may write where permissions forbid it, but not here
        reopened(Path("/proc/pilotlight"))


@pytest.mark.parametrize("spoil", [corrupt, under_a_file])
def test_the_panel_runs_on_without_its_memory(
    tmp_path: Path, start_panel: Callable[..., RunningPanel], spoil: Callable[[Path], None]
) -> None:
    spoil(tmp_path / "data")
    panel = start_panel(data=tmp_path / "data")
    assert panel.level() == 50
    assert panel.post("/led", json={"level": 33}).json() == {"level": 33}
    assert panel.stop() < END_SECONDS
    errors = [line for line in panel.output if " ERROR " in line]
    assert len(errors) == 1, panel.log()
    assert "pilotlight.db" in errors[0]
    assert "Traceback" not in panel.log()
    assert panel.returncode == 0


def test_a_row_that_makes_no_sense_costs_that_light_its_memory_only(
    tmp_path: Path, start_panel: Callable[..., RunningPanel]
) -> None:
    a_row_that_is_no_look(tmp_path / "data")
    panel = start_panel(data=tmp_path / "data")
    assert panel.level() == 50
    assert "settings of light led are invalid" in panel.log()
    assert panel.post("/led", json={"level": 33}).json() == {"level": 33}
    assert panel.restart().level() == 33


# --- the process is killed ---------------------------------------------------------------------------------


def test_a_change_survives_kill_9_once_it_is_in_the_file(start_panel: Callable[..., RunningPanel]) -> None:
    panel = start_panel()
    with httpx.Client(
        timeout=30, verify=NO_TLS
    ) as client:  # made before, so that nothing is between the answer and the kill
        for level in (41, 7, 93):
            pid = panel.process.pid
            answer = client.post(panel.url + "/led", json={"level": level})
            assert answer.status_code == 200
            eventually(lambda level=level: stored_level(panel.data / NAME) == level)  # nobody asks for that
            os.kill(pid, signal.SIGKILL)
            eventually(lambda: panel.returncode is not None)
            panel.start()
            assert panel.level() == level
    assert panel.patch("/lights/led", {"on": False}).json()["level"] == 93
    eventually(lambda: (stored_look(panel.data / NAME) or {}).get("on") is False)
    panel.kill()
    panel.start()
    assert panel.level() == 0
    assert panel.patch("/lights/led", {"on": True}).json()["level"] == 93


def test_who_and_undo_survive_kill_9(start_panel: Callable[..., RunningPanel]) -> None:
    three = ("led", "desk", "hall")
    lights = [f"[lights.{id}]\npin = {pin}\n" for id, pin in zip(three, (21, 12, 13), strict=True)]
    panel = start_panel(lights="".join(lights) + 'restore = "off"\n')
    panel.patch("/lights/led", {"level": 20})
    panel.patch("/lights/hall", {"level": 40})
    named = {"X-Client-Name": "Ada"}
    httpx.patch(panel.url + "/groups/all", json={"on": False}, headers=named, timeout=30, verify=NO_TLS)
    was = {id: panel.get(f"/lights/{id}").json() for id in three}
    eventually(lambda: all((stored_look(panel.data / NAME, id) or {}).get("on") is False for id in three))
    eventually(lambda: query(panel.data / NAME, "SELECT count(*) FROM deeds") == [(1,)])
    panel.kill()
    panel.start()
    for id in three:
        light = panel.get(f"/lights/{id}").json()
        assert light["by"] == {"name": "Ada", "via": "rest"}
        assert {key: light[key] for key in ("at", "undo")} == {key: was[id][key] for key in ("at", "undo")}
    assert panel.post("/groups/all/undo").json()["on"] is True
    assert {id: panel.get(f"/lights/{id}").json()["target"] for id in three} == {"led": 20, "desk": 50, "hall": 40}
    eventually(lambda: all((stored_look(panel.data / NAME, id) or {}).get("on") is True for id in three))
    panel.kill()
    panel.start()
    hall = panel.get("/lights/hall").json()
    assert (hall["on"], hall["by"]["via"]) == (False, "start")  # by its restore setting
    assert panel.post("/lights/hall/undo").json()["target"] == 40
    assert panel.post("/lights/led/undo").json()["target"] == 0
