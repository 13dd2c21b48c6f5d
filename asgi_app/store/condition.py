"""Whether the file can be written now, and the watcher that is notified when that changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from asgi_app.models.history import RememberedLight
from asgi_app.models.machine import Storage
from asgi_app.telemetry.logs import event

log = logging.getLogger("pilotlight.store")

Changed = Callable[[Storage], None]
Reopened = Callable[[Mapping[str, RememberedLight]], None]


class Condition:
    """The condition of the file. A change is logged once, and the watcher is notified on its loop."""

    def __init__(self, path: Path | None) -> None:
        self.storage = Storage(kept=True)
        self.damaged = False  # stays so until another file is opened, even if something can be written
        self._path = path
        self._loop: asyncio.AbstractEventLoop | None = None  # of the watcher
        self._changed: Changed = lambda storage: None
        self._reopened: Reopened = lambda settings: None

    def watch(self, changed: Changed, reopened: Reopened) -> None:
        """Call these functions on the running loop from now on. `changed` is called at once."""
        self._changed, self._reopened = changed, reopened
        self._loop = asyncio.get_running_loop()
        changed(self.storage)

    def failed(self, reason: str) -> None:
        """Note that the file cannot be written."""
        if self.storage.kept:
            log.error(
                "Cannot write %s (%s). Until it can be written, messages are refused and levels are not remembered.",
                self._path,
                reason,
                extra=event("store_failed", file=self._path, reason=reason),
            )
        name, directory = (self._path.name, f"{self._path.parent}/") if self._path else ("", "")
        shown = reason.replace(directory, "") if directory else reason  # everybody reads it: no paths
        self._set(Storage(kept=False, reason=f"Cannot write {name} ({shown}). Nothing is stored until it can be."))

    def works(self) -> None:
        """Note that something was written."""
        if not self.storage.kept and not self.damaged:
            log.warning("%s can be written again.", self._path, extra=event("store_again", file=self._path))
            self._set(Storage(kept=True))

    def reopened(self, settings: Mapping[str, RememberedLight]) -> None:
        """Report another file, or one opened late. `settings` are those of lights that were not set since the start."""
        self._notify(self._reopened, settings)

    def _set(self, storage: Storage) -> None:
        if storage != self.storage:
            self.storage = storage
            self._notify(self._changed, storage)

    def _notify(self, report: Callable[[Any], None], what: Any) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(report, what)
