"""How each light was set last: SQL on the store's thread."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping

from pydantic import ValidationError

from asgi_app.models.history import RememberedLight
from asgi_app.store import history

log = logging.getLogger("pilotlight.store")


def settings(database: sqlite3.Connection) -> dict[str, RememberedLight]:
    """Return the valid settings. One that is not valid is logged and skipped."""
    found = {}
    for light, text in database.execute("SELECT id, look FROM lights"):
        try:
            found[light] = RememberedLight.model_validate_json(text)
        except ValidationError:
            log.warning("The stored settings of light %s are invalid. It starts with its defaults.", light)
    return found


def keep(database: sqlite3.Connection, settings: Mapping[str, RememberedLight | None]) -> None:
    """Store these settings, each with the last changes of its light; None deletes all of it, as does a new light."""
    for light in (light for light, setting in settings.items() if setting is None or setting.is_new):
        database.execute("DELETE FROM lights WHERE id = ?", (light,))
        database.execute("DELETE FROM light_order WHERE light = ?", (light,))
        history.forget(database, light)
    there = {light: setting for light, setting in settings.items() if setting is not None}
    database.executemany(
        "INSERT INTO lights VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET look = excluded.look",
        [(light, setting.model_dump_json()) for light, setting in there.items()],
    )
    history.drop(database, {light: setting.moved for light, setting in there.items()})
    history.keep(database, {light: setting.moments for light, setting in there.items()})
