"""Runs, their graphs and their logs: SQL on the store's thread."""

from __future__ import annotations

import json
import logging
import sqlite3
from typing import Any, NamedTuple

from pydantic import ValidationError

from asgi_app.models.log_lines import searched
from asgi_app.models.runs import LogPage, Run
from asgi_app.net.send_budget import PAGE
from asgi_app.store.schema import FAR

log = logging.getLogger("pilotlight.store")

# Two seeks a run: reading every row of a long log would block everybody else.
ENDS_OF_LOGS = """
    SELECT id, (SELECT first FROM log WHERE run = id ORDER BY first LIMIT 1),
        (SELECT first + count FROM log WHERE run = id ORDER BY first DESC LIMIT 1)
    FROM runs
"""


def keep(database: sqlite3.Connection, run: Run) -> None:
    """Store the run as it is."""
    database.execute(
        "INSERT INTO runs (id, started, ended, run, pinned) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
        "SET started = excluded.started, ended = excluded.ended, run = excluded.run, pinned = excluded.pinned",
        (run.id, run.started_at, run.ended_at, run.model_dump_json(), run.pinned),
    )


def begin(database: sqlite3.Connection, run: Run, graph: dict[str, Any] | None) -> None:
    """Store a run that begins, or begins again, as the newest one."""
    keep(database, run)
    database.execute("UPDATE runs SET rowid = (SELECT max(rowid) + 1 FROM runs) WHERE id = ?", (run.id,))
    if graph is not None:
        keep_graph(database, run.id, graph)


def keep_graph(database: sqlite3.Connection, run: str, graph: dict[str, Any]) -> None:
    """Store the graph of a stored run."""
    database.execute("UPDATE runs SET graph = ? WHERE id = ?", (json.dumps(graph), run))


def add_lines(database: sqlite3.Connection, run: str, first: int, lines: list[dict[str, Any]]) -> None:
    """Append lines to the log of the run; `first` is the offset of the first one."""
    words, marks = searched(lines)
    database.execute(
        "INSERT INTO log (run, first, count, lines, words, marks) VALUES (?, ?, ?, ?, ?, ?)",
        (run, first, len(lines), json.dumps(lines), words, marks),
    )


def one(database: sqlite3.Connection, run: str) -> tuple[Run | None, dict[str, Any] | None]:
    """Return the run of this id, and its graph."""
    row = database.execute("SELECT run, graph FROM runs WHERE id = ?", (run,)).fetchone()
    return (_run(row[0]), json.loads(row[1]) if row[1] else None) if row else (None, None)


def newest(database: sqlite3.Connection, limit: int) -> list[Run]:
    """Return the runs that began last, the newest first, by rowid: the clock may step."""
    found = database.execute("SELECT run FROM runs ORDER BY rowid DESC LIMIT ?", (limit,))
    return [run for (text,) in found if (run := _run(text)) is not None]


def shown(database: sqlite3.Connection, limit: int) -> list[Run]:
    """Return the runs that began last, and those that are pinned, the newest first."""
    last = "SELECT rowid FROM runs ORDER BY rowid DESC LIMIT ?"
    found = database.execute(f"SELECT run FROM runs WHERE pinned OR rowid IN ({last}) ORDER BY rowid DESC", (limit,))
    return [run for (text,) in found if (run := _run(text)) is not None]


def unended(database: sqlite3.Connection) -> list[tuple[Run, dict[str, Any] | None]]:
    """Return the runs that were not ended, with the number of lines that are stored, and their graphs."""
    found = []
    for text, graph in database.execute("SELECT run, graph FROM runs WHERE ended IS NULL").fetchall():
        if (run := _run(text)) is not None:
            row = database.execute(
                "SELECT first + count FROM log WHERE run = ? ORDER BY first DESC LIMIT 1", (run.id,)
            ).fetchone()
            run = run.model_copy(update={"lines": row[0] if row else 0})
            found.append((run, json.loads(graph) if graph else None))
    return found


class Kept(NamedTuple):
    """The runs of the file: the newest and pinned ones, and those that were not ended, with their graphs."""

    newest: list[Run]
    unended: list[tuple[Run, dict[str, Any] | None]]


def kept(database: sqlite3.Connection, limit: int) -> Kept:
    """Return what the start needs, with `limit` of the newest runs."""
    return Kept(shown(database, limit), unended(database))


def lines(database: sqlite3.Connection, run: str, since: int, limit: int) -> LogPage:
    """Return up to `limit` lines, and about `PAGE` bytes, from this offset on, or from the oldest that is kept."""
    size = 0
    found: list[dict[str, Any]] = []
    start = since = min(since, FAR)
    rows = database.execute(
        "SELECT first, lines FROM log WHERE run = ? AND first + count > ? ORDER BY first", (run, since)
    )
    for first, text in rows:
        chunk = json.loads(text)
        if not found:
            start = max(since, first)
            chunk = chunk[start - first :]
        elif first != start + len(found):  # after a failed write: the rest is another page
            break
        found.extend(chunk)
        size += len(text)
        if len(found) >= limit or size >= PAGE:
            break
    rows.close()
    found = found[:limit]
    return LogPage(since=start, next=start + len(found), lines=found)


def tail_from(database: sqlite3.Connection, run: str, since: int, most: int) -> int:
    """Return the offset from which the end of a log has about `most` bytes, but at least `since`."""
    rows = database.execute(
        "SELECT first, length(lines) FROM log WHERE run = ? AND first + count > ? ORDER BY first DESC", (run, since)
    )
    start, size = None, 0
    for first, length in rows:
        size += length
        if start is not None and size > most:
            break
        start = max(first, since)
    rows.close()
    return since if start is None else start


def prune(database: sqlite3.Connection, runs: int, lines: int, most: int) -> int:
    """Delete ended runs beyond the newest `runs` that are not pinned, and lines beyond the newest `lines` of a log.

    Deletes about `most` rows at once. Return how many.
    """
    old = "SELECT id FROM runs WHERE ended IS NOT NULL AND NOT pinned ORDER BY rowid DESC LIMIT -1 OFFSET ?"
    gone = 0
    for (id,) in database.execute(old, (runs,)).fetchall():
        gone += delete(database, id, most - gone)
        if gone >= most:
            return gone
    for id, oldest, end in database.execute(ENDS_OF_LOGS).fetchall():
        if oldest is not None and end - oldest > lines and gone < most:
            gone += _forget_lines(database, id, end - lines, most - gone)
    return gone


def delete(database: sqlite3.Connection, run: str, most: int) -> int:
    """Delete up to `most` rows of the run's log, then the run. Return how many; less than `most`: it is gone."""
    gone = _forget_lines(database, run, FAR, most)
    return gone if gone >= most else gone + database.execute("DELETE FROM runs WHERE id = ?", (run,)).rowcount


def _forget_lines(database: sqlite3.Connection, run: str, before: int, most: int) -> int:
    """Delete up to `most` rows whose lines are all before this offset, the oldest first. Return how many."""
    oldest = "SELECT first FROM log WHERE run = ? AND first + count <= ? ORDER BY first LIMIT ?"
    forget = f"DELETE FROM log WHERE run = ? AND first IN ({oldest})"
    return database.execute(forget, (run, run, before, most)).rowcount


def _run(text: str) -> Run | None:
    try:
        return Run.model_validate_json(text)
    except ValidationError as error:
        log.warning("A stored run is invalid and was skipped: %s", error.errors()[0]["msg"])
        return None
