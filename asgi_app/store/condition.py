"""Whether the file can be written now, and who is told when that changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from asgi_app.models import LightSettings, Storage
from asgi_app.telemetry.logs import event

log = logging.getLogger("pilotlight.store")


class _Watcher(NamedTuple):
    loop: asyncio.AbstractEventLoop
    changed: Callable[[Storage], None]
    reopened: Callable[[Mapping[str, LightSettings]], None]


class Condition:
    """The condition of the file: said once in the log when it changes, and to the watcher on its loop."""

    def __init__(self, path: Path | None) -> None:
        self.storage = Storage(kept=True)
        self.damaged = False  # what does not pass: that something else can be written does not mend it
        self._path = path
        self._watcher: _Watcher | None = None

    @property
    def refuses(self) -> bool:
        """Whether nothing could be stored the last time."""
        return not self.storage.kept

    def watch(
        self, changed: Callable[[Storage], None], reopened: Callable[[Mapping[str, LightSettings]], None]
    ) -> None:
        """Tell these, on the running loop; the first one at once."""
        self._watcher = _Watcher(asyncio.get_running_loop(), changed, reopened)
        changed(self.storage)

    def failed(self, reason: str) -> None:
        """Nothing can be stored until it can again."""
        if not self.refuses:
            log.error(
                "%s cannot be written (%s): messages are refused, levels will not be remembered, until it can be",
                self._path,
                reason,
                extra=event("store_failed", file=self._path, reason=reason),
            )
        name, directory = (self._path.name, f"{self._path.parent}/") if self._path else ("", "")
        shown = reason.replace(directory, "") if directory else reason  # everybody reads it: no paths
        self._say(Storage(kept=False, reason=f"{name} cannot be written ({shown}): nothing is stored until it can be"))

    def works(self) -> None:
        """Something was written."""
        if self.refuses and not self.damaged:
            log.warning("%s can be written again", self._path, extra=event("store_again", file=self._path))
            self._say(Storage(kept=True))

    def reopened(self, settings: Mapping[str, LightSettings]) -> None:
        """Report another file, or one opened late, with its settings of lights that were not set meanwhile."""
        self._tell(lambda watcher: watcher.reopened, settings)

    def _say(self, storage: Storage) -> None:
        if storage != self.storage:
            self.storage = storage
            self._tell(lambda watcher: watcher.changed, storage)

    def _tell(self, whom: Callable[[_Watcher], Callable[[Any], None]], what: Any) -> None:
        if self._watcher is not None:
            with contextlib.suppress(RuntimeError):  # the loop is gone
                self._watcher.loop.call_soon_threadsafe(whom(self._watcher), what)
