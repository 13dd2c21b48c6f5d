"""What outlives the process: one SQLite file (WAL) in the data directory. For now, how the lights were set.

Writes never block the caller: a thread of the store's own writes the newest look of each light and shares
one commit among those that arrive meanwhile. A store that cannot write says so once and the lights go on.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from pathlib import Path

from asgi_app.errors import SetupError
from asgi_app.models import Look

log = logging.getLogger("pilotlight.store")

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS lights (
    id TEXT PRIMARY KEY,
    look TEXT NOT NULL  -- JSON of models.Look
) WITHOUT ROWID;
"""


class Store:
    """The panel's memory in `directory/pilotlight.db`.

    `open` raises `SetupError` where the file cannot be read; `Store(None)` remembers nothing.
    """

    def __init__(self, directory: Path | None) -> None:
        self.path = directory / "pilotlight.db" if directory else None
        self._dirty: dict[str, Look] = {}
        self._wake = threading.Condition()
        self._stopping = False
        self._complained = False
        self._thread: threading.Thread | None = None
        self._database: sqlite3.Connection | None = None

    def open(self) -> dict[str, Look]:
        """Open the file, make it where there is none, and return how each light was set last."""
        if self.path is None:
            return {}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            if version > SCHEMA_VERSION:
                raise SetupError(f"{self.path} is of a newer Pilot Light (schema {version}); update this one")
            self._database.executescript(SCHEMA)
            self._database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            rows = self._database.execute("SELECT id, look FROM lights").fetchall()
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise SetupError(f"cannot use {self.path}: {error}") from error
        self._thread = threading.Thread(target=self._write_on, name="store", daemon=True)
        self._thread.start()
        return {id: Look.model_validate_json(look) for id, look in rows}

    def save(self, light: str, look: Look) -> None:
        """Remember how the light is set; returns at once."""
        with self._wake:
            self._dirty[light] = look
            self._wake.notify()

    def close(self) -> None:
        """Write what is left and close; closing twice is no error."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(timeout=2)
            self._thread = None
        if self._database is not None:
            self._database.close()
            self._database = None

    def _write_on(self) -> None:
        while True:
            with self._wake:
                while not self._dirty and not self._stopping:
                    self._wake.wait()
                if not self._dirty:
                    return
                dirty, self._dirty = self._dirty, {}
            self._write(dirty)

    def _write(self, dirty: dict[str, Look]) -> None:
        assert self._database is not None
        try:
            with self._database:
                self._database.execute("BEGIN")
                self._database.executemany(
                    "INSERT INTO lights VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET look = excluded.look",
                    [(light, look.model_dump_json()) for light, look in dirty.items()],
                )
        except sqlite3.Error as error:
            if not self._complained:
                log.error("%s cannot be written (%s): levels will not be remembered", self.path, error)
            self._complained = True
        else:
            self._complained = False
