"""`LoopThread`: a thread with an event loop, to which other threads give work and wait for its result."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from pilotlight.errors import Unreachable

R = TypeVar("R")
END_SECONDS = 1.0  # for calls of other threads to end, once the connection is closed


class LoopThread:
    """The thread and its loop. Once it is stopped it takes nothing more, and whoever waits is told so."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None  # while it takes calls
        self._thread = threading.current_thread()
        self._giving = threading.Lock()

    def start(self) -> None:
        """Begin to take calls."""
        loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=loop.run_forever, name="pilotlight", daemon=True)
        self._thread.start()
        self._loop = loop

    def stop(self, close: Callable[[], Awaitable[None]]) -> None:
        """Close what runs in the loop, end what is left, and the thread. A second call does nothing.

        Raises `RuntimeError` in the thread of the loop, which cannot wait for its own end.
        """
        with self._giving:
            if self._loop is not None:
                self._refuse_to_wait()
            loop, self._loop = self._loop, None
        if loop is not None:
            asyncio.run_coroutine_threadsafe(self._end(loop, close), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join()
            loop.close()

    async def _end(self, loop: asyncio.AbstractEventLoop, close: Callable[[], Awaitable[None]]) -> None:
        await close()
        others = asyncio.all_tasks() - {asyncio.current_task()}  # those that other threads wait for
        if others:
            await asyncio.wait(others, timeout=END_SECONDS)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await loop.shutdown_asyncgens()
        await loop.shutdown_default_executor()

    def wait_for(self, work: Coroutine[Any, Any, R]) -> R:
        """Wait for something of the asynchronous panel. Ctrl-C cancels it. Raises `Unreachable` if this is closed."""
        with self._giving:
            try:
                future = asyncio.run_coroutine_threadsafe(work, self._taking(wait=True))
            except BaseException:
                work.close()
                raise
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise Unreachable("The connection was closed.") from None
        except BaseException:
            future.cancel()
            raise

    def call(self, function: Callable[..., R], *args: Any) -> R:
        """Call something in the thread of the loop, and return its result. Raises `Unreachable` if this is closed."""
        done: concurrent.futures.Future[R] = concurrent.futures.Future()

        def now() -> None:
            try:
                done.set_result(function(*args))
            except BaseException as error:
                done.set_exception(error)

        with self._giving:
            loop = self._taking()
            if threading.current_thread() is self._thread:  # in `on_signal`
                now()
            else:
                loop.call_soon_threadsafe(now)
        return done.result()

    def _taking(self, *, wait: bool = False) -> asyncio.AbstractEventLoop:
        """Return the loop, if something may be given to it."""
        if self._loop is None:
            raise Unreachable("There is no connection. Write `with pilotlight.connect_sync(…) as panel:`.")
        if wait:
            self._refuse_to_wait()
        return self._loop

    def _refuse_to_wait(self) -> None:
        if threading.current_thread() is self._thread:
            raise RuntimeError("`on_signal` cannot wait for the panel: the thread that calls it serves the connection.")
