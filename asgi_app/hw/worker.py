"""The one thread that drives the pins, since the calls of gpiozero block.

Python cannot cancel a call that hangs, for example because a daemon stopped answering. The connection then abandons
the worker with its thread, and makes a new one.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from asgi_app.telemetry.tasks import resolve

T = TypeVar("T")

Job = tuple[asyncio.AbstractEventLoop, Callable[[], Any], asyncio.Future[Any]]


class Worker:
    """A daemon thread that runs one call at a time, in order."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="pins", daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    async def call(self, function: Callable[[], T], timeout: float) -> T:
        """Run the function in the thread, and return its result.

        Raises: whatever the function raises; `TimeoutError` after `timeout` seconds: then abandon this worker.
        """
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()
        self._jobs.put((loop, function, result))
        async with asyncio.timeout(timeout):  # not wait_for: Python 3.11's can swallow a cancellation
            return await result

    def post(self, function: Callable[[], object]) -> None:
        """Run the function in the thread, and ignore its result."""
        loop = asyncio.get_running_loop()
        self._jobs.put((loop, function, loop.create_future()))

    def abandon(self) -> None:
        """End the thread after its current call, if that ever returns."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            loop, function, done = job
            try:
                result = function()
            except BaseException as error:  # it belongs to the caller
                result = error
            resolve(loop, [(done, result)])
