"""`AutoOff`: lights that go off by themselves, some time after the last change."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

from asgi_app.core.lights import settings_of
from asgi_app.errors import PanelError
from asgi_app.models.access import PANEL
from asgi_app.models.base import Actor
from asgi_app.models.lights import Light, LightSettings, LightSpec, SetLight
from asgi_app.telemetry.tasks import start_task

WHO = Actor(name="Auto-off", via="schedule", identity=PANEL)


class AutoOff:
    """The timers of the lights with `auto_off`; `do` carries out a command."""

    def __init__(self, specs: Mapping[str, LightSpec], do: Callable[[Actor, SetLight], Awaitable[object]]) -> None:
        self._specs = specs
        self._do = do
        self._timers: dict[str, tuple[tuple[LightSettings, float | None], asyncio.TimerHandle]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def see(self, light: Light) -> None:
        """Begin anew to count if somebody has set this light, and not at all while it is off or offline."""
        spec, running = self._specs.get(light.id), self._timers.get(light.id)
        seconds = spec.auto_off if spec is not None else None
        if running is None and seconds is None:
            return
        settings = (settings_of(light), seconds)
        if running is not None:
            if running[0] == settings and light.online:
                return
            self.forget(light.id)
        if seconds is not None and light.target > 0 and light.online:
            timer = asyncio.get_running_loop().call_later(seconds, self._off, light.id)
            self._timers[light.id] = (settings, timer)

    def forget(self, light: str) -> None:
        """Count no more for this light."""
        if (running := self._timers.pop(light, None)) is not None:
            running[1].cancel()

    def _off(self, id: str) -> None:
        del self._timers[id]
        start_task(self._tasks, self._turn_off(id), name=f"auto-off {id}")

    async def _turn_off(self, id: str) -> None:
        with contextlib.suppress(PanelError):  # it is offline, or the panel is stopping
            await self._do(WHO, SetLight(light=id, on=False))
