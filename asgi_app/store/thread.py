"""`StoreThread`: the one thread that works on the file, with group commit.

Jobs that arrive during a transaction share the next one. The settings of the lights are written in the background, the
newest of each light, so that no light waits for a disk.
"""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from asgi_app.errors import NotStored
from asgi_app.models.history import RememberedLight
from asgi_app.store import lights as stored_lights
from asgi_app.store.condition import Condition
from asgi_app.store.file import DatabaseFile, is_busy, is_damaged
from asgi_app.store.file_recovery import FileRecovery
from asgi_app.store.jobs import Job, JobQueue
from asgi_app.store.pending_lights import PendingLights
from asgi_app.telemetry.tasks import resolve

log = logging.getLogger("pilotlight.store")

BATCH = 256  # jobs in one transaction: bounds how long one waits for the others
BUSY_SECONDS = 2.0  # for a lock that another process holds; no light waits for it
BUSY_PAUSE = 0.02
CHECK_SECONDS = 1.0  # between two checks of the file: is it still there, can it be written
LAST_TRY = 0.7  # seconds after `stop`, for a lock that another process holds


class _FileLost(Exception):
    """The file is not at its path any more, and nothing was committed."""


@dataclass(slots=True, eq=False)
class StoreThread:
    """The thread that does the jobs. `commits` counts the transactions that changed something."""

    _file: DatabaseFile
    _condition: Condition
    _lights: PendingLights
    _jobs: JobQueue
    _recovery: FileRecovery
    commits: int = 0
    fault: str | None = None  # why the thread has ended, if nobody stopped it
    _current: list[Job] = field(default_factory=list)
    _end_by: float = math.inf
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, and take jobs."""
        self._jobs.is_open = True
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Finish the jobs that wait. Return whether the thread has ended within `timeout` seconds."""
        self._end_by = time.monotonic() + LAST_TRY
        self._jobs.close()
        if self._thread is not None:
            self._thread.join(timeout)
        return not self.is_alive()

    def is_alive(self) -> bool:
        """Return whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._run_jobs()
        except BaseException as error:  # pydantic's PanicException is one, and nothing else would report it
            self._fail(error)

    def _run_jobs(self) -> None:
        check_at = 0.0
        while True:
            jobs, end = self._jobs.take(BATCH, self._pause(check_at))
            if end:
                self._lights.sync_now()
            self._do_all(jobs)
            if end:
                return
            if self._file.path is not None and time.monotonic() >= check_at:
                if self._recovery.recover():
                    self._do_all([])
                check_at = time.monotonic() + CHECK_SECONDS

    def _pause(self, check_at: float) -> float | None:
        """Return the seconds until there is work without a job; None if there never is."""
        if self._lights.waits() and self._condition.storage.kept:  # set during the last write
            return 0
        return None if self._file.path is None else check_at - time.monotonic()

    def _do_all(self, jobs: list[Job]) -> None:
        """Do the jobs and write the lights in one transaction, after a wait for the lock; if it fails, one by one."""
        self._current = jobs
        settings = self._lights.due()
        if not jobs and not settings:
            return
        until = time.monotonic() + (BUSY_SECONDS if self._condition.storage.kept else 0)
        while True:
            try:
                self._resolve(jobs, self._transaction(jobs, settings))
                return
            except Exception as error:
                if not is_busy(error) or time.monotonic() >= min(until, self._end_by):
                    fault = error
                    break
            time.sleep(BUSY_PAUSE)
            settings = self._lights.due()
        if len(jobs) + bool(settings) == 1:
            self._refuse(jobs, settings, fault)
            return
        for job in jobs:
            self._do_one([job], {})
        if settings:
            self._do_one([], settings)

    def _do_one(self, jobs: list[Job], settings: Mapping[str, RememberedLight | None]) -> None:
        try:
            results = self._transaction(jobs, settings)
        except Exception as error:
            self._refuse(jobs, settings, error)
        else:
            self._resolve(jobs, results)

    def _refuse(self, jobs: list[Job], settings: Mapping[str, RememberedLight | None], error: Exception) -> None:
        reported = self._recovery.error_for(error)
        if not isinstance(reported, NotStored):  # not the fault of the file: it would fail again and again
            self._lights.give_up(settings)
        self._resolve(jobs, [reported] * len(jobs))

    def _transaction(self, jobs: list[Job], settings: Mapping[str, RememberedLight | None]) -> list[Any]:
        try:
            return self._commit(jobs, settings)
        except (_FileLost, sqlite3.DatabaseError) as error:
            if isinstance(error, sqlite3.Error) and (not is_damaged(error) or self._file.state() == "there"):
                raise
        self._recovery.check_file()
        return self._commit(jobs, settings)  # in the file that is there now

    def _commit(self, jobs: list[Job], settings: Mapping[str, RememberedLight | None]) -> list[Any]:
        if (database := self._file.connection) is None:
            raise NotStored(f"{self._condition.storage.reason} Nothing was stored.")
        sync_lights = self._lights.sync_is_due()
        synced = sync_lights or any(job.durable for job in jobs)
        self._file.sync_for(synced)
        before = database.total_changes
        database.execute("BEGIN")
        try:
            if settings:  # first: who asks for the history of a light has changed it before
                stored_lights.keep(database, settings)
            results = [job.work(database) for job in jobs]
            if sync_lights:
                self._file.write_a_page()
            changed = database.total_changes != before
            if changed and self._file.state() != "there":
                raise _FileLost
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
        if not changed:  # a read does not show whether the file can be written
            return results
        if not self._recovery.check_file():
            raise NotStored(f"{self._file.path} was replaced by another file. Nothing was stored.")
        self.commits += 1
        self._lights.written(settings, synced=synced)
        self._condition.works()
        return results

    def _resolve(self, jobs: list[Job], results: list[Any]) -> None:
        self._current = []
        answers = [
            (job.done, None if job.best_effort and isinstance(result, Exception) else result)
            for job, result in zip(jobs, results, strict=True)
        ]
        if jobs:
            resolve(jobs[0].loop, answers)

    def _fail(self, error: BaseException) -> None:
        """End after a fault, and refuse every job. `Store.ended` reports it, and the panel ends too."""
        self.fault = f"{type(error).__name__}: {error}"
        jobs = [*self._current, *self._jobs.drain()]
        gone = NotStored("The thread that writes the panel's file has ended. Nothing was stored.")
        self._resolve(jobs, [gone] * len(jobs))
        log.critical("The thread that writes %s has ended: %s", self._file.path, self.fault, exc_info=error)
