"""`Store`: hands work to the thread that owns the file, and answers with futures. Only the start and the end block."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from asgi_app.errors import NotStored, PanelError, SetupError
from asgi_app.models.history import RememberedLight
from asgi_app.models.machine import Storage
from asgi_app.store import audit, chat, runs
from asgi_app.store.condition import Changed, Condition, Reopened
from asgi_app.store.file import DatabaseFile, NotNow
from asgi_app.store.file_recovery import FileRecovery
from asgi_app.store.jobs import Job, JobQueue, Work
from asgi_app.store.pending_lights import PendingLights
from asgi_app.store.schema import migrate
from asgi_app.store.thread import BUSY_PAUSE, StoreThread

log = logging.getLogger("pilotlight.store")

T = TypeVar("T")

CLOSE_SECONDS = 1.0  # for what is left to be written
ROOM = 1024 * 1024  # bytes free on the disk; with less, the next write may fail
START_SECONDS = 1.0  # that the start waits for a lock
PRUNE_ROWS = 2000  # at once, so that nobody waits for it


class Retention(NamedTuple):
    """Limits of what is kept: messages of a thread, ended runs, lines of a run, rows of the trail, bytes of chat."""

    messages: int = 10_000
    runs: int = 100
    lines: int = 1_000_000
    audit: int = 10_000
    message_bytes: int = 256 * 1024 * 1024


class Store:
    """The stored data, in `directory/pilotlight.db`. `Store(None)` keeps it in memory, and loses it at the end.

    While the file cannot be used, the store tries again, `storage` has the reason, and work is refused.
    """

    def __init__(self, directory: Path | None, retention: Retention = Retention()) -> None:  # noqa: B008 - frozen
        self.path = directory / "pilotlight.db" if directory else None
        self._retention = retention
        self._file = DatabaseFile(self.path)
        self._condition = Condition(self.path)
        self._lights = PendingLights()
        self._jobs = JobQueue()
        self._recovery = FileRecovery(self._file, self._condition, self._lights)
        self._thread = StoreThread(self._file, self._condition, self._lights, self._jobs, self._recovery)

    @property
    def storage(self) -> Storage:
        """Whether the file can be written now, and why not."""
        return self._condition.storage

    @property
    def commits(self) -> int:
        """Transactions that changed something."""
        return self._thread.commits

    @property
    def failures(self) -> int:
        """Jobs that could not be written."""
        return self._recovery.failures

    def open(self) -> dict[str, RememberedLight]:
        """Open the file, or create it. Return how each light was set last.

        Raises `SetupError` if the file cannot be used, unless the reason may pass: then the store tries again.
        """
        settings: dict[str, RememberedLight] = {}
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                settings = self._file.open()
                self._file.try_writing()
                break
            except NotNow as error:
                reason = error.detail
            except SetupError:
                self.close()
                raise
            except sqlite3.Error as error:
                reason = str(error)
            if time.monotonic() >= until:
                self._condition.failed(reason)
                break
            time.sleep(BUSY_PAUSE)
        self._thread.start()
        return settings

    def watch(self, changed: Changed, reopened: Reopened) -> None:
        """Call `changed` on this loop when writing fails or works again, `reopened` when a new or late file is open.

        `reopened` gets the settings in that file of the lights that were not set since the start.
        """
        self._condition.watch(changed, reopened)

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Return the answer of a query at once. Only for the start: it blocks the loop."""
        if self._file.connection is not None:
            return query(self._file.connection)
        with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as empty:
            migrate(empty)
            return query(empty)

    def do(self, work: Callable[[sqlite3.Connection], T], *, durable: bool = False) -> asyncio.Future[T]:
        """Do the work on the store's thread, in order, in a transaction that other work may share.

        The future resolves once that is committed; with `durable`, it then survives a power cut too. If the commit
        fails, the work is done again from its beginning. Raises `NotStored` if the file cannot be written.
        """
        return self._submit(work, durable=durable, best_effort=False)

    def try_to(self, work: Callable[[sqlite3.Connection], None]) -> asyncio.Future[None]:
        """Do work that may fail, like `do`. Then the future resolves to None, and the log has the reason."""
        return self._submit(work, durable=False, best_effort=True)

    def _submit(self, work: Work, *, durable: bool, best_effort: bool) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        if not self._jobs.put(Job(work, durable, best_effort, loop, done)):
            if best_effort:
                done.set_result(None)
            else:
                done.set_exception(NotStored("The panel has closed its file."))
        return done

    def save(self, light: str, settings: RememberedLight | None) -> None:
        """Write the settings of the light in the background, and return at once. None deletes all of it.

        Only the newest settings of each light are written, as soon as the file can be written. Then they survive the
        end of the process. At most two seconds later they survive a power cut, too.
        """
        if self._lights.save(light.rpartition(".")[2], settings):  # the file has it without its node
            self._jobs.wake()

    async def trouble(self) -> str | None:
        """Return why nothing can be stored now; None if the last write worked, and there is room for another."""
        if not self.storage.kept:
            return self.storage.reason
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                free = await self.do(self._free)
        except (PanelError, TimeoutError):
            return "The thread that writes does not answer."
        return None if free >= ROOM else f"The disk has less than {ROOM // 1024} KiB free."

    def ended(self) -> str | None:
        """Return why the thread has ended, if nobody closed the store."""
        if self._thread.fault is None and (not self._jobs.is_open or self._thread.is_alive()):
            return None
        return f"the thread that writes the file has ended ({self._thread.fault or 'for an unknown reason'})"

    def prune(self) -> asyncio.Future[int]:
        """Delete some of what the retention does not keep. Resolves to the number of rows."""
        return self.do(self._prune)

    def close(self) -> None:
        """Write what is left, and close the file. A second call does nothing."""
        if self._thread.stop(CLOSE_SECONDS):
            self._file.close()
        elif lights := self._lights.unwritten():  # the thread is stuck in a write, and keeps the file
            log.error("%s does not answer. The last level of %s is lost.", self.path, ", ".join(lights))

    def _prune(self, database: sqlite3.Connection) -> int:
        kept = self._retention
        return (
            chat.prune(database, kept.messages, kept.message_bytes, PRUNE_ROWS)
            + runs.prune(database, kept.runs, kept.lines, PRUNE_ROWS)
            + audit.prune(database, kept.audit, PRUNE_ROWS)
        )

    def _free(self, database: sqlite3.Connection) -> float:
        """Return the bytes that are free for the file. Runs on the thread, because a stalled disk blocks it."""
        return math.inf if self.path is None else shutil.disk_usage(self.path.parent).free
