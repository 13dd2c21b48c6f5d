"""What outlives the process: one SQLite file (WAL) in the data directory. For now, how the lights were set.

Writes never block the caller: a thread of the store's own writes the newest look of each light and shares
one commit among those that arrive meanwhile. A store that cannot write says so once and the lights go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import threading
from pathlib import Path

from pydantic import ValidationError

from asgi_app.errors import SetupError
from asgi_app.models import Look

log = logging.getLogger("pilotlight.store")

Waiter = tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]

CLOSE_SECONDS = 0.5  # for what is left to be written
SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS lights (
    id TEXT PRIMARY KEY,
    look TEXT NOT NULL  -- JSON of models.Look
) WITHOUT ROWID;
"""


class Store:
    """The panel's memory in `directory/pilotlight.db`; `Store(None)` remembers nothing.

    `open` raises `SetupError` where the file cannot be used.
    """

    def __init__(self, directory: Path | None) -> None:
        self.path = directory / "pilotlight.db" if directory else None
        self._dirty: dict[str, Look] = {}
        self._waiting: list[Waiter] = []
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
            looks = self._prepare(self._database)
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise SetupError(f"cannot use {self.path}: {error}") from error
        except SetupError:
            self.close()
            raise
        self._thread = threading.Thread(target=self._write_on, name="store", daemon=True)
        self._thread.start()
        return looks

    def save(self, light: str, look: Look) -> asyncio.Future[None]:
        """Remember how the light is set. Returns at once; the future is done once it is written, or cannot be."""
        loop = asyncio.get_running_loop()
        written: asyncio.Future[None] = loop.create_future()
        with self._wake:
            if self._thread is None:
                written.set_result(None)
            else:
                self._dirty[light] = look
                self._waiting.append((loop, written))
                self._wake.notify()
        return written

    def close(self) -> None:
        """Write what is left and close; closing twice is no error."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(timeout=CLOSE_SECONDS)
            if self._thread.is_alive():  # stuck in a write: the database is its own until the process ends
                return
            self._thread = None
        if self._database is not None:
            self._database.close()
            self._database = None

    def _prepare(self, database: sqlite3.Connection) -> dict[str, Look]:
        """Bring the schema up to date and read the looks; raises `SetupError`, `sqlite3.Error`."""
        database.execute("PRAGMA journal_mode = WAL")
        # Survives the death of the process; a power cut may cost the last change, and no flash wear is worth it.
        database.execute("PRAGMA synchronous = NORMAL")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise SetupError(f"{self.path} is of a newer Pilot Light (schema {version}); update this one")
        database.executescript(SCHEMA)
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        looks = {}
        for light, text in database.execute("SELECT id, look FROM lights"):
            try:
                looks[light] = Look.model_validate_json(text)
            except ValidationError:
                log.warning("%s does not say how light %s was set; it starts afresh", self.path, light)
        return looks

    def _write_on(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._stopping:
                    self._wake.wait()
                dirty, self._dirty = self._dirty, {}
                waiting, self._waiting = self._waiting, []
                stopping = self._stopping
            if dirty and not self._write(dirty):
                with self._wake:
                    self._dirty = dirty | self._dirty  # tried again with the next change
            for loop, written in waiting:
                with contextlib.suppress(RuntimeError):  # the loop is gone, and with it the one who waited
                    loop.call_soon_threadsafe(_done, written)
            if stopping and not self._waiting:
                return

    def _write(self, dirty: dict[str, Look]) -> bool:
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
            return False
        self._complained = False
        return True


def _done(written: asyncio.Future[None]) -> None:
    if not written.done():
        written.set_result(None)
