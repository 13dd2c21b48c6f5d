"""The push task: reports what the pins really did."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection

from asgi_app.hw.light import DrivenLight, Observer

log = logging.getLogger("pilotlight.hardware")

PUSH = 0.016  # seconds between two reports of a fade
EFFECT_PUSH = 0.1  # seconds between two reports of an effect: nobody can read a flicker


async def push(lights: Collection[DrivenLight], observer: Observer, wake: asyncio.Event) -> None:
    """Report actual levels: the first change at once, then one every `PUSH` for each light, the last one always.

    The driver sets `wake` after it has answered the commands, so that a change is reported before its progress.
    """
    pause: float | None = None  # until a motion ends, if nobody wakes it before
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await wake.wait()
        wake.clear()
        now = asyncio.get_running_loop().time()
        for light in lights:
            try:
                _report(light, observer, now)
            except Exception:
                log.exception("the report of light %s failed", light.id)
        if any(light.unreported is not None for light in lights):
            await asyncio.sleep(PUSH)
            wake.set()
        ends = [light.arrives - now for light in lights if light.arrives is not None]
        pause = max(min(ends), PUSH) if ends else None


def _report(light: DrivenLight, observer: Observer, now: float) -> None:
    """Report where the light is now, and once that its motion has ended."""
    effect = light.motion.drive.effect
    if light.arrives is not None and now >= light.arrives and (effect or not light.is_late(now)):
        light.pushed, light.arrives, light.unreported = now, None, None
        observer.light_settled(light.id)
    if light.unreported is not None and now - light.pushed >= (EFFECT_PUSH if effect else PUSH):
        light.pushed, level, light.unreported = now, light.unreported, None
        observer.light_moved(light.id, level)
