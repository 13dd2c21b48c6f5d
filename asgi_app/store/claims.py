"""Which names were claimed: SQL on the store's thread. What protects a private message is kept with it."""

from __future__ import annotations

import sqlite3


def all_names(database: sqlite3.Connection) -> list[str]:
    """Every name that was claimed, and not released since."""
    return [name for (name,) in database.execute("SELECT name FROM claims ORDER BY name")]


def add(database: sqlite3.Connection, names: list[str]) -> None:
    """Note names as claimed."""
    database.executemany("INSERT OR IGNORE INTO claims (name) VALUES (?)", [(name,) for name in names])


def remove(database: sqlite3.Connection, names: list[str]) -> None:
    """Note names as released."""
    database.executemany("DELETE FROM claims WHERE name = ?", [(name,) for name in names])
