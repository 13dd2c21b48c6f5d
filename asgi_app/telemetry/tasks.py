"""Background tasks and threads: start and keep tasks, find those that a fault has ended, answer from a thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Generator, Iterable, Sequence
from functools import partial
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def start_task(
    kept: set[asyncio.Task[None]],
    work: Coroutine[Any, Any, None],
    name: str | None = None,
    log: logging.Logger | None = None,
) -> None:
    """Run the work in a task, which `kept` holds until it is done: asyncio itself keeps only a weak reference.

    Its error goes to this `log` at once, else to asyncio's when the task is freed.
    """
    task = asyncio.create_task(work, name=name)
    kept.add(task)
    task.add_done_callback(kept.discard)
    if log is not None:
        task.add_done_callback(partial(_log_error, log))


def _log_error(log: logging.Logger, task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("a task failed", exc_info=error)


@coroutine
def rest_of(work: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """Await the rest of this work. Its first step was made in this task by `send`, which returned what it waits for."""
    while True:
        go_on = partial(work.send, None)
        try:
            yield waits_for
        except BaseException as error:  # such as a cancellation, which the work has to see
            go_on = partial(work.throw, error)
        try:
            waits_for = go_on()
        except StopIteration as end:
            result: T = end.value
            return result


def ended(tasks: Iterable[asyncio.Task[Any] | None]) -> str | None:
    """Return which of these tasks has ended, and why. They must run as long as the panel does."""
    for task in tasks:
        if task is not None and task.done():
            fault = None if task.cancelled() else task.exception()
            why = "was cancelled" if task.cancelled() else f"has ended ({type(fault).__name__}: {fault})"
            return f"the task {task.get_name()!r} {why}"
    return None


def resolve(loop: asyncio.AbstractEventLoop, answers: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    """Resolve futures of the loop from a thread, each with its result or exception. One hop into the loop for all."""
    try:
        loop.call_soon_threadsafe(_resolve, answers)
    except RuntimeError:
        return  # the loop is closed, so nobody waits


def _resolve(answers: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for done, result in answers:
        if done.done():  # nobody waits any more
            continue
        if isinstance(result, BaseException):
            done.set_exception(result)
            done.exception()  # nobody has to fetch it: the caller may just have been cancelled
        else:
            done.set_result(result)
