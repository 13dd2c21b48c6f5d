"""`LightMemory`: keeps how each light was set last, for the next start and its history, off the way of every answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from asgi_app.core.history import memory_of, moved_by
from asgi_app.models.history import Moment, RememberedLight
from asgi_app.models.lights import Light

PAUSE = 0.05  # seconds in which the changes of one hand are kept as one: a drag is 20 writes a second, not hundreds

Save = Callable[[str, RememberedLight | None], None]


class LightMemory:
    """The memory of the lights. `save` gets what to keep of a light, None to forget it; it must not block.

    A change is kept at once, unless one was kept within the last `PAUSE`.
    """

    def __init__(self, save: Save) -> None:
        self._save = save
        self._moments: dict[str, Moment] = {}  # the last change of each light that was kept
        self._waiting: dict[str, Light] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __contains__(self, id: str) -> bool:
        """Whether the light has changed since the start."""
        return id in self._moments or id in self._waiting

    def note(self, id: str, light: Light) -> None:
        """Keep how the light was set."""
        waiting = self._waiting.get(id)
        if waiting is not None and not light.by.is_same_hand(waiting.by):
            self._keep(id, waiting)
        self._waiting[id] = light
        if self._timer is None:
            self._go_on()

    def flush(self) -> None:
        """Hand over what waits."""
        waiting, self._waiting = self._waiting, {}
        for id, light in waiting.items():
            self._keep(id, light)

    def forget(self, id: str) -> None:
        """Keep nothing of the light, because it was removed."""
        self._waiting.pop(id, None)
        self._moments.pop(id, None)
        self._save(id, None)

    def move(self, id: str, light: Light, seconds: float) -> None:
        """Keep a light whose times have moved by this, with the wall clock. `flush` before."""
        moved: tuple[float, ...] = ()
        if (moment := self._moments.get(id)) is not None:
            self._moments[id] = moved_by(moment, seconds)
            moved = (moment.began,)
        self._keep(id, light, moved)

    def _go_on(self) -> None:
        self._timer = None
        if self._waiting:
            self.flush()
            self._timer = asyncio.get_running_loop().call_later(PAUSE, self._go_on)

    def _keep(self, id: str, light: Light, moved: tuple[float, ...] = ()) -> None:
        memory = memory_of(light, self._moments.get(id))
        self._moments[id] = memory.moments[-1]
        self._save(id, memory.model_copy(update={"moved": moved}) if moved else memory)
