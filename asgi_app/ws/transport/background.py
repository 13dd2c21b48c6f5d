"""Answers that wait for somebody else, so that the next commands of their connection do not wait for them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from asgi_app.telemetry.tasks import start_task

log = logging.getLogger("pilotlight.websocket")


class BackgroundAnswers:
    """Tasks of one connection that answer commands, at most `AT_MOST` at once."""

    __slots__ = ("_tasks",)

    AT_MOST = 16

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] | None = None  # most connections never need any

    async def answer(self, answering: Coroutine[Any, Any, None]) -> None:
        """Start a task for this. If too many are running, await it here instead."""
        if self._tasks is None:
            self._tasks = set()
        if len(self._tasks) >= self.AT_MOST:
            await answering
        else:
            start_task(self._tasks, answering, log=log)

    def cancel(self) -> None:
        """Cancel all tasks, because the connection has ended."""
        for task in self._tasks or ():
            task.cancel()
