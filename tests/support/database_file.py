"""The panel's database file, as another process sees and holds it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAME = "pilotlight.db"


@contextlib.contextmanager
def locked(file: Path, statement: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """Somebody else holds the file's lock: a real one, since the panel is another process."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None, timeout=30, check_same_thread=False)) as other:
        other.execute(statement)
        try:
            yield
        finally:
            other.execute("ROLLBACK")


def query(file: Path, sql: str) -> list[Any]:
    """Return rows of the file, or none if there is no such file or table yet."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as other:
            return other.execute(sql).fetchall()
    except sqlite3.OperationalError:
        return []


def stored_look(file: Path, light: str = "led") -> dict[str, Any] | None:
    """How the light is set in the file."""
    looks = dict(query(file, "SELECT id, look FROM lights"))
    return json.loads(looks[light]) if light in looks else None


def stored_level(file: Path, light: str = "led") -> int | None:
    """The level of the light in the file."""
    look = stored_look(file, light)
    return None if look is None else look["level"]


def stored_messages(file: Path) -> list[Any]:
    """Return the stored messages, in order."""
    return [json.loads(msg) for (msg,) in query(file, "SELECT msg FROM messages ORDER BY id")]
