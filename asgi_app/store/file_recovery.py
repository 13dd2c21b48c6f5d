"""Recovery when the file was removed, could not be opened, or cannot be written."""

from __future__ import annotations

import contextlib
import logging
import sqlite3

from asgi_app.errors import InternalError, NotStored, PanelError, SetupError
from asgi_app.store.condition import Condition
from asgi_app.store.file import LOST, DatabaseFile, NotNow, is_damaged, primary_code, reason_of
from asgi_app.store.pending_lights import PendingLights
from asgi_app.telemetry.logs import event

log = logging.getLogger("pilotlight.store")


class FileRecovery:
    """Recovery of a usable file at the path. Runs on the store's thread."""

    def __init__(self, file: DatabaseFile, condition: Condition, lights: PendingLights) -> None:
        self.failures = 0  # jobs that the file could not take
        self._file = file
        self._condition = condition
        self._lights = lights

    def recover(self) -> bool:
        """Open the file if needed, follow a replacement, and test a write. Return whether all of that worked."""
        try:
            if self._file.connection is None:
                self._open_late()
            self.check_file()
            if not self._condition.storage.kept:
                self._file.try_writing()
                self._condition.works()
        except Exception as error:
            self.error_for(error)
            if primary_code(error) == sqlite3.SQLITE_IOERR:  # the disk may have been removed and inserted again
                with contextlib.suppress(SetupError):
                    self._file.open()
            return False
        return True

    def check_file(self) -> bool:
        """Go on with the file at the path. Return whether it has all that was committed. Raises `NotStored`."""
        was = state = self._file.state()
        if state == "there":
            return True
        try:
            if state == "replaced":
                self._take_over()
                what = "The panel goes on with that one."
            elif self._restore():
                what = "It was made again, with everything that was in it."
            else:
                state, what = "replaced", "It is unreadable, so an empty one was made."
        except (OSError, sqlite3.Error, SetupError) as error:
            lost = f"the file was taken away, and no other can be used yet: {reason_of(error)}"
            raise self.error_for(NotNow(lost)) from error
        log.warning(
            "%s %s. %s", self._file.path, LOST[was], what, extra=event("store_moved", file=self._file.path, what=was)
        )
        return state != "replaced"

    def error_for(self, error: Exception) -> Exception:
        """Return the error for the caller. If it is the fault of the file, note that too."""
        own_mistake = sqlite3.IntegrityError | sqlite3.ProgrammingError
        if isinstance(error, PanelError) and not isinstance(error, SetupError):
            return error
        if not isinstance(error, sqlite3.Error | OSError | SetupError) or isinstance(error, own_mistake):
            log.error("The store failed.", exc_info=error)
            return InternalError()
        self.failures += 1
        self._condition.damaged |= is_damaged(error)
        reason = reason_of(error)
        self._condition.failed(reason)
        return NotStored(f"The panel's file cannot be written ({reason}). Nothing was stored.")

    def _open_late(self) -> None:
        settings = self._file.open()
        log.warning("%s is open now.", self._file.path, extra=event("store_opened", file=self._file.path))
        self._condition.reopened(self._lights.untouched(settings))

    def _restore(self) -> bool:
        """Make the file again. Return False if its content is unreadable, and an empty file was made instead."""
        try:
            self._file.restore()
        except (sqlite3.Error, SetupError) as error:
            if not is_damaged(error) or not self._file.is_empty():
                raise
            self._take_over()
            return False
        return True

    def _take_over(self) -> None:
        """Go on with the file that is at the path now, or with an empty one."""
        self._file.take_over()
        self._lights.write_all_again()
        self._condition.damaged = False
        self._condition.reopened({})
