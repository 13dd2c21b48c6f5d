"""The one thread that works on the file: group commit, retention, and going on when the file cannot be written.

Nothing here blocks the caller: work is handed over and answered by a future. Whatever arrives while a transaction is
being written shares the next one (group commit). How the lights are set is written in the background, the newest of
each light, so that no light waits for a disk. A file that cannot be written says so once, and is tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from asgi_app.errors import InternalError, NotStored, PanelError, SetupError
from asgi_app.models import LightSettings, Storage
from asgi_app.store import lights
from asgi_app.store.condition import Condition
from asgi_app.store.file import TAKEN, DatabaseFile, NotNow, is_busy, is_damaged, is_stale, reason_of
from asgi_app.store.jobs import Job, JobQueue, Work, answer
from asgi_app.store.pending_lights import PendingLights
from asgi_app.store.retention import Retention, prune
from asgi_app.store.schema import empty_database
from asgi_app.telemetry.logs import event

log = logging.getLogger("pilotlight.store")

T = TypeVar("T")

CLOSE_SECONDS = 1.0  # for what is left to be written
LAST_TRY = 0.7  # of them, for a lock that another process holds
BATCH = 256  # pieces of work in one transaction: bounds how long one waits for the others
ROOM = 1024 * 1024  # bytes of disk; with less, the next write may fail
BUSY_SECONDS = 2.0  # that somebody waits for a lock of another process; the light does not
BUSY_PAUSE = 0.02
START_SECONDS = 1.0  # that the start waits for a lock
LOOK_SECONDS = 1.0  # between two looks at the file: is it still there, can it be written again


class _Taken(Exception):
    """The file is not there any more; nothing was committed."""


class Store:
    """The panel's memory in `directory/pilotlight.db`; `Store(None)` forgets everything at its end.

    `open` raises `SetupError` where the file cannot be used, but for what passes: that is tried again, and meanwhile
    `storage` says why not, and what should be stored is refused.
    """

    def __init__(self, directory: Path | None, retention: Retention = Retention()) -> None:  # noqa: B008 - frozen
        self.path = directory / "pilotlight.db" if directory else None
        self.commits = 0  # transactions that changed something
        self.failures = 0  # pieces of work that could not be written
        self.fault: str | None = None  # what ended the thread, where it was no `close`
        self._retention = retention
        self._file = DatabaseFile(self.path)
        self._condition = Condition(self.path)
        self._lights = PendingLights()
        self._jobs = JobQueue()
        self._in_hand: list[Job] = []
        self._open = False
        self._closing = threading.Lock()
        self._end_by = math.inf
        self._thread: threading.Thread | None = None

    @property
    def storage(self) -> Storage:
        """Whether the file can be written now, and why not."""
        return self._condition.storage

    def open(self) -> dict[str, LightSettings]:
        """Open the file, make it where there is none, and return how each light was set last."""
        settings: dict[str, LightSettings] = {}
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
        self._open = True
        self._thread = threading.Thread(target=self._work_on, name="store", daemon=True)
        self._thread.start()
        return settings

    def watch(
        self, changed: Callable[[Storage], None], reopened: Callable[[Mapping[str, LightSettings]], None]
    ) -> None:
        """From now on say on the running loop what becomes of the file.

        `changed` is told that it cannot be written, or can be again; `reopened` that another file was opened, or that
        it was opened late, and how the lights are set in it that were not set meanwhile.
        """
        self._condition.watch(changed, reopened)

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """The answer of a query at once: for the start, when nobody waits for anything else."""
        if self._file.connection is not None:
            return query(self._file.connection)
        with empty_database() as nothing:
            return query(nothing)

    def do(self, work: Callable[[sqlite3.Connection], T], *, durable: bool = False) -> asyncio.Future[T]:
        """Do the work on the store's thread, in order, in a transaction that it may share with other work.

        It is done again from its beginning where the transaction could not be committed. The future has its result
        once that is committed; with `durable` a power cut does not undo it either. It raises `NotStored` where the file
        cannot be written.
        """
        return self._hand_over(work, durable=durable, best_effort=False)

    def try_to(self, work: Callable[[sqlite3.Connection], None]) -> asyncio.Future[None]:
        """As `do`, for what may fail: the future is then done all the same, and the log has said so."""
        return self._hand_over(work, durable=False, best_effort=True)

    def _hand_over(self, work: Work, *, durable: bool, best_effort: bool) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        with self._closing:
            if self._open:
                self._jobs.put(Job(work, durable, best_effort, loop, done))
            elif best_effort:
                done.set_result(None)
            else:
                done.set_exception(NotStored("the panel has closed its file"))
        return done

    def save(self, light: str, setting: LightSettings) -> None:
        """Remember how the light is set, as soon as the file takes it; nobody waits for that.

        The newest look of each light is written. The end of the process does not undo it once it is, nor, at most two
        seconds later, a power cut. While the file cannot be written it waits, and is written as soon as it can be.
        """
        if self._lights.save(light, setting):
            self._jobs.wake()

    async def trouble(self) -> str | None:
        """Why nothing can be stored now; None where the last write worked, there is room, and the thread answers."""
        if not self.storage.kept:
            return self.storage.reason
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                free = await self.do(self._free)
        except (PanelError, TimeoutError):
            return "the thread that writes does not answer"
        return None if free >= ROOM else f"less than {ROOM // 1024} KiB are free on the disk"

    def ended(self) -> str | None:
        """Why the thread that does the work has ended, where nobody closed the store."""
        if self.fault is None and (not self._open or (self._thread is not None and self._thread.is_alive())):
            return None
        return f"the thread that writes the file has ended ({self.fault or 'nobody knows why'})"

    def prune(self) -> asyncio.Future[int]:
        """Forget what is older than the retention says, some of it at once; how many rows that were."""
        return self.do(partial(prune, kept=self._retention))

    def close(self) -> None:
        """Write what is left and close; closing twice is no error."""
        with self._closing:
            self._end_by = time.monotonic() + LAST_TRY
            if self._open:
                self._jobs.end()
            self._open = False
        if self._thread is not None:
            self._thread.join(timeout=CLOSE_SECONDS)
            if self._thread.is_alive():  # stuck in a write: the database is its own until the process ends
                if lights := self._lights.unwritten():
                    log.error("%s does not answer: the last level of %s is lost", self.path, ", ".join(lights))
                return
            self._thread = None
        self._file.close()

    # --- on the store's thread -----------------------------------------------------------------------------

    def _work_on(self) -> None:
        try:
            self._work_until_the_end()
        except BaseException as error:  # pydantic's PanicException is one: nothing else would say that it ended
            self._die(error)

    def _work_until_the_end(self) -> None:
        look_at = 0.0
        while True:
            jobs, end = self._jobs.take(BATCH, self._pause(look_at))
            if end:
                self._lights.sync_now()
            self._do_all(jobs)
            if end:
                return
            if self.path is not None and time.monotonic() >= look_at:
                self._look_after_all()
                look_at = time.monotonic() + LOOK_SECONDS

    def _pause(self, look_at: float) -> float | None:
        """Seconds until there is something to do without anybody asking; None where there never is."""
        if self._lights.waits() and not self._condition.refuses:  # set while the last write ran
            return 0
        return None if self.path is None else look_at - time.monotonic()

    def _do_all(self, jobs: list[Job]) -> None:
        """Commit the jobs and the light settings in one transaction. Where that fails, each gets its own.

        Where another process holds the lock, they wait for it together.
        """
        self._in_hand = jobs
        settings = self._lights.due()
        if not jobs and not settings:
            return
        until = time.monotonic() + (0 if self._condition.refuses else BUSY_SECONDS)
        while True:
            try:
                self._answer(jobs, self._transaction(jobs, settings))
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

    def _do_one(self, jobs: list[Job], settings: Mapping[str, LightSettings]) -> None:
        try:
            results = self._transaction(jobs, settings)
        except Exception as error:
            self._refuse(jobs, settings, error)
        else:
            self._answer(jobs, results)

    def _refuse(self, jobs: list[Job], settings: Mapping[str, LightSettings], error: Exception) -> None:
        told = self._failed(error)
        if not isinstance(told, NotStored):  # it is not the file: the same would fail again and again
            self._lights.give_up(settings)
        self._answer(jobs, [told] * len(jobs))

    def _transaction(self, jobs: list[Job], settings: Mapping[str, LightSettings]) -> list[Any]:
        try:
            return self._commit(jobs, settings)
        except (_Taken, sqlite3.DatabaseError) as error:
            if isinstance(error, sqlite3.Error) and (not is_damaged(error) or self._file.taken() == "there"):
                raise
        self._look_after_file()
        return self._commit(jobs, settings)  # in the file that is there now

    def _commit(self, jobs: list[Job], settings: Mapping[str, LightSettings]) -> list[Any]:
        if (database := self._file.connection) is None:
            raise NotStored(f"{self.storage.reason}; nothing was stored")
        sync_lights = self._lights.sync_is_due()
        synced = sync_lights or any(job.durable for job in jobs)
        self._file.sync_for(synced)
        before = database.total_changes
        database.execute("BEGIN")
        try:
            results = [job.work(database) for job in jobs]
            if settings:
                lights.keep(database, settings)
            if sync_lights:
                self._file.write_a_page()
            changed = database.total_changes != before
            if changed and self._file.taken() != "there":
                raise _Taken
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
        if not changed:  # what only read says nothing of whether it can be written
            return results
        if not self._look_after_file():
            raise NotStored(f"{self.path} was replaced by another file; nothing was stored")
        self.commits += 1
        self._lights.written(settings, synced=synced)
        self._condition.works()
        return results

    # --- the file ------------------------------------------------------------------------------------------

    def _look_after_all(self) -> None:
        """Open the file where it could not be, go on with one that was made anew, try again what could not be done."""
        try:
            if self._file.connection is None:
                self._open_late()
            self._look_after_file()
            if self._condition.refuses:
                self._file.try_writing()
                self._condition.works()
        except Exception as error:
            self._failed(error)
            if is_stale(error):
                with contextlib.suppress(SetupError):
                    self._file.open()
        else:
            self._do_all([])

    def _open_late(self) -> None:
        settings = self._file.open()
        log.warning("%s is open now", self.path, extra=event("store_opened", file=self.path))
        self._condition.reopened(self._lights.untouched(settings))

    def _look_after_file(self) -> bool:
        """Go on with the file that is there now; whether all that was committed is in it.

        Raises `NotStored` where there is none, and none can be made.
        """
        was = taken = self._file.taken()
        if taken == "there":
            return True
        try:
            if taken == "replaced":
                self._take_over()
                what = "the panel goes on with that"
            elif self._put_back():
                what = "it was made anew, with everything that was in it"
            else:
                taken, what = "replaced", "it cannot be read any more, and an empty one was made anew"
        except (OSError, sqlite3.Error, SetupError) as error:
            taken_away = f"the file was taken away, and no other can be used yet: {reason_of(error)}"
            raise self._failed(NotNow(taken_away)) from error
        log.warning("%s %s; %s", self.path, TAKEN[was], what, extra=event("store_moved", file=self.path, what=was))
        return taken != "replaced"

    def _put_back(self) -> bool:
        """Make the file anew with all that was in it; where that cannot be read any more, an empty one: False then."""
        try:
            self._file.put_back()
        except (sqlite3.Error, SetupError) as error:
            if not is_damaged(error) or not self._file.is_empty():
                raise
            self._take_over()
            return False
        return True

    def _take_over(self) -> None:
        """Go on with the file that is at the path now, or an empty one."""
        self._file.take_over()
        self._lights.write_all_again()
        self._condition.damaged = False
        self._condition.reopened({})

    def _free(self, database: sqlite3.Connection) -> float:
        """Bytes that are free for the file; on this thread, since a disk that stalls stalls this too."""
        return math.inf if self.path is None else shutil.disk_usage(self.path.parent).free

    # --- answers -------------------------------------------------------------------------------------------

    def _answer(self, jobs: list[Job], results: list[Any]) -> None:
        self._in_hand = []
        answer(jobs, results)

    def _failed(self, error: Exception) -> Exception:
        """What the asker is told. What is the file's fault is said to everybody, once."""
        own_mistake = sqlite3.IntegrityError | sqlite3.ProgrammingError
        if isinstance(error, PanelError) and not isinstance(error, SetupError):
            return error
        if not isinstance(error, sqlite3.Error | OSError | SetupError) or isinstance(error, own_mistake):
            log.error("the store made a mistake", exc_info=error)
            return InternalError()
        self.failures += 1
        self._condition.damaged |= is_damaged(error)
        reason = reason_of(error)
        self._condition.failed(reason)
        return NotStored(f"the panel's file cannot be written ({reason}); nothing was stored")

    def _die(self, error: BaseException) -> None:
        """The thread ends by a fault: whoever waits is told. The panel watches `ended`, and ends too."""
        self.fault = f"{type(error).__name__}: {error}"
        with self._closing:
            self._open = False
        jobs = [*self._in_hand, *self._jobs.rest()]
        gone = NotStored("the thread that writes the panel's file has ended; nothing was stored")
        self._answer(jobs, [gone] * len(jobs))
        log.critical("the thread that writes %s has ended: %s", self.path, self.fault, exc_info=error)
