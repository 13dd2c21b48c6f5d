"""Groups and scenes: SQL on the store's thread."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from typing import TypeVar

from pydantic import ValidationError

from asgi_app.models.groups import Group, Scene

log = logging.getLogger("pilotlight.store")

One = TypeVar("One", Group, Scene)


def everything(database: sqlite3.Connection) -> tuple[dict[str, Group], dict[str, Scene]]:
    """Return all groups and scenes, in their order."""
    return _read(database, "groups", Group), _read(database, "scenes", Scene)


def _read(database: sqlite3.Connection, table: str, kind: type[One]) -> dict[str, One]:
    found = {}
    for id, text in database.execute(f"SELECT id, content FROM {table} ORDER BY position, id"):
        try:
            found[id] = kind.model_validate_json(text)
        except ValidationError:
            log.warning("%s of %s cannot be read, and is left out.", id, table)
    return found


def keep(database: sqlite3.Connection, one: Group | Scene) -> None:
    """Store the group or scene: a new one as the last."""
    table = _table(one)
    database.execute(
        f"INSERT INTO {table} (id, position, content)"
        f" VALUES (?, (SELECT coalesce(max(position), 0) + 1 FROM {table}), ?)"
        " ON CONFLICT (id) DO UPDATE SET content = excluded.content",
        (one.id, one.model_dump_json()),
    )


def delete(database: sqlite3.Connection, one: Group | Scene) -> None:
    """Delete the group or scene."""
    database.execute(f"DELETE FROM {_table(one)} WHERE id = ?", (one.id,))


def order(database: sqlite3.Connection, groups: Sequence[str]) -> None:
    """Give the groups this order."""
    database.executemany("UPDATE groups SET position = ? WHERE id = ?", [(n, id) for n, id in enumerate(groups)])


def _table(one: Group | Scene) -> str:
    return "groups" if isinstance(one, Group) else "scenes"
