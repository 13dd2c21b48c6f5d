"""What the level does over time: fades, flashes and effects, as pure functions of elapsed seconds."""

from __future__ import annotations

import math

from asgi_app.models import Effect

PULSE_SECONDS = 4.0  # one breath in and out
BLINK_SECONDS = 1.0  # half of it dark
FLASH_SECONDS = 0.3  # one flash: bright, then dark
PULSE_FLOOR = 0.08  # of the level: a breath never quite goes out


def fade(start: float, end: float, seconds: float, elapsed: float) -> float:
    """The level (percent) on the way from start to end: linear in level, which gamma makes even to the eye."""
    if seconds <= 0 or elapsed >= seconds:
        return end
    return start + (end - start) * max(elapsed, 0.0) / seconds


def flash(level: float, elapsed: float) -> float:
    """The level while flashing: away from where the light is, so that it shows on a dark and a bright light."""
    bright = elapsed % FLASH_SECONDS < FLASH_SECONDS / 2
    high, low = (100.0, level) if level < 60 else (level, 0.0)
    return high if bright else low


def effect(name: Effect, level: float, elapsed: float) -> float:
    """The level (percent) that an effect shows after so many seconds; never above the light's own level."""
    match name:
        case "pulse":
            breath = (1 - math.cos(2 * math.pi * elapsed / PULSE_SECONDS)) / 2
            return level * (PULSE_FLOOR + (1 - PULSE_FLOOR) * breath)
        case "blink":
            return level if elapsed % BLINK_SECONDS < BLINK_SECONDS / 2 else 0.0
        case "candle":
            return level * _flicker(elapsed)


def _flicker(elapsed: float) -> float:
    """A flame's brightness (0.35..1): three slow waves that never line up, and a gust now and then."""
    wave = math.sin(elapsed * 5.1) + math.sin(elapsed * 8.3 + 1.7) + math.sin(elapsed * 13.7 + 0.4)
    gust = max(0.0, math.sin(elapsed * 0.9) + math.sin(elapsed * 1.37 + 2.0) - 1.4)
    return min(max(0.82 + 0.055 * wave - 0.5 * gust, 0.35), 1.0)
