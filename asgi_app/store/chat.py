"""People, messages, and how far everybody has read: SQL on the store's thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pydantic_core

from asgi_app.models.chat import ChatMessage, Marks, Room, Thread, ThreadState
from asgi_app.net.send_budget import PAGE
from asgi_app.store.schema import FAR

COLUMNS = "id, thread, n, sender, recipient, msg, at, client_id, edited_at, deleted_at, change"
MSG = COLUMNS.split(", ").index("msg")
ROW_BYTES = 200  # that a message takes beside its JSON, about; the triggers of the schema count the same
MARKS_SHOWN = 100  # people of one room whose marks are listed
MARK_BYTES = 100  # of one of them as JSON, roughly


class Draft(NamedTuple):
    """A message before it has an id and a number."""

    thread: Thread
    sender: str
    to: str | None
    msg: Any
    at: float
    client_id: str | None


class Waiting(NamedTuple):
    """Ids of undelivered private messages, in order, and the newest id of any message."""

    ids: list[int]
    newest: int


class Numbers(NamedTuple):
    """The last numbers of a file: `(thread, n, at, changes)`, `(person, thread)`, and the newest id."""

    threads: list[tuple[str, int, float, int]]
    members: list[tuple[str, str]]
    newest: int


class Said(NamedTuple):
    """A stored message. It is not `new` if the sender retried."""

    message: ChatMessage
    new: bool


def people(database: sqlite3.Connection) -> set[str]:
    """Return everybody who was ever here. People who came while the disk was full have only messages or marks."""
    found = database.execute("SELECT name FROM people UNION SELECT person FROM members UNION SELECT person FROM marks")
    return {name for (name,) in found}


def meet(database: sqlite3.Connection, person: str) -> None:
    """Store that this person was here."""
    database.execute(
        "INSERT OR IGNORE INTO people (name, since) SELECT ?, coalesce(max(id), 0) FROM messages", (person,)
    )


def forget_strangers(database: sqlite3.Connection, present: frozenset[str]) -> set[str]:
    """Delete people who are not present and have no private thread. Return them. Their messages stay."""
    gone = people(database) - present - {name for (name,) in database.execute("SELECT person FROM members")}
    for table, column in (("people", "name"), ("marks", "person")):
        database.executemany(f"DELETE FROM {table} WHERE {column} = ?", [(name,) for name in gone])
    return gone


def rooms(database: sqlite3.Connection) -> dict[str, Room]:
    """Return every room with messages."""
    found = database.execute("SELECT thread, n, at, changes FROM threads WHERE thread LIKE '#%'")
    return {key[1:]: Room(name=key[1:], n=n, at=at, changes=changes) for key, n, at, changes in found}


def say(database: sqlite3.Connection, draft: Draft) -> Said:
    """Store a message at the end of its thread. For a known `client_id`, return the stored one."""
    if draft.client_id is not None:
        known = database.execute(
            f"SELECT {COLUMNS} FROM messages WHERE sender = ? AND client_id = ?", (draft.sender, draft.client_id)
        ).fetchone()
        if known is not None:
            return Said(_message(known), new=False)
    thread = draft.thread.key
    ((n,),) = database.execute(
        "INSERT INTO threads (thread, n, at) VALUES (?, 1, ?) "
        "ON CONFLICT (thread) DO UPDATE SET n = n + 1, at = excluded.at RETURNING n",
        (thread, draft.at),
    ).fetchall()
    if draft.thread.pair is not None and n == 1:
        members = {(person, thread) for person in draft.thread.pair}
        database.executemany("INSERT OR IGNORE INTO members VALUES (?, ?)", members)
    row = (thread, n, draft.sender, draft.to, pydantic_core.to_json(draft.msg).decode(), draft.at, draft.client_id)
    cursor = database.execute(
        "INSERT INTO messages (thread, n, sender, recipient, msg, at, client_id) VALUES (?, ?, ?, ?, ?, ?, ?)", row
    )
    mark(database, draft.thread, draft.sender, Marks(delivered=n, read=n))
    return Said(_message((cursor.lastrowid, *row, None, None, None)), new=True)


def mark(database: sqlite3.Connection, thread: Thread, person: str, marks: Marks) -> Marks:
    """Set how far a person is: never back, never past the end. Return how far that is now."""
    known = database.execute("SELECT n FROM threads WHERE thread = ?", (thread.key,)).fetchone()
    n = known[0] if known else 0
    before = marks_of(database, thread, person)
    delivered = max(before.delivered, before.read, min(max(marks.delivered, marks.read), n))
    after = Marks(delivered=delivered, read=max(before.read, min(marks.read, n)))
    if after != before:
        database.execute(
            "INSERT INTO marks VALUES (?, ?, ?, ?) ON CONFLICT (thread, person) "
            "DO UPDATE SET delivered = excluded.delivered, read = excluded.read",
            (thread.key, person, after.delivered, after.read),
        )
    return after


def marks_of(database: sqlite3.Connection, thread: Thread, person: str) -> Marks:
    """Return how far a person has received and read a thread."""
    row = database.execute(
        "SELECT delivered, read FROM marks WHERE thread = ? AND person = ?", (thread.key, person)
    ).fetchone()
    return Marks(delivered=row[0], read=row[1]) if row else Marks()


def messages(
    database: sqlite3.Connection, thread: Thread, *, before: int | None, after: int | None, limit: int
) -> tuple[list[ChatMessage], bool]:
    """Return up to `limit` messages, and about `PAGE` bytes, in order, and whether there is more in that direction."""
    forward = after is not None
    low, high = min(after or 0, FAR), min(before or FAR, FAR)
    found = database.execute(
        f"SELECT {COLUMNS} FROM messages WHERE thread = ? AND n > ? AND n < ? "
        f"ORDER BY n {'ASC' if forward else 'DESC'} LIMIT ?",
        (thread.key, low, high, limit + 1),
    )
    page = [_message(row) for row in _within_a_page(found, limit)]
    more = found.fetchone() is not None
    found.close()
    return page if forward else page[::-1], more


def changes(database: sqlite3.Connection, thread: Thread, *, after: int, limit: int) -> tuple[list[ChatMessage], bool]:
    """Return up to `limit` messages with a later change, in the order of changes, and whether there are more.

    They have about `PAGE` bytes at most.
    """
    found = database.execute(
        f"SELECT {COLUMNS} FROM messages WHERE thread = ? AND change > ? ORDER BY change LIMIT ?",
        (thread.key, min(after, FAR), limit + 1),
    )
    page = [_message(row) for row in _within_a_page(found, limit)]
    more = found.fetchone() is not None
    found.close()
    return page, more


class Edit(NamedTuple):
    """A change of a message: its new text, or that it is deleted. `by` is None for an admin, who may change any."""

    thread: Thread
    n: int
    by: str | None
    msg: Any
    deleted: bool
    at: float


class Edited(NamedTuple):
    """The message after the attempt; None if there is none. `new`: it has changed just now."""

    message: ChatMessage | None
    new: bool = False


def edit(database: sqlite3.Connection, wanted: Edit) -> Edited:
    """Change the message if it is there and may be changed. A second change to the same text changes nothing."""
    where = (wanted.thread.key, wanted.n)
    row = database.execute(f"SELECT {COLUMNS} FROM messages WHERE thread = ? AND n = ?", where).fetchone()
    if row is None:
        return Edited(None)
    message = _message(row)
    text = pydantic_core.to_json(None if wanted.deleted else wanted.msg).decode()
    same = not wanted.deleted and text == row[MSG]
    if message.deleted_at is not None or same or wanted.by not in (None, message.sender):
        return Edited(message)
    ((change,),) = database.execute(
        "UPDATE threads SET changes = changes + 1 WHERE thread = ? RETURNING changes", (wanted.thread.key,)
    ).fetchall()
    database.execute(
        f"UPDATE messages SET msg = ?, {'deleted_at' if wanted.deleted else 'edited_at'} = ?, change = ? "
        "WHERE thread = ? AND n = ?",
        (text, wanted.at, change, *where),
    )
    row = database.execute(f"SELECT {COLUMNS} FROM messages WHERE thread = ? AND n = ?", where).fetchone()
    return Edited(_message(row), new=True)


def _within_a_page(found: sqlite3.Cursor, limit: int) -> Iterator[Any]:
    """Yield up to `limit` rows of messages, of about `PAGE` bytes at most. The next row stays unread."""
    size = count = 0
    while count < limit and size < PAGE and (row := found.fetchone()) is not None:
        count += 1
        size += len(row[MSG].encode())
        yield row


def waiting(database: sqlite3.Connection, person: str) -> Waiting:
    """Return the private messages that no device of this person has received, the oldest first."""
    found = database.execute(
        "SELECT messages.id FROM members JOIN messages ON messages.thread = members.thread "
        "LEFT JOIN marks ON marks.thread = members.thread AND marks.person = members.person "
        "WHERE members.person = ? AND messages.recipient = ? AND messages.n > coalesce(marks.delivered, 0) "
        "AND messages.deleted_at IS NULL "
        "ORDER BY messages.id",
        (person, person),
    )
    ((newest,),) = database.execute("SELECT coalesce(max(id), 0) FROM messages").fetchall()
    return Waiting([id for (id,) in found], newest)


def received(database: sqlite3.Connection, person: str, after: int) -> list[int]:
    """Return the ids of the private messages for this person that are newer than the message `after`."""
    found = database.execute(
        "SELECT id FROM messages WHERE id > ? AND recipient = ? AND deleted_at IS NULL ORDER BY id", (after, person)
    )
    return [id for (id,) in found]


def by_id(database: sqlite3.Connection, ids: list[int]) -> list[ChatMessage]:
    """Return these messages in their order, without deleted ones, and up to about `PAGE` bytes."""
    marks = ", ".join("?" * len(ids))
    return read_messages(database, f"id IN ({marks}) AND deleted_at IS NULL ORDER BY id", ids, len(ids))


def read_messages(database: sqlite3.Connection, where: str, values: Sequence[Any], limit: int) -> list[ChatMessage]:
    """Return up to `limit` messages and about `PAGE` bytes. `where` is the rest of the query."""
    found = database.execute(f"SELECT {COLUMNS} FROM messages WHERE {where}", values)
    page = [_message(row) for row in _within_a_page(found, limit)]
    found.close()
    return page


def delete_room(database: sqlite3.Connection, thread: Thread) -> None:
    """Delete a room and all that was said in it."""
    _delete_threads(database, [thread.key])


def delete_person(database: sqlite3.Connection, person: str) -> list[str]:
    """Delete a person with their marks and private threads. Return with whom these were."""
    found = database.execute("SELECT thread FROM members WHERE person = ?", (person,)).fetchall()
    _delete_threads(database, [key for (key,) in found])
    database.execute("DELETE FROM marks WHERE person = ?", (person,))
    database.execute("DELETE FROM people WHERE name = ?", (person,))
    return [other for (key,) in found if (other := Thread.of(key).other(person)) is not None]


def _delete_threads(database: sqlite3.Connection, keys: Sequence[str]) -> None:
    for table in ("messages", "marks", "members", "threads"):
        database.executemany(f"DELETE FROM {table} WHERE thread = ?", [(key,) for key in keys])


def threads(database: sqlite3.Connection, person: str) -> list[ThreadState]:
    """Return every room with messages, and the private threads of this person, the newest first.

    Past `PAGE` bytes they come without their last message and without marks of others.
    """
    found = database.execute(
        "SELECT thread, n, changes FROM threads WHERE thread LIKE '#%' "
        "OR thread IN (SELECT thread FROM members WHERE person = ?) "
        # By the id of the last message, because the clock may step.
        "ORDER BY (SELECT id FROM messages WHERE messages.thread = threads.thread AND messages.n = threads.n) DESC",
        (person,),
    ).fetchall()
    states: list[ThreadState] = []
    size = 0
    for key, n, changes in found:
        state, bytes_of = _state(database, Thread.of(key), n, person, brief=size >= PAGE)
        states.append(state.model_copy(update={"changes": changes}))
        size += bytes_of
    return states


def numbers(database: sqlite3.Connection) -> Numbers:
    """Return the last numbers of this file."""
    ((newest,),) = database.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'messages'")
    return Numbers(
        database.execute("SELECT thread, n, at, changes FROM threads").fetchall(),
        database.execute("SELECT person, thread FROM members").fetchall(),
        newest,
    )


def go_on_from(database: sqlite3.Connection, before: Numbers) -> None:
    """Continue the numbers of another file, so that no number is used twice."""
    database.executemany(
        "INSERT INTO threads (thread, n, at, changes) VALUES (?, ?, ?, ?) ON CONFLICT (thread) "
        "DO UPDATE SET n = max(n, excluded.n), changes = max(changes, excluded.changes)",
        before.threads,
    )
    database.executemany("INSERT OR IGNORE INTO members VALUES (?, ?)", before.members)
    known = database.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'messages'", (before.newest,))
    if known.rowcount == 0:
        database.execute("INSERT INTO sqlite_sequence VALUES ('messages', ?)", (before.newest,))


def prune(database: sqlite3.Connection, keep: int, keep_bytes: int, most: int) -> int:
    """Delete up to `most` messages: beyond the newest `keep` of their thread, and the oldest of all beyond these bytes.

    Return how many.
    """
    deleted = database.execute(
        "DELETE FROM messages WHERE id IN (SELECT messages.id FROM messages JOIN threads USING (thread) "
        "WHERE messages.n <= threads.n - ? LIMIT ?)",
        (keep, most),
    ).rowcount
    ((bytes_kept,),) = database.execute("SELECT bytes FROM chat_bytes").fetchall()
    newest = None
    oldest = database.execute(
        f"SELECT id, length(CAST(msg AS BLOB)) + {ROW_BYTES} FROM messages ORDER BY id LIMIT ?", (most - deleted,)
    )
    for id, size in oldest:
        if bytes_kept <= keep_bytes:
            break
        newest, bytes_kept = id, bytes_kept - size
    oldest.close()
    if newest is not None:
        deleted += int(database.execute("DELETE FROM messages WHERE id <= ?", (newest,)).rowcount)
    return int(deleted)


def _state(
    database: sqlite3.Connection, thread: Thread, n: int, person: str, *, brief: bool
) -> tuple[ThreadState, int]:
    """Return the thread as this person sees it, and its size in bytes, roughly."""
    read = marks_of(database, thread, person).read
    unread = max(n - _read_or_gone(database, thread, person, read, n), 0)
    state = ThreadState(
        room=thread.room, other=thread.other(person), n=n, read=read, unread=unread, last=None, marks={}
    )
    if brief:
        return state, 0
    last = database.execute(
        f"SELECT {COLUMNS} FROM messages WHERE thread = ? ORDER BY n DESC LIMIT 1", (thread.key,)
    ).fetchone()
    others = database.execute(
        "SELECT person, delivered, read FROM marks WHERE thread = ? AND person != ? ORDER BY read DESC LIMIT ?",
        (thread.key, person, MARKS_SHOWN),
    )
    marks = {name: Marks(delivered=delivered, read=read) for name, delivered, read in others}
    known = {"last": _message(last) if last else None, "marks": marks}
    return state.model_copy(update=known), (len(last[MSG].encode()) if last else 0) + MARK_BYTES * len(marks)


def _read_or_gone(database: sqlite3.Connection, thread: Thread, person: str, read: int, n: int) -> int:
    """Return the last number that does not count as unread.

    What was said before somebody came first counts as read, and what is not kept any more cannot be read.
    """
    ((first,),) = database.execute("SELECT min(n) FROM messages WHERE thread = ?", (thread.key,)).fetchall()
    if first is None:
        return n
    before = None
    if read == 0:
        before = database.execute(
            "SELECT n FROM messages WHERE thread = ? AND id <= (SELECT since FROM people WHERE name = ?) "
            "ORDER BY n DESC LIMIT 1",
            (thread.key, person),
        ).fetchone()
    return max(read, int(first) - 1, int(before[0]) if before else 0)


def _message(row: Any) -> ChatMessage:
    id, thread, n, sender, recipient, msg, at, client_id, edited_at, deleted_at, change = row
    return ChatMessage(
        id=id,
        room=Thread.of(thread).room,
        to=recipient,
        n=n,
        sender=sender,
        msg=pydantic_core.from_json(msg),
        at=at,
        client_id=client_id,
        edited_at=edited_at,
        deleted_at=deleted_at,
        change=change,
    )
