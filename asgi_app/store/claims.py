"""Claimed names: SQL on the store's thread. They protect private messages, and are stored beside them."""

from __future__ import annotations

import sqlite3


def all_names(database: sqlite3.Connection) -> list[str]:
    """Return every claimed name."""
    return [name for (name,) in database.execute("SELECT name FROM claims ORDER BY name")]


def add(database: sqlite3.Connection, names: list[str]) -> None:
    """Store names as claimed."""
    database.executemany("INSERT OR IGNORE INTO claims (name) VALUES (?)", [(name,) for name in names])


def remove(database: sqlite3.Connection, names: list[str]) -> None:
    """Delete names that were released."""
    database.executemany("DELETE FROM claims WHERE name = ?", [(name,) for name in names])
