"""What becomes of the panel's file while the panel runs: everybody is told, and a file that opened late is read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any

from asgi_app.access import Claims
from asgi_app.errors import NotStored
from asgi_app.models import LightSettings, Storage, StorageChanged
from asgi_app.service.chat import Chat
from asgi_app.service.panel import Panel
from asgi_app.service.runs import Runs
from asgi_app.store import Store

log = logging.getLogger("pilotlight.service")


class StorageWatch:
    """Joins the store's condition to the panel: the state `storage`, and what is read again from another file."""

    def __init__(self, panel: Panel, store: Store, claims: Claims, chat: Chat, runs: Runs) -> None:
        self._panel = panel
        self._store = store
        self._claims = claims
        self._chat = chat
        self._runs = runs
        self._working: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Tell the panel from now on, on the running loop."""
        self._store.watch(self._changed, self._reopened)

    def _changed(self, storage: Storage) -> None:
        if storage == self._panel.state.storage:
            return
        self._panel.commit(StorageChanged(state=storage))
        if storage.kept:
            self._runs.store_again()

    def _reopened(self, settings: Mapping[str, LightSettings]) -> None:
        self._do(self._read_again(settings))

    async def _read_again(self, settings: Mapping[str, LightSettings]) -> None:
        await self._claims.read_again()  # first: whose names are whose
        await self._chat.read_again()
        await self._runs.read_again()
        await self._panel.restore(settings)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="after a change of the file")
        self._working.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, NotStored):
            log.error("could not go on with the panel's file", exc_info=error)  # `NotStored`: it will be tried again
