"""Jobs for the store's thread, and their queue."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import sys
import threading
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

Work = Callable[[sqlite3.Connection], Any]


class Job(NamedTuple):
    """A piece of work, and the future that its caller waits for."""

    work: Work
    durable: bool
    best_effort: bool
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Any]


class JobQueue:
    """The jobs that wait, in order. Any thread may put, one takes. It takes jobs while `is_open`."""

    def __init__(self) -> None:
        self.is_open = False
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[Job | Literal["wake", "end"]] = queue.SimpleQueue()

    def put(self, job: Job) -> bool:
        """Enqueue the job. Return whether the queue is open."""
        with self._lock:
            if self.is_open:
                self._waiting.put(job)
            return self.is_open

    def wake(self) -> None:
        """Let `take` return at once."""
        self._waiting.put("wake")

    def close(self) -> None:
        """Take no more jobs, and end after those that wait. A second call does nothing."""
        with self._lock:
            if self.is_open:
                self._waiting.put("end")
            self.is_open = False

    def take(self, most: int, timeout: float | None) -> tuple[list[Job], bool]:
        """Return up to `most` jobs, after at most `timeout` seconds, and whether the queue has ended."""
        jobs: list[Job] = []
        with contextlib.suppress(queue.Empty):
            item = self._waiting.get(timeout=None if timeout is None else max(timeout, 0))
            while True:
                if item == "end":
                    return jobs, True
                if isinstance(item, Job):
                    jobs.append(item)
                if len(jobs) >= most:
                    break
                item = self._waiting.get_nowait()
        return jobs, False

    def drain(self) -> list[Job]:
        """Close the queue, and return every job that waits."""
        self.close()
        jobs, _ = self.take(sys.maxsize, timeout=0)
        return jobs
