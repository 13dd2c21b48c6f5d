"""Jobs for the store's thread: the queue, and the answers."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import sys
import threading
from collections.abc import Callable, Sequence
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


def resolve(jobs: Sequence[Job], results: Sequence[Any]) -> None:
    """Resolve the future of each job, in order, with its result or exception. One hop into the loop for all."""
    if jobs:
        with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody waits
            jobs[0].loop.call_soon_threadsafe(_resolve, jobs, results)


def _resolve(jobs: Sequence[Job], results: Sequence[Any]) -> None:
    for job, result in zip(jobs, results, strict=True):
        if job.done.done():  # nobody waits any more
            continue
        if not isinstance(result, Exception):
            job.done.set_result(result)
        elif job.best_effort:
            job.done.set_result(None)
        else:
            job.done.set_exception(result)
