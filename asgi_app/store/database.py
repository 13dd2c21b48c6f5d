"""The file and the one thread that works on it: group commit, migrations, retention.

Nothing here blocks the caller: work is handed over and answered by a future. Whatever arrives while a transaction is
being written shares the next one (group commit). A file that cannot be written says so once, and the lights go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from asgi_app.errors import InternalError, NotStored, PanelError, SetupError
from asgi_app.journal import event
from asgi_app.models import Look
from asgi_app.store import audit, chat, lights, runs
from asgi_app.store.schema import SCHEMA_VERSION, migrate

log = logging.getLogger("pilotlight.store")

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]

CLOSE_SECONDS = 1.0  # for what is left to be written
CACHE_KIB = 256  # of SQLite's pages; its 2 MiB take minutes to fill up, and nothing is written any faster for them
BATCH = 256  # pieces of work in one transaction: bounds how long one waits for the others
ROOM = 1024 * 1024  # bytes of disk; with less, the next write may fail
PRUNE_ROWS = 2000  # at once, so that nobody waits for the retention


class Retention(NamedTuple):
    """How much is kept: messages of a thread, ended runs, lines of a run, rows of the audit trail."""

    messages: int = 10_000
    runs: int = 100
    lines: int = 1_000_000
    audit: int = 10_000


class _Job(NamedTuple):
    work: Work
    durable: bool
    best_effort: bool
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Any]


class Store:
    """The panel's memory in `directory/pilotlight.db`; `Store(None)` forgets everything at its end.

    `open` raises `SetupError` where the file cannot be used.
    """

    def __init__(self, directory: Path | None, retention: Retention = Retention()) -> None:  # noqa: B008 - frozen
        self.path = directory / "pilotlight.db" if directory else None
        self._retention = retention
        self._dirty: dict[str, Look] = {}
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()  # None: that was all
        self._open = False
        self._closing = threading.Lock()
        self._complained = False
        self.commits = 0  # transactions that changed something
        self.failures = 0  # pieces of work that could not be written
        self._durable: bool | None = None
        self._thread: threading.Thread | None = None
        self._database: sqlite3.Connection | None = None

    def open(self) -> dict[str, Look]:
        """Open the file, make it where there is none, and return how each light was set last."""
        try:
            if self.path is not None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(
                self.path or ":memory:", check_same_thread=False, isolation_level=None, cached_statements=256
            )
            looks = self._prepare(self._database)
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise SetupError(f"cannot use {self.path}: {error}") from error
        except SetupError:
            self.close()
            raise
        self._open = True
        self._thread = threading.Thread(target=self._work_on, name="store", daemon=True)
        self._thread.start()
        return looks

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """The answer of a query at once: for the start, when nobody waits for anything else."""
        assert self._database is not None
        return query(self._database)

    def do(self, work: Callable[[sqlite3.Connection], T], *, durable: bool = False) -> asyncio.Future[T]:
        """Do the work on the store's thread, in order, in a transaction that it may share with other work.

        The future has its result once that is committed; with `durable` a power cut does not undo it either. It
        raises `NotStored` where the file cannot be written.
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
                self._jobs.put(_Job(work, durable, best_effort, loop, done))
            elif best_effort:
                done.set_result(None)
            else:
                done.set_exception(NotStored("the panel has closed its file"))
        return done

    def save(self, light: str, look: Look) -> asyncio.Future[None]:
        """Remember how the light is set. Returns at once; the future is done once it is written, or cannot be."""
        self._dirty[light] = look
        return self.try_to(self._keep_looks)

    async def trouble(self) -> str | None:
        """Why nothing can be stored now; None where the last write worked, there is room, and the thread answers."""
        if self._complained:
            return "the file could not be written"
        if self.path is not None and shutil.disk_usage(self.path.parent).free < ROOM:
            return f"less than {ROOM // 1024} KiB are free on the disk"
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.do(lambda database: database.execute("SELECT 1").fetchone())
        except (NotStored, TimeoutError):
            return "the thread that writes does not answer"
        return None

    def prune(self) -> asyncio.Future[int]:
        """Forget what is older than the retention says, some of it at once; how many rows that were."""
        kept = self._retention
        return self.do(
            lambda database: (
                chat.prune(database, kept.messages, PRUNE_ROWS)
                + runs.prune(database, kept.runs, kept.lines, PRUNE_ROWS)
                + audit.prune(database, kept.audit, PRUNE_ROWS)
            )
        )

    def close(self) -> None:
        """Write what is left and close; closing twice is no error."""
        with self._closing:
            if self._open:
                self._jobs.put(None)
            self._open = False
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
        database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise SetupError(f"{self.path} is of a newer Pilot Light (schema {version}); update this one")
        migrate(database)
        database.execute("BEGIN IMMEDIATE")  # a file that can only be read says so now
        database.execute("ROLLBACK")
        for query in (chat.people, chat.rooms, runs.unended):  # what the start reads: if it is damaged, say so now
            query(database)
        return lights.looks(database)

    # --- on the store's thread -----------------------------------------------------------------------------

    def _work_on(self) -> None:
        while True:
            jobs = [self._jobs.get()]
            with contextlib.suppress(queue.Empty):
                while jobs[-1] is not None and len(jobs) < BATCH:
                    jobs.append(self._jobs.get_nowait())
            self._do_all([job for job in jobs if job is not None])
            if jobs[-1] is None:
                self._recovered()  # a last try
                return

    def _do_all(self, jobs: list[_Job]) -> None:
        """One transaction for all of them; where that fails, one for each, so that one costs the others nothing."""
        if not jobs:
            return
        try:
            results = self._transaction(jobs)
        except Exception as error:
            if len(jobs) > 1:
                for job in jobs:
                    self._do_all([job])
                return
            self._answer(jobs, [self._failed(error)])
        else:
            self._answer(jobs, results)

    def _transaction(self, jobs: list[_Job]) -> list[Any]:
        assert self._database is not None
        self._sync_for(any(job.durable for job in jobs))
        written = self._database.total_changes
        self._database.execute("BEGIN")
        try:
            results = [job.work(self._database) for job in jobs]
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise
        if self._database.total_changes != written:  # what only read says nothing of whether it can be written
            self._recovered()
            self.commits += 1
        return results

    def _recovered(self) -> None:
        """The file can be written, maybe again: then the looks are, too, that could not be meanwhile."""
        if self._complained and self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                self._keep_looks(self._database)
                log.warning("%s can be written again", self.path, extra=event("store_again", file=self.path))
        self._complained = False

    def _sync_for(self, durable: bool) -> None:
        """In WAL mode NORMAL survives the death of the process and FULL a power cut too (sqlite.org/pragma.html)."""
        if durable is not self._durable:
            assert self._database is not None
            self._database.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._durable = durable

    def _failed(self, error: Exception) -> Exception:
        if isinstance(error, PanelError):
            return error
        if not isinstance(error, sqlite3.Error) or isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            log.error("the store made a mistake", exc_info=error)
            return InternalError()
        if not self._complained:
            log.error(
                "%s cannot be written (%s): messages are refused, levels will not be remembered",
                self.path,
                error,
                extra=event("store_failed", file=self.path, reason=error),
            )
        self._complained = True
        self.failures += 1
        return NotStored(f"the panel's file cannot be written ({error}); nothing was stored")

    def _answer(self, jobs: list[_Job], results: list[Any]) -> None:
        """Tell each asker, in order; one hop into the loop for all of them."""
        answers = [
            (job.done, None if job.best_effort and isinstance(result, Exception) else result)
            for job, result in zip(jobs, results, strict=True)
        ]
        with contextlib.suppress(RuntimeError):  # the loop is gone, and with it the ones who waited
            jobs[0].loop.call_soon_threadsafe(_tell, answers)

    def _keep_looks(self, database: sqlite3.Connection) -> None:
        """Write every look that changed since the start: so one that could not be written is, with the next."""
        lights.keep(database, dict(self._dirty))


def _tell(answers: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for done, result in answers:
        if done.done():  # nobody waits any more
            continue
        if isinstance(result, Exception):
            done.set_exception(result)
        else:
            done.set_result(result)
