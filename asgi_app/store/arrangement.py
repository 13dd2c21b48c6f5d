"""Groups, scenes, schedules, people's own shows and the order of the lights: SQL on the store's thread."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from typing import TypeVar

from pydantic import ValidationError

from asgi_app.models.groups import Group, Scene
from asgi_app.models.schedules import Schedule
from asgi_app.models.shows import OwnShow

log = logging.getLogger("pilotlight.store")

One = TypeVar("One", Group, Scene, Schedule, OwnShow)
TABLES: dict[type, str] = {Group: "groups", Scene: "scenes", Schedule: "schedules", OwnShow: "shows"}


def everything(database: sqlite3.Connection, kind: type[One]) -> dict[str, One]:
    """Return all of this kind, in their order."""
    table, found = TABLES[kind], {}
    for id, text in database.execute(f"SELECT id, content FROM {table} ORDER BY position, id"):
        try:
            found[id] = kind.model_validate_json(text)
        except ValidationError:
            log.warning("%s of %s cannot be read, and is left out.", id, table)
    return found


def keep(database: sqlite3.Connection, one: Group | Scene | Schedule | OwnShow) -> None:
    """Store one of them: a new one as the last."""
    table = TABLES[type(one)]
    database.execute(
        f"INSERT INTO {table} (id, position, content)"
        f" VALUES (?, (SELECT coalesce(max(position), 0) + 1 FROM {table}), ?)"
        " ON CONFLICT (id) DO UPDATE SET content = excluded.content",
        (one.id, one.model_dump_json()),
    )


def delete(database: sqlite3.Connection, one: Group | Scene | Schedule | OwnShow) -> None:
    """Delete one of them."""
    database.execute(f"DELETE FROM {TABLES[type(one)]} WHERE id = ?", (one.id,))


def replace(database: sqlite3.Connection, kind: type[One], by: Mapping[str, One]) -> None:
    """Store these, in this order, instead of all others of their kind."""
    database.execute(f"DELETE FROM {TABLES[kind]}")
    for one in by.values():
        keep(database, one)


def replace_all(
    database: sqlite3.Connection, groups: Mapping[str, Group], scenes: Mapping[str, Scene], lights: Sequence[str]
) -> None:
    """Store these groups, scenes and this order of the lights instead of those that are there."""
    replace(database, Group, groups)
    replace(database, Scene, scenes)
    order_lights(database, lights)


def order(database: sqlite3.Connection, groups: Sequence[str]) -> None:
    """Give the groups this order."""
    database.executemany("UPDATE groups SET position = ? WHERE id = ?", [(n, id) for n, id in enumerate(groups)])


def light_order(database: sqlite3.Connection) -> tuple[str, ...]:
    """Return the lights that were put in an order."""
    return tuple(light for (light,) in database.execute("SELECT light FROM light_order ORDER BY position"))


def order_lights(database: sqlite3.Connection, order: Sequence[str]) -> None:
    """Store this order of the lights instead of the one before."""
    database.execute("DELETE FROM light_order")
    database.executemany("INSERT INTO light_order VALUES (?, ?)", [(id, n) for n, id in enumerate(order)])
