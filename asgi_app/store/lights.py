"""How each light was set last: SQL on the store's thread."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping

from pydantic import ValidationError

from asgi_app.models.lights import LightSettings

log = logging.getLogger("pilotlight.store")


def settings(database: sqlite3.Connection) -> dict[str, LightSettings]:
    """Return the valid settings. One that is not valid is logged and skipped."""
    found = {}
    for light, text in database.execute("SELECT id, look FROM lights"):
        try:
            found[light] = LightSettings.model_validate_json(text)
        except ValidationError:
            log.warning("The stored settings of light %s are invalid. It starts with its defaults.", light)
    return found


def keep(database: sqlite3.Connection, settings: Mapping[str, LightSettings]) -> None:
    """Store these settings."""
    database.executemany(
        "INSERT INTO lights VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET look = excluded.look",
        [(light, setting.model_dump_json()) for light, setting in settings.items()],
    )
