"""The push task: reports what the pins really did."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection

from asgi_app.hw.light import DrivenLight, Observer

log = logging.getLogger("pilotlight.hardware")

PUSH = 0.016  # seconds between two reports of a fade
EFFECT_PUSH = 0.1  # seconds between two reports of an effect: nobody can read a flicker


class PushTask:
    """Reports of actual levels: the first change at once, then one every `PUSH` for each light, the last one always.

    The driver sets `wake` after it has answered the commands, so that a change is reported before its progress.
    """

    def __init__(self, lights: Collection[DrivenLight], observer: Observer, wake: asyncio.Event) -> None:
        self._lights = lights
        self._observer = observer
        self._wake = wake

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            await self._wake.wait()
            now = asyncio.get_running_loop().time()
            for light in self._lights:
                try:
                    self._report(light, now)
                except Exception:
                    log.exception("the report of light %s failed", light.id)
            if any(light.unreported is not None or light.arrives is not None for light in self._lights):
                await asyncio.sleep(PUSH)
            else:
                self._wake.clear()

    def _report(self, light: DrivenLight, now: float) -> None:
        """Report where the light is now, and once that its motion has ended."""
        effect = light.motion.drive.effect
        if light.arrives is not None and now >= light.arrives and (effect or not light.is_late(now)):
            light.pushed, light.arrives, light.unreported = now, None, None
            self._observer.light_settled(light.id)
        if light.unreported is not None and now - light.pushed >= (EFFECT_PUSH if effect else PUSH):
            light.pushed, level, light.unreported = now, light.unreported, None
            self._observer.light_moved(light.id, level)
