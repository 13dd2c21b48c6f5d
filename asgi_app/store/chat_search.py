"""The search of messages: SQL and matching on the store's thread, in slices, so that other jobs come between."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

import pydantic_core

from asgi_app.models.chat import ChatMessage
from asgi_app.store.chat import read_messages

ROWS = 4000  # of one slice, some 4 ms
CHARACTERS = 512 * 1024  # of one slice, some 1 ms


class Wanted(NamedTuple):
    """The case-folded text, the thread (None: all), and whose private talks are searched too (None: nobody's)."""

    text: str
    thread: str | None
    person: str | None


class Slice(NamedTuple):
    """The ids of the matches, the newest first. `start` is the id where the slice begins; None: there was nothing."""

    matches: list[int]
    start: int | None
    characters: int


def matches(database: sqlite3.Connection, before: int, wanted: Wanted) -> Slice:
    """Search the messages just before this id, as many as fit into one slice."""
    # JSON writes each character for itself, so what is in the text is in its JSON too. The JSON may have more.
    written = pydantic_core.to_json(wanted.text).decode()[1:-1].casefold()
    found: list[int] = []
    start, characters = None, 0
    if wanted.thread is not None:
        # Ids rise with the numbers of a thread, whose index is the quick way.
        rows = database.execute(
            "SELECT id, msg FROM messages WHERE thread = ? AND n < coalesce((SELECT n FROM messages WHERE id = ?), ?) "
            "AND deleted_at IS NULL ORDER BY n DESC LIMIT ?",
            (wanted.thread, before, before, ROWS),
        )
    else:
        rows = database.execute(
            "SELECT id, msg FROM messages WHERE id < ? AND deleted_at IS NULL AND "
            "(recipient IS NULL OR thread IN (SELECT thread FROM members WHERE person = ?)) ORDER BY id DESC LIMIT ?",
            (before, wanted.person, ROWS),
        )
    for start, msg in rows:
        if written in msg.casefold() and _has(msg, wanted.text):
            found.append(start)
        characters += len(msg)
        if characters >= CHARACTERS:
            break
    rows.close()
    return Slice(found, start, characters)


def _has(msg: str, text: str) -> bool:
    """Return whether the message has the text. One that is no text is searched as JSON, and was found there."""
    said = pydantic_core.from_json(msg)
    return not isinstance(said, str) or text in said.casefold()


def listed(database: sqlite3.Connection, ids: list[int]) -> list[ChatMessage]:
    """Return these messages, the newest first, as far as they are kept, and up to about a page of bytes."""
    marks = ", ".join("?" * len(ids))
    return read_messages(database, f"id IN ({marks}) AND deleted_at IS NULL ORDER BY id DESC", ids, len(ids))
