"""The audit trail: SQL on the store's thread."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from asgi_app.net.address import site_of
from asgi_app.net.send_budget import PAGE
from asgi_app.store.schema import FAR

DONE = "outcome = 'done'"
REFUSED = "outcome = 'refused' AND role <> 'nobody'"
REFUSED_TO_STRANGERS = "outcome = 'refused' AND role = 'nobody'"
COLUMNS = "at, who, via, role, how, address, what, subject, outcome, times, detail"
ROW_BYTES = 400  # of a row as JSON without its detail, roughly


class Deed(NamedTuple):
    """Something that was done or refused, `times` within a second."""

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


def add(database: sqlite3.Connection, deeds: Sequence[Deed]) -> None:
    """Append rows to the trail."""
    database.executemany(
        f"INSERT INTO audit ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(*map(_as_utf8, deed[:-1]), json.dumps(deed.detail)) for deed in deeds],
    )


def _as_utf8(value: Any) -> Any:
    """Return the value as SQLite can write it: one bad row would fail its whole transaction."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def page(
    database: sqlite3.Connection, before: int | None, limit: int, who: str | None, subject: str | None
) -> tuple[list[dict[str, Any]], bool]:
    """Return up to `limit` rows before an id, about `PAGE` bytes, the newest first, and whether there are more.

    With `who` only what this person did, in upper or lower case; with `subject` only what was done to it.
    """
    wanted = {"who = ? COLLATE NOCASE": who, "subject = ?": subject}
    conditions = {condition: value for condition, value in wanted.items() if value is not None}
    where = " AND ".join(["id < ?", *conditions])
    found = database.execute(
        f"SELECT id, {COLUMNS} FROM audit WHERE {where} ORDER BY id DESC LIMIT ?",
        (min(before or FAR, FAR), *conditions.values(), limit + 1),
    )
    names = ["id", *COLUMNS.split(", ")]
    rows: list[dict[str, Any]] = []
    size = 0
    while len(rows) < limit and size < PAGE and (row := found.fetchone()) is not None:
        fields = dict(zip(names, row, strict=True))
        size += ROW_BYTES + len(fields["detail"])
        rows.append({**fields, "detail": json.loads(fields["detail"])})
    more = found.fetchone() is not None
    found.close()
    return rows, more


def prune(database: sqlite3.Connection, keep: int, most: int) -> int:
    """Delete the oldest rows beyond `keep` of each kind, about `most` at once. Return how many.

    There are three kinds: what was done, what was refused to known people, and what was refused to strangers. So a
    flood of one kind does not push out the others. Among refusals, the source with the most rows loses some first.
    """
    gone = _delete_oldest(database, DONE, _over(database, DONE, keep), most)
    for kind in (REFUSED, REFUSED_TO_STRANGERS):
        if (over := _over(database, kind, keep)) > 0:
            gone += _prune_fairly(database, kind, keep, min(over, most))
    return gone


def _over(database: sqlite3.Connection, kind: str, keep: int) -> int:
    (count,) = database.execute(f"SELECT count(*) FROM audit WHERE {kind}").fetchone()
    return int(count) - keep


def _delete_oldest(database: sqlite3.Connection, which: str, over: int, most: int, *values: str) -> int:
    if over <= 0:
        return 0
    return database.execute(
        f"DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE {which} ORDER BY id LIMIT ?)",
        (*values, min(over, most)),
    ).rowcount


def _prune_fairly(database: sqlite3.Connection, kind: str, keep: int, over: int) -> int:
    sources: dict[str, list[str]] = {}
    sizes: Counter[str] = Counter()
    for address, rows in database.execute(f"SELECT address, count(*) FROM audit WHERE {kind} GROUP BY address"):
        sources.setdefault(site_of(address) or address, []).append(address)
        sizes[site_of(address) or address] += rows
    share, gone = _fair_share(sorted(sizes.values()), keep), 0
    for source, rows in sizes.most_common():
        if rows <= share or gone >= over:
            break
        addresses, surplus = sources[source], min(rows - share, over - gone)
        which = f"{kind} AND address IN ({', '.join('?' * len(addresses))})"
        gone += _delete_oldest(database, which, surplus, surplus, *addresses)
    return gone or _delete_oldest(database, kind, over, over)  # more sources than rows to keep


def _fair_share(sizes: list[int], keep: int) -> int:
    """Return how many rows each source may have, at least one, so that all have at most `keep`."""
    for number, size in enumerate(sizes):
        share = keep // (len(sizes) - number)
        if size > share:
            return max(share, 1)
        keep -= size
    return max(sizes, default=1)
