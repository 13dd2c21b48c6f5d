"""Work that is handed to the store's thread: the queue, and how the askers get their answers."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

Work = Callable[[sqlite3.Connection], Any]


class Job(NamedTuple):
    """A piece of work, and the future of who asked for it."""

    work: Work
    durable: bool
    best_effort: bool
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Any]


class JobQueue:
    """What waits for the thread, in order. Any thread may put, one takes."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Job | Literal["wake", "end"]] = queue.SimpleQueue()

    def put(self, job: Job) -> None:
        """Have the thread do it."""
        self._waiting.put(job)

    def wake(self) -> None:
        """Have the thread look at what else there is to do."""
        self._waiting.put("wake")

    def end(self) -> None:
        """That was all."""
        self._waiting.put("end")

    def take(self, most: int, timeout: float | None) -> tuple[list[Job], bool]:
        """So many jobs at most, those of the next `timeout` seconds at the latest; and whether that was all."""
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

    def rest(self) -> list[Job]:
        """Everything that waits."""
        jobs = []
        with contextlib.suppress(queue.Empty):
            while True:
                if isinstance(item := self._waiting.get_nowait(), Job):
                    jobs.append(item)
        return jobs


def answer(jobs: Sequence[Job], results: Sequence[Any]) -> None:
    """Tell each asker, in order; one hop into the loop for all of them. An exception is raised there."""
    if not jobs:
        return
    answers = [
        (job.done, None if job.best_effort and isinstance(result, Exception) else result)
        for job, result in zip(jobs, results, strict=True)
    ]
    with contextlib.suppress(RuntimeError):  # the loop is gone, and with it the ones who waited
        jobs[0].loop.call_soon_threadsafe(_tell, answers)


def _tell(answers: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for done, result in answers:
        if done.done():  # nobody waits any more
            continue
        if isinstance(result, Exception):
            done.set_exception(result)
        else:
            done.set_result(result)
