"""`AutoOff`: lights that go off by themselves, some time after the last change."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

from asgi_app.core.lights import settings_of
from asgi_app.errors import PanelError
from asgi_app.models.access import PANEL
from asgi_app.models.base import Actor
from asgi_app.models.lights import Light, LightSettings, SetLight
from asgi_app.telemetry.tasks import start_task

WHO = Actor(name="Auto-off", via="schedule", identity=PANEL)


class AutoOff:
    """The timers of the lights that have a number of seconds; `do` carries out a command."""

    def __init__(self, seconds: Mapping[str, float | None], do: Callable[[Actor, SetLight], Awaitable[object]]) -> None:
        self._seconds = {id: after for id, after in seconds.items() if after is not None}
        self._do = do
        self._timers: dict[str, tuple[LightSettings, asyncio.TimerHandle]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def see(self, light: Light) -> None:
        """Begin anew to count if somebody has set this light, and not at all while it is off or offline."""
        if (seconds := self._seconds.get(light.id)) is None:
            return
        settings, running = settings_of(light), self._timers.get(light.id)
        if running is not None:
            if running[0] == settings and light.online:
                return
            running[1].cancel()
            del self._timers[light.id]
        if light.target > 0 and light.online:
            timer = asyncio.get_running_loop().call_later(seconds, self._off, light.id)
            self._timers[light.id] = (settings, timer)

    def _off(self, id: str) -> None:
        del self._timers[id]
        start_task(self._tasks, self._turn_off(id), name=f"auto-off {id}")

    async def _turn_off(self, id: str) -> None:
        with contextlib.suppress(PanelError):  # it is offline, or the panel is stopping
            await self._do(WHO, SetLight(light=id, on=False))
