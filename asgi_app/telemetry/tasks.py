"""Background tasks: how to start and keep them, and how to find those that a fault has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


def start_task(kept: set[asyncio.Task[None]], work: Coroutine[Any, Any, None], name: str | None = None) -> None:
    """Run the work in a task, which `kept` holds until it is done: asyncio itself keeps only a weak reference."""
    task = asyncio.create_task(work, name=name)
    kept.add(task)
    task.add_done_callback(kept.discard)


def ended(tasks: Iterable[asyncio.Task[Any] | None]) -> str | None:
    """Return which of these tasks has ended, and why. They must run as long as the panel does."""
    for task in tasks:
        if task is not None and task.done():
            fault = None if task.cancelled() else task.exception()
            why = "was cancelled" if task.cancelled() else f"has ended ({type(fault).__name__}: {fault})"
            return f"the task {task.get_name()!r} {why}"
    return None
