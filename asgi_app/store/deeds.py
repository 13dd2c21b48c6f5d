"""What groups and scenes have changed last: SQL on the store's thread."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping

from pydantic import TypeAdapter, ValidationError

from asgi_app.models.lights import LightSettings

log = logging.getLogger("pilotlight.store")

MOST = 256  # kept: more than there are groups and scenes
LIGHTS: TypeAdapter[dict[str, LightSettings]] = TypeAdapter(dict[str, LightSettings])

Deeds = Mapping[tuple[str, str], Mapping[str, LightSettings]]  # by kind and id: how each light was left


def everything(database: sqlite3.Connection) -> dict[tuple[str, str], dict[str, LightSettings]]:
    """Return how each group and scene has left its lights."""
    found = {}
    for kind, id, text in database.execute("SELECT kind, id, lights FROM deeds ORDER BY n"):
        try:
            found[kind, id] = LIGHTS.validate_json(text)
        except ValidationError:
            log.warning("What the %s %s has changed last cannot be read. Its undo does not work.", kind, id)
    return found


def keep(database: sqlite3.Connection, deeds: Mapping[tuple[str, str], Mapping[str, LightSettings] | None]) -> None:
    """Store these, in the place of what the same groups and scenes have done before; None deletes that."""
    database.executemany("DELETE FROM deeds WHERE (kind, id) = (?, ?)", [*deeds])
    rows = [(kind, id, LIGHTS.dump_json(dict(left)).decode()) for (kind, id), left in deeds.items() if left is not None]
    database.executemany("INSERT INTO deeds (kind, id, lights) VALUES (?, ?, ?)", rows)
    database.execute("DELETE FROM deeds WHERE n <= (SELECT n FROM deeds ORDER BY n DESC LIMIT 1 OFFSET ?)", (MOST,))
