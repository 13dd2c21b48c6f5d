"""Who did what: SQL on the store's thread."""

from __future__ import annotations

import json
import sqlite3
from typing import Any, NamedTuple

from asgi_app.store.schema import FAR

COLUMNS = "at, who, via, role, how, address, what, subject, outcome, times, detail"


class Deed(NamedTuple):
    """Something that was done or refused, so many times within a second."""

    at: float
    who: str | None
    via: str
    role: str
    how: str
    address: str
    what: str
    subject: str | None
    outcome: str
    times: int
    detail: dict[str, Any]


def add(database: sqlite3.Connection, deeds: list[Deed]) -> None:
    """Add rows to the trail."""
    database.executemany(
        f"INSERT INTO audit ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(*deed[:-1], json.dumps(deed.detail)) for deed in deeds],
    )


def page(database: sqlite3.Connection, before: int | None, limit: int) -> list[dict[str, Any]]:
    """The newest rows, or those before an id, the newest first."""
    found = database.execute(
        f"SELECT id, {COLUMNS} FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?", (min(before or FAR, FAR), limit)
    )
    names = ["id", *COLUMNS.split(", ")]
    rows = [dict(zip(names, row, strict=True)) for row in found]
    return [{**row, "detail": json.loads(row["detail"])} for row in rows]


def prune(database: sqlite3.Connection, keep: int, most: int) -> int:
    """Forget rows that `keep` newer ones of their outcome follow: refusals do not wash away what was done."""
    gone = 0
    for outcome in ("done", "refused"):
        gone += database.execute(
            "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE outcome = ? AND id <= "
            "(SELECT id FROM audit WHERE outcome = ? ORDER BY id DESC LIMIT 1 OFFSET ?) LIMIT ?)",
            (outcome, outcome, keep, most),
        ).rowcount
    return gone
