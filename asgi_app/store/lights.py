"""How each light was set last."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping

from pydantic import ValidationError

from asgi_app.models import LightSettings

log = logging.getLogger("pilotlight.store")


def settings(database: sqlite3.Connection) -> dict[str, LightSettings]:
    """The settings that make sense; another one costs its light its memory, and is said."""
    found = {}
    for light, text in database.execute("SELECT id, look FROM lights"):
        try:
            found[light] = LightSettings.model_validate_json(text)
        except ValidationError:
            log.warning("the store does not say how light %s was set; it starts afresh", light)
    return found


def keep(database: sqlite3.Connection, settings: Mapping[str, LightSettings]) -> None:
    """Remember these."""
    database.executemany(
        "INSERT INTO lights VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET look = excluded.look",
        [(light, setting.model_dump_json()) for light, setting in settings.items()],
    )
