"""`StorageWatch`: the state `storage` while the panel runs, and reading a file that was opened late or replaced."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from asgi_app.access import Claims
from asgi_app.errors import NotStored
from asgi_app.models.lights import LightSettings
from asgi_app.models.machine import Storage, StorageChanged
from asgi_app.service.chat import Chat
from asgi_app.service.lights import Lights
from asgi_app.service.panel import Panel
from asgi_app.service.runs import Runs
from asgi_app.store import Store
from asgi_app.telemetry.tasks import start_task

log = logging.getLogger("pilotlight.service")


class StorageWatch:
    """Watch on the store: publishes its condition, and reads the data again when the file was replaced."""

    def __init__(self, panel: Panel, store: Store, claims: Claims, lights: Lights, chat: Chat, runs: Runs) -> None:
        self._panel = panel
        self._store = store
        self._claims = claims
        self._lights = lights
        self._chat = chat
        self._runs = runs
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Watch the store from now on, on the running loop."""
        self._store.watch(self._changed, self._reopened)

    def _changed(self, storage: Storage) -> None:
        if storage == self._panel.state.storage:
            return
        self._panel.commit(StorageChanged(state=storage))
        if storage.kept:
            self._runs.store_again()

    def _reopened(self, settings: Mapping[str, LightSettings]) -> None:
        start_task(self._tasks, self._read_again(settings), name="read the file again")

    async def _read_again(self, settings: Mapping[str, LightSettings]) -> None:
        try:
            await self._claims.read_again()  # first, because it decides whose names are whose
            await self._chat.read_again()
            await self._runs.read_again()
            await self._lights.restore(settings)
        except NotStored:
            return  # the store reports that, and opens the file again
        except Exception:
            log.exception("Cannot read the panel's file again.")
