"""The last day of each light: SQL on the store's thread. It is written with the settings of the light."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from asgi_app.models.base import Actor
from asgi_app.models.history import DAY, MOST, Moment

RECENT = 300  # changes of a light, the newest, are all kept
SPAN = 600  # seconds; of more than `MOST` changes, the last one of each span is kept


def since(database: sqlite3.Connection, light: str, begin: float, end: float) -> tuple[Moment, ...]:
    """Return the changes of a light from `begin` to `end` (seconds since the Unix epoch), and the one before."""
    rows = database.execute(
        "SELECT at, level, effect, seconds, name, via FROM light_history WHERE light = :light AND began <= :end"
        " AND began >= coalesce((SELECT max(began) FROM light_history WHERE light = :light AND began <= :begin), 0)"
        " ORDER BY began",
        {"light": light, "begin": begin, "end": end},
    )
    return tuple(
        Moment(at=at, level=level, effect=effect, seconds=seconds, by=Actor(name=name, via=via))
        for at, level, effect, seconds, name, via in rows
    )


def keep(database: sqlite3.Connection, moments: Mapping[str, Sequence[Moment]]) -> None:
    """Store the last changes of these lights, and drop or thin out what is old. What is later is of a wrong clock."""
    for light, changes in moments.items():
        if not changes:
            continue
        database.executemany(
            "REPLACE INTO light_history VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (light, one.began, one.at, one.level, one.effect, one.seconds, one.by.name, one.by.via)
                for one in changes
            ],
        )
        database.execute("DELETE FROM light_history WHERE light = ? AND began > ?", (light, changes[-1].began))
        database.execute(
            "DELETE FROM light_history WHERE light = :light AND began <"
            " (SELECT max(began) FROM light_history WHERE light = :light AND began <= :begin)",
            {"light": light, "begin": changes[-1].at - DAY},
        )
        (count,) = database.execute("SELECT count(*) FROM light_history WHERE light = ?", (light,)).fetchone()
        if count > MOST:
            _thin_out(database, light)


def drop(database: sqlite3.Connection, began: Mapping[str, Iterable[float]]) -> None:
    """Delete the changes of these lights that began then."""
    rows = [(light, at) for light, all in began.items() for at in all]
    database.executemany("DELETE FROM light_history WHERE light = ? AND began = ?", rows)


def forget(database: sqlite3.Connection, light: str) -> None:
    """Delete all changes of a light."""
    database.execute("DELETE FROM light_history WHERE light = ?", (light,))


def _thin_out(database: sqlite3.Connection, light: str) -> None:
    """Keep the newest changes, and of those before only the last one of each span."""
    nth = "(SELECT began FROM light_history WHERE light = :light ORDER BY began DESC LIMIT 1 OFFSET :n)"
    database.execute(
        f"DELETE FROM light_history AS old WHERE light = :light AND began < {nth} AND EXISTS"
        " (SELECT 1 FROM light_history AS later WHERE later.light = :light AND later.began > old.began"
        " AND later.began < (CAST(old.began / :span AS INTEGER) + 1) * :span)",
        {"light": light, "n": RECENT, "span": SPAN},
    )
    database.execute(f"DELETE FROM light_history WHERE light = :light AND began <= {nth}", {"light": light, "n": MOST})
