"""A database that was cut off in the middle of a write: it opens, it is whole, and it has a beginning of what was said.

What a crash of the process leaves behind is a file whose write-ahead log ends anywhere. So the log of some messages is
cut at its frames' ends and in their middle, and each time the panel's store must open what is left.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from asgi_app.models.chat import Thread
from asgi_app.models.history import RememberedLight
from asgi_app.store import Store
from asgi_app.store import chat as stored

MESSAGES = 120  # few enough for one log: SQLite works it into the file from 1000 pages on
CUTS = 400
NAME = "pilotlight.db"
WAL_HEAD, FRAME_HEAD = 32, 24  # bytes (sqlite.org/fileformat2.html, 4.1)


def torn_files(seed: int) -> dict[str, Any]:
    """Cut it in so many places; what was found."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="pilotlight-torn-") as directory:
        source, torn = Path(directory, "source"), Path(directory, "torn")
        asyncio.run(_write(source))
        log = (source / f"{NAME}-wal").read_bytes()
        page = int.from_bytes(log[8:12])
        frames = range(WAL_HEAD, len(log) + 1, FRAME_HEAD + page)
        cuts = sorted(
            {*chance.sample(list(frames), min(CUTS // 2, len(frames))), *chance.sample(range(len(log)), CUTS // 2)}
        )
        kept, wrong = [], []
        for cut in cuts:
            shutil.rmtree(torn, ignore_errors=True)
            torn.mkdir()
            shutil.copy(source / NAME, torn / NAME)
            (torn / f"{NAME}-wal").write_bytes(log[:cut])
            try:
                kept.append(asyncio.run(_read(torn)))
            except Exception as error:
                wrong.append(f"cut at byte {cut}: {type(error).__name__}: {error}")
        if kept != sorted(kept):
            wrong.append("a longer log has fewer messages")
    return {
        "messages": MESSAGES,
        "cuts": len(cuts),
        "fewest": min(kept, default=0),
        "most": max(kept, default=0),
        "wrong": wrong,
    }


async def _write(data: Path) -> None:
    """Messages and levels, a transaction each, and a copy before the log is worked into the file."""
    store = Store(data)
    store.open()
    thread = Thread(room="lobby")
    for number in range(MESSAGES):
        draft = stored.Draft(thread, "Ada", None, number, float(number), f"a{number}")
        await store.do(partial(stored.say, draft=draft), durable=True)
        store.save("led", RememberedLight(level=number % 101, on=True))
        await store.try_to(lambda database: None)
    for name in (NAME, f"{NAME}-wal"):
        shutil.copy(data / name, data / f"{name}.copy")
    store.close()
    for name in (NAME, f"{NAME}-wal"):
        shutil.move(data / f"{name}.copy", data / name)


async def _read(data: Path) -> int:
    """How many messages are there. Raises `AssertionError` where they are not a beginning of what was said."""
    store = Store(data)
    looks = store.open()
    found, more = await store.do(
        partial(stored.messages, thread=Thread(room="lobby"), before=None, after=0, limit=MESSAGES)
    )
    assert not more
    assert [(message.n, message.msg) for message in found] == [(n + 1, n) for n in range(len(found))]
    level = looks["led"].level if looks else None
    assert level in (None if not found else (len(found) - 1) % 101, (len(found) - 2) % 101 if len(found) > 1 else None)
    store.close()
    with sqlite3.connect(data / NAME) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()
    return len(found)
