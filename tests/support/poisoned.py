"""`pilotlight` with a poison in it: `python -m tests.support.poisoned KIND serve …`.

A thread or a task of the panel's ends by a fault when a light is set to `POISONED`, or that is said. What such faults
come from in life (pydantic's PanicException, where memory is short) cannot be had on demand.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from typing import Any

# As in `as_installed`: what only the tests installed is not there.
sys.modules.update(dict.fromkeys(("aiohttp", "redis", "requests")))

from asgi_app.cli.main import main  # noqa: E402
from asgi_app.core.lights import Drive  # noqa: E402
from asgi_app.hw import driver  # noqa: E402
from asgi_app.hw.driver import LightDriver  # noqa: E402
from asgi_app.hw.worker import Worker  # noqa: E402
from asgi_app.store import chat  # noqa: E402

POISONED = 66


class Panic(BaseException):
    """As pydantic_core's PanicException: no `Exception`."""


def panic() -> None:
    raise Panic("memory allocation failed")


def message() -> None:
    """End the store's thread when this message is sent."""
    say = chat.say

    def poisoned(database: sqlite3.Connection, draft: chat.Draft) -> chat.Said:
        if draft.msg == POISONED:
            panic()
        return say(database, draft)

    chat.say = poisoned


def pins() -> None:
    """The thread of the pins ends, without a word, once the level is written."""
    drive = LightDriver.drive

    async def poisoned(self: LightDriver, light: str, to: Drive) -> None:
        await drive(self, light, to)
        if to.level == POISONED:
            self._connection.worker.abandon()

    LightDriver.drive = poisoned  # type: ignore[method-assign]


def pin() -> None:
    """Let a write to a pin raise something that is not an `Exception`."""
    call = Worker.call
    wanted: list[int] = []
    drive = LightDriver.drive

    async def poisoned_drive(self: LightDriver, light: str, to: Drive) -> None:
        wanted.append(to.level)
        await drive(self, light, to)

    async def poisoned_call(self: Worker, function: Any, timeout: float) -> Any:
        return await call(self, panic if POISONED in wanted[-1:] else function, timeout)

    LightDriver.drive = poisoned_drive  # type: ignore[method-assign]
    Worker.call = poisoned_call  # type: ignore[method-assign]


def task_of(owner: object, name: str) -> None:
    """The task ends a moment after its start."""

    async def poisoned(*arguments: object) -> None:
        await asyncio.sleep(0.5)
        panic()

    setattr(owner, name, poisoned)


def main_with(poison: str) -> None:
    """Run the command."""
    {
        "message": message,
        "pins": pins,
        "pin": pin,
        "push": lambda: task_of(driver, "push"),
    }[poison]()
    main()


if __name__ == "__main__":
    main_with(sys.argv.pop(1))
