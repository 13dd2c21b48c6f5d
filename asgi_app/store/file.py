"""`DatabaseFile`: opening the file, keeping it private, and noticing that it was taken away.

SQLite continues to write to a file that was deleted or moved, and that data would be lost. So before anything is
acknowledged, the file at the path is compared with the open one, by device and inode.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import quote

from asgi_app.errors import PanelError, SetupError
from asgi_app.models.history import RememberedLight
from asgi_app.store import chat, lights, runs
from asgi_app.store.schema import SCHEMA_VERSION, migrate

CACHE_KIB = 256  # of SQLite's pages; its default of 2 MiB takes minutes to fill, and makes no write faster
SIDE_FILES = ("-wal", "-shm")  # beside the database while it is open (sqlite.org/tempfiles.html)
PRIVATE_FILE, PRIVATE_DIRECTORY = 0o600, 0o700

FileState = Literal["there", "gone", "replaced", "cut short", "side file gone"]
LOST: dict[FileState, str] = {
    "gone": "was deleted or moved away",
    "replaced": "was replaced by another file",
    "cut short": "was cut short by another process",
    "side file gone": "has lost its log (-wal or -shm), which was deleted",
}

# Temporary faults: another process holds the lock, the disk is full, memory or file descriptors have run out.
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
    """The file cannot be used now, for a temporary reason."""


class Damaged(SetupError):
    """The content of the file is unreadable."""


class _Inodes(NamedTuple):
    """The open files: device and inode of the database, and of its side files."""

    database: tuple[int, int] | None
    size: int  # of the database: SQLite never shrinks it, so a smaller one was overwritten
    side: tuple[tuple[int, int] | None, ...]


def primary_code(error: BaseException) -> int | None:
    """Return SQLite's primary result code (sqlite.org/rescode.html)."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def is_busy(error: BaseException) -> bool:
    """Return whether another process holds the lock."""
    return primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_damaged(error: BaseException) -> bool:
    """Return whether the file itself is damaged, which is not temporary."""
    return isinstance(error, Damaged) or primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def reason_of(error: BaseException) -> str:
    """Return why it failed, without the path, because everybody may read it."""
    if isinstance(error, PanelError):
        return error.detail
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def passes(error: BaseException) -> bool:
    """Return whether the fault is temporary."""
    if isinstance(error, sqlite3.Error):
        return primary_code(error) in PASSING
    return isinstance(error, OSError) and error.errno in PASSING_ERRNO


class DatabaseFile:
    """The database at a path, or in memory if that is None. Only one thread may use it at a time."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.connection: sqlite3.Connection | None = None
        self._synced: bool | None = None  # whether the connection syncs each transaction
        self._inodes = _Inodes(None, 0, ())

    def open(self, *, create: bool = True) -> dict[str, RememberedLight]:
        """Open the file, or create it, and migrate it. Return how each light was set last.

        Without `create` it must exist, because it may have been taken away again. Raises `NotNow` for a temporary
        reason, else `SetupError`.
        """
        try:
            connection = self._connect(create)
            try:
                settings = self._prepare(connection)
            except BaseException:
                connection.close()
                raise
        except (OSError, sqlite3.Error) as error:
            kind = NotNow if passes(error) else SetupError
            raise kind(f"Cannot use {self.path}: {error}") from error
        self.close()
        self.connection, self._synced = connection, None
        self._inodes = self._open_files()
        return settings

    def sync_for(self, durable: bool) -> None:
        """Sync for the process (NORMAL), or with `durable` for a power cut (FULL) (sqlite.org/pragma.html)."""
        if durable is not self._synced and self.connection is not None:
            self.connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._synced = durable

    def close(self) -> None:
        """Close the file, with its log merged into it. A second call does nothing."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def state(self) -> FileState:
        """Return what happened to the open file. Raises `OSError`."""
        if self.path is None or self.connection is None:
            return "there"
        now, before = self._open_files(), self._inodes
        if now.database is None:
            return "gone"
        if now.database != before.database:
            return "replaced"
        if now.size < before.size:
            return "cut short"
        if now.side != before.side:
            return "side file gone"
        self._inodes = now
        return "there"

    def restore(self) -> None:
        """Make the file again from the open one, and use the new file.

        The open one has everything. If it was cut short, it has what was written since the last checkpoint of its log.
        Raises `OSError`, `sqlite3.Error`, `SetupError`; then the open file stays as it was.
        """
        assert self.path is not None
        assert self.connection is not None
        self._make_directory()
        new = self.path.with_name(f"{self.path.name}.new")
        new.unlink(missing_ok=True)
        try:
            _make_private(new)
            with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as copy:
                self.connection.backup(copy)
                if copy.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
                    raise Damaged("its content is damaged")
            if _inode(_stat(self.path)) not in (None, self._inodes.database):
                raise FileExistsError(errno.EEXIST, "another process has made a file there", str(self.path))
            os.rename(new, self.path)
        finally:
            new.unlink(missing_ok=True)
        for path in self._side_files():  # of the old one: their content is in the copy
            path.unlink(missing_ok=True)
        sync_directory(self.path.parent)
        self.open(create=False)  # SQLite notices that the old one was moved, and does not touch the new log

    def take_over(self) -> dict[str, RememberedLight]:
        """Open the file that replaced the old one. Return how the lights are set in it.

        The numbers of messages go on from the old file, so that none is used twice. Raises as `open`.
        """
        numbers = None
        with contextlib.suppress(sqlite3.Error):  # the old one may be damaged
            numbers = chat.numbers(self.connection) if self.connection is not None else None
        for path, ours in zip(self._side_files(), self._inodes.side, strict=True):
            if ours is not None and _inode(_stat(path)) == ours:  # SQLite would merge this log into the new file
                path.unlink()
        if self.path is not None and self.is_empty():
            self.path.unlink(missing_ok=True)  # it may be the old file, on which we hold locks
        settings = self.open()
        if numbers is not None and self.connection is not None:
            self.connection.execute("BEGIN IMMEDIATE")
            chat.go_on_from(self.connection, numbers)
            self.connection.execute("COMMIT")
        return settings

    def is_empty(self) -> bool:
        """Return whether the file at the path has no content that somebody could want back."""
        found = None if self.path is None else _stat(self.path)
        return found is None or found.st_size == 0

    def _connect(self, create: bool) -> sqlite3.Connection:
        address = ":memory:"
        if self.path is not None:
            address = f"file:{quote(str(self.path))}?mode=rw"
            if create:
                self._make_directory()
            _make_private(self.path, create=create)
            for path in self._side_files():  # left by an older version after a crash
                _make_private(path, create=False)
        # No timeout: then a wait for a lock can be stopped.
        return sqlite3.connect(
            address, uri=True, check_same_thread=False, isolation_level=None, cached_statements=256, timeout=0
        )

    def _prepare(self, database: sqlite3.Connection) -> dict[str, RememberedLight]:
        """Migrate the schema, and return how each light is set. Raises `SetupError`, `sqlite3.Error`."""
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise SetupError(f"{self.path} belongs to a newer Pilot Light (schema {version}). Update this one.")
        migrate(database)
        try:
            database.execute("BEGIN IMMEDIATE")  # fails now if the file is read-only
            database.execute("ROLLBACK")
        except sqlite3.Error as error:
            if not passes(error):
                raise
        for query in (chat.people, chat.rooms, runs.unended):  # what the start reads: fails now if it is damaged
            query(database)
        return lights.settings(database)

    def write_a_page(self) -> None:
        """Write a page that stays the same, within a transaction. SQLite would not write a row that stays the same."""
        assert self.connection is not None
        self.connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def try_writing(self) -> None:
        """Write a page without a change. Raises `sqlite3.Error` if nothing can be written."""
        assert self.connection is not None
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            self.write_a_page()
            self.connection.execute("COMMIT")
        finally:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    def _make_directory(self) -> None:
        """Create the directory as a private one. One that exists keeps its mode: it may have other uses."""
        assert self.path is not None
        self.path.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)

    def _side_files(self) -> list[Path]:
        assert self.path is not None
        return [self.path.with_name(self.path.name + suffix) for suffix in SIDE_FILES]

    def _open_files(self) -> _Inodes:
        if self.path is None:
            return _Inodes(None, 0, ())
        database = _stat(self.path)
        side = tuple(_inode(_stat(path)) for path in self._side_files())
        return _Inodes(_inode(database), database.st_size if database else 0, side)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _inode(found: os.stat_result | None) -> tuple[int, int] | None:
    return None if found is None else (found.st_dev, found.st_ino)


def _make_private(path: Path, *, create: bool = True) -> None:
    """Let only the owner use the file, and create it if needed. SQLite gives side files the mode of the database.

    An existing file is not opened: closing it would drop the locks that SQLite holds on it (fcntl_locking(2)).
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        if create:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE))
        return
    if stat.S_ISREG(mode) and mode & 0o077:
        with contextlib.suppress(PermissionError):  # another user owns it, and lets us write
            os.chmod(path, PRIVATE_FILE)


def sync_directory(directory: Path) -> None:
    """Have the names of the files in it survive a power cut."""
    with contextlib.suppress(OSError):  # some file systems cannot do it
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
