"""What a process has still to tell the engine: the newest event of each kind of each thing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from asgi_app.models.light_setup import LightRemoved
from asgi_app.models.lights import LightActual, LightChanged
from asgi_app.models.wire import StateEvent
from asgi_app.service.panel import Asker

ACTUAL = 0.2  # seconds between two levels of one pin

Done = Callable[[], None]


@dataclass(slots=True, eq=False)
class Unsent:
    """An event, whom to tell here when it is numbered, and which other processes wait for that."""

    event: StateEvent
    due: float
    done: list[Done]
    askers: list[Asker]


class Outgoing:
    """Events to commit. A newer one replaces an unsent one of its key, so there are three of each light at most."""

    def __init__(self) -> None:
        self._waiting: dict[object, Unsent] = {}
        self._actual_at: dict[str, float] = {}
        self._ring = asyncio.Event()

    def add(self, event: StateEvent, done: Done | None, asker: Asker | None = None) -> None:
        """Add an event. `done` is called when it is numbered, or what replaces it."""
        due = now = asyncio.get_running_loop().time()
        key: object = event.key if event.key is not None else object()  # nothing replaces that one
        before = self._waiting.pop(key, None)
        calls, askers = (before.done, before.askers) if before is not None else ([], [])
        if done is not None:
            calls.append(done)
        if asker is not None:
            askers.append(asker)
        if isinstance(event, LightActual):
            due = max(now, self._actual_at.get(event.light, 0.0) + ACTUAL)
        elif isinstance(event, LightChanged):
            self._waiting.pop(f"actual:{event.light}", None)  # the state has it
        elif isinstance(event, LightRemoved):
            askers = []  # there is no light to answer with: who carried out the command answers
            self._actual_at.pop(event.light, None)
            for kind in ("actual", "flash"):
                if (before := self._waiting.pop(f"{kind}:{event.light}", None)) is not None:
                    calls += before.done
        self._waiting[key] = Unsent(event, due, calls, askers)
        self._ring.set()

    async def take(self) -> list[Unsent]:
        """Return what is to be sent now, as soon as there is something."""
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            due = [key for key, waiting in self._waiting.items() if waiting.due <= now]
            if due:
                taken = [self._waiting.pop(key) for key in due]
                for waiting in taken:
                    if isinstance(waiting.event, LightActual):
                        self._actual_at[waiting.event.light] = now
                return taken
            self._ring.clear()
            next_due = min((waiting.due for waiting in self._waiting.values()), default=None)
            try:
                async with asyncio.timeout(None if next_due is None else next_due - now):
                    await self._ring.wait()
            except TimeoutError:
                continue

    def drop(self) -> list[Done]:
        """Forget everything, and return whom to tell."""
        waiting, self._waiting = self._waiting, {}
        return [call for one in waiting.values() for call in one.done]
