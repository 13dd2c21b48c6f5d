"""The search of a log: SQL and matching on the store's thread, a slice at a time, so that other jobs come between."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from asgi_app.models.log_lines import searched
from asgi_app.net.send_budget import PAGE

ROWS = 4000  # of one slice, some 2 ms
CHARACTERS = 512 * 1024  # of one slice, some 1 ms


class Wanted(NamedTuple):
    """What a line must have: the case-folded words, and one of the marks of `models.log_lines`; None: any."""

    words: str
    marks: frozenset[str] | None


class Slice(NamedTuple):
    """The matches in a part of a log, in order. `start` is the offset where it begins; None: there was nothing."""

    matches: list[int]
    start: int | None
    characters: int


def matches(database: sqlite3.Connection, run: str, before: int, wanted: Wanted) -> Slice:
    """Search the lines just before this offset, as many as fit into one slice."""
    text, of = wanted
    found: list[int] = []  # the newest first
    start, characters = None, 0
    rows = database.execute(
        "SELECT first, count, words, marks FROM log WHERE run = ? AND first < ? ORDER BY first DESC LIMIT ?",
        (run, before, ROWS),
    )
    for start, count, words, marks in rows:
        if words is None:  # stored by an older version
            older = _searched(database, run, start)
            characters += len(older[0])
            found += _in_row(start, *older, wanted)
        elif text in words and (of is None or not of.isdisjoint(marks)):
            if count == 1:  # as of a run that says little: the search of 200,000 such rows must be fast, too
                found.append(start)
            else:
                found += _in_row(start, words, marks, wanted)
        characters += len(words or "")
        if characters >= CHARACTERS:
            break
    rows.close()
    found.reverse()
    return Slice([n for n in found if n < before] if found and found[-1] >= before else found, start, characters)


def _in_row(first: int, words: str, marks: str, wanted: Wanted) -> list[int]:
    """Return the matches of a row, the newest first."""
    text, of = wanted
    lines = words.split("\n")
    if of is None:
        found = [n for n, line in enumerate(lines, first) if text in line]
    else:
        found = [
            n for n, (line, mark) in enumerate(zip(lines, marks, strict=True), first) if mark in of and text in line
        ]
    return found[::-1]


def _searched(database: sqlite3.Connection, run: str, first: int) -> tuple[str, str]:
    """Return the words and marks of a row that an older version has stored."""
    row = database.execute("SELECT lines FROM log WHERE run = ? AND first = ?", (run, first)).fetchone()
    return searched(json.loads(row[0]))


def lines_at(database: sqlite3.Connection, run: str, offsets: Sequence[int]) -> list[tuple[int, dict[str, Any]]]:
    """Return the lines at these offsets that are still there, in this order, about `PAGE` bytes at most."""
    found: list[tuple[int, dict[str, Any]]] = []
    rows: dict[range, list[dict[str, Any]]] = {}  # by their offsets
    size = 0
    for n in offsets:
        here = next((here for here in rows if n in here), None)
        if here is None:
            row = database.execute(
                "SELECT first, lines FROM log WHERE run = ? AND first <= ? ORDER BY first DESC LIMIT 1", (run, n)
            ).fetchone()
            first, lines = (row[0], json.loads(row[1])) if row else (0, [])
            here = range(first, first + len(lines))
            rows[here] = lines
        if n in here:
            found.append((n, rows[here][n - here.start]))
            size += len(json.dumps(found[-1][1]))
        if size >= PAGE:
            break
    return found
