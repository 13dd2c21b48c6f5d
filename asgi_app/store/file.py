"""The database file: opening it, keeping it private, and noticing that somebody has taken it away.

SQLite goes on writing to a file that was deleted or moved, and nobody would ever find what it wrote. So the file at
the path is compared with the open one, by device and inode, before anything is acknowledged.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
from pathlib import Path
from typing import Literal, NamedTuple

from asgi_app.errors import PanelError, SetupError
from asgi_app.models import Look
from asgi_app.store import chat, lights, runs
from asgi_app.store.schema import SCHEMA_VERSION, migrate

CACHE_KIB = 256  # of SQLite's pages; its 2 MiB take minutes to fill up, and nothing is written any faster for them
SIDE_FILES = ("-wal", "-shm")  # beside the database while it is open (sqlite.org/tempfiles.html)
PRIVATE_FILE, PRIVATE_DIRECTORY = 0o600, 0o700

Taken = Literal["there", "gone", "replaced", "side file gone"]

# Faults that pass: somebody else holds the lock, the disk is full, memory or file descriptors have run out.
PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
}
PASSING_ERRNO = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EBUSY}


class NotNow(SetupError):
    """The file cannot be used now, for a reason that passes: it is tried again."""


class _Inodes(NamedTuple):
    """Which files are open: device and inode of the database, and of those of its side files that there are."""

    database: tuple[int, int] | None
    side: tuple[tuple[int, int] | None, ...]


def primary_code(error: BaseException) -> int | None:
    """SQLite's result code without its extension (sqlite.org/rescode.html)."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def is_busy(error: BaseException) -> bool:
    """Whether another process holds the lock."""
    return primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_damaged(error: BaseException) -> bool:
    """Whether the file itself is damaged: that does not pass."""
    return primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_stale(error: BaseException) -> bool:
    """Whether the open file may be one of a disk that was taken out and put in again."""
    return primary_code(error) == sqlite3.SQLITE_IOERR


def reason_of(error: BaseException) -> str:
    """Why it failed, without the path: everybody may read it."""
    if isinstance(error, PanelError):
        return error.detail
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def passes(error: BaseException) -> bool:
    """Whether the same may work later, without anybody mending the file."""
    if isinstance(error, sqlite3.Error):
        return primary_code(error) in PASSING
    return isinstance(error, OSError) and error.errno in PASSING_ERRNO


class DatabaseFile:
    """The open database at a path, or in memory where there is none. All of it is for one thread at a time."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.connection: sqlite3.Connection | None = None
        self._inodes = _Inodes(None, ())

    def open(self) -> dict[str, Look]:
        """Open the file, make it where there is none, bring it up to date; how each light was set last.

        Raises `NotNow` for what passes, `SetupError` for what does not.
        """
        try:
            connection = self._connect()
            try:
                looks = self._prepare(connection)
            except BaseException:
                connection.close()
                raise
        except (OSError, sqlite3.Error) as error:
            kind = NotNow if passes(error) else SetupError
            raise kind(f"cannot use {self.path}: {error}") from error
        self.close()
        self.connection = connection
        self._inodes = self._look()
        return looks

    def close(self) -> None:
        """Close it; what is in its log is worked into it. Closing twice is no error."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    # --- is it still there? ----------------------------------------------------------------------------------

    def taken(self) -> Taken:
        """What became of the open file: it is there, gone, or another one is in its place. Raises `OSError`."""
        if self.path is None or self.connection is None:
            return "there"
        now = self._look()
        if now == self._inodes:
            return "there"
        if now.database is None:
            return "gone"
        if now.database != self._inodes.database:
            return "replaced"
        return "side file gone"

    def put_back(self) -> None:
        """Make the file anew from the open one, which has everything, and go on with it.

        Raises `OSError`, `sqlite3.Error`, `SetupError`; then the open one is as it was.
        """
        assert self.path is not None
        assert self.connection is not None
        self._make_directory()
        new = self.path.with_name(f"{self.path.name}.new")
        for path in (new, *self._side_files()):  # those that were left belong to nothing
            path.unlink(missing_ok=True)
        try:
            _make_private(new)
            with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as copy:
                self.connection.backup(copy)
            if self.path.exists():
                raise FileExistsError(errno.EEXIST, "somebody has made another one", str(self.path))
            os.rename(new, self.path)
        finally:
            new.unlink(missing_ok=True)
        _sync_directory(self.path.parent)
        self.open()  # SQLite sees that the old one was moved, and leaves the new one's log alone when it closes that

    def settle(self) -> None:
        """Work the log into the database and open it again: its side files are made anew.

        Raises `sqlite3.Error`, `SetupError`.
        """
        assert self.connection is not None
        ((busy, _, _),) = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if busy:
            raise NotNow(f"cannot use {self.path}: another process reads it, and its log was deleted")
        self.close()
        self.open()

    def take_over(self) -> dict[str, Look]:
        """Open the file that is in the old one's place now; how the lights are set in it.

        The numbers of messages go on where they were, so that none is there twice. Raises as `open`.
        """
        numbers = chat.numbers(self.connection) if self.connection is not None else None
        for path, ours in zip(self._side_files(), self._inodes.side, strict=True):
            if ours is not None and _inode(path) == ours:  # SQLite would play the old file's log into the new one
                path.unlink()
        looks = self.open()
        if numbers is not None and self.connection is not None:
            self.connection.execute("BEGIN IMMEDIATE")
            chat.go_on_from(self.connection, numbers)
            self.connection.execute("COMMIT")
        return looks

    # --- how it is opened --------------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        if self.path is not None:
            self._make_directory()
            _make_private(self.path)
            for path in self._side_files():  # of an older version, after a crash
                _make_private(path, create=False)
        # No timeout: whoever waits for a lock can then be told to stop waiting.
        return sqlite3.connect(
            self.path or ":memory:", check_same_thread=False, isolation_level=None, cached_statements=256, timeout=0
        )

    def _prepare(self, database: sqlite3.Connection) -> dict[str, Look]:
        """Bring the schema up to date and read the looks; raises `SetupError`, `sqlite3.Error`."""
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise SetupError(f"{self.path} is of a newer Pilot Light (schema {version}); update this one")
        migrate(database)
        try:
            database.execute("BEGIN IMMEDIATE")  # a file that can only be read says so now
            database.execute("ROLLBACK")
        except sqlite3.Error as error:
            if not passes(error):
                raise
        for query in (chat.people, chat.rooms, runs.unended):  # what the start reads: if it is damaged, say so now
            query(database)
        return lights.looks(database)

    def write_a_page(self) -> None:
        """Within a transaction: write a page that changes nothing. A row that is written as it was is no write."""
        assert self.connection is not None
        self.connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def try_writing(self) -> None:
        """Write a page that changes nothing. Raises `sqlite3.Error` where nothing can be written."""
        assert self.connection is not None
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            self.write_a_page()
            self.connection.execute("COMMIT")
        finally:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    def _make_directory(self) -> None:
        """Only what is made here is made private: a directory of the owner's may be for other things too."""
        assert self.path is not None
        self.path.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)

    def _side_files(self) -> list[Path]:
        assert self.path is not None
        return [self.path.with_name(self.path.name + suffix) for suffix in SIDE_FILES]

    def _look(self) -> _Inodes:
        if self.path is None:
            return _Inodes(None, ())
        return _Inodes(_inode(self.path), tuple(_inode(path) for path in self._side_files()))


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def _make_private(path: Path, *, create: bool = True) -> None:
    """Have the file be its owner's alone. SQLite gives a database's side files the mode of the database.

    One that is there is not opened: closing it again would drop the locks that SQLite has on it (fcntl_locking(2)).
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        if create:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE))
        return
    if stat.S_ISREG(mode) and mode & 0o077:
        with contextlib.suppress(PermissionError):  # somebody else's, who lets us write
            os.chmod(path, PRIVATE_FILE)


def _sync_directory(directory: Path) -> None:
    with contextlib.suppress(OSError):  # some file systems cannot do it
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
