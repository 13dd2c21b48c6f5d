"""Opening the store; `StorageWatch`: its state while the panel runs, and reading a file that was replaced."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from asgi_app.access import Claims
from asgi_app.errors import NotStored, SetupError
from asgi_app.models.history import RememberedLight
from asgi_app.models.machine import Storage, StorageChanged
from asgi_app.service.kept import Kept
from asgi_app.service.lights import Lights
from asgi_app.service.panel import Panel
from asgi_app.settings import Settings
from asgi_app.store import Retention, Store
from asgi_app.telemetry.logs import event
from asgi_app.telemetry.tasks import start_task

log = logging.getLogger("pilotlight.service")


def open_store(settings: Settings) -> tuple[Store, dict[str, RememberedLight], Storage]:
    """Open the store, or one without a file if that fails; return it with the stored levels and its condition."""
    retention = Retention(
        settings.keep_messages,
        settings.keep_runs,
        settings.keep_lines,
        settings.keep_audit,
        settings.keep_message_bytes,
    )
    store = Store(settings.data, retention)
    try:
        return store, store.open(), store.storage
    except SetupError as error:
        fields = event("store_unusable", reason=error.detail)
        log.error("Levels, messages and logs will be lost when the panel stops. %s", error.detail, extra=fields)
        store = Store(None, retention)
        return store, store.open(), Storage(kept=False, reason=error.detail)


class StorageWatch:
    """Watch on the store: publishes its condition, and reads the data again when the file was replaced."""

    def __init__(self, panel: Panel, store: Store, claims: Claims, lights: Lights, kept: Kept | None) -> None:
        self._panel = panel
        self._store = store
        self._claims = claims
        self._lights = lights
        self._kept = kept
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Watch the store from now on, on the running loop."""
        self._store.watch(self._changed, self._reopened)

    def _changed(self, storage: Storage) -> None:
        if storage == self._panel.state.storage:
            return
        self._panel.commit(StorageChanged(state=storage))
        if storage.kept and self._kept is not None:
            self._kept.runs.store_again()

    def _reopened(self, settings: Mapping[str, RememberedLight]) -> None:
        start_task(self._tasks, self._read_again(settings), name="read the file again")

    async def _read_again(self, settings: Mapping[str, RememberedLight]) -> None:
        try:
            await self._claims.read_again()  # first, because it decides whose names are whose
            if self._kept is not None:
                await self._kept.arrangement.read_again()
                await self._kept.repertoire.read_again()
                await self._kept.schedules.read_again()
                await self._kept.chat.read_again()
                await self._kept.runs.read_again()
            await self._lights.restore(settings)
        except NotStored:
            return  # the store reports that, and opens the file again
        except Exception:
            log.exception("Cannot read the panel's file again.")
