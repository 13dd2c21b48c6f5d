"""The level of a light over time: fades, flashes and effects, all pure. Levels in percent, times in seconds."""

from __future__ import annotations

import math
from typing import NamedTuple

from asgi_app.core.lights import Drive
from asgi_app.models.lights import Effect

FRAME = 0.016  # seconds between two writes of a fade: 60 a second
EFFECT_FRAME = 0.032  # seconds between two writes of an effect
SMOOTH, SLOWEST_FRAME = 0.05, 1.0  # of a long fade: percent and seconds between two writes

PULSE_SECONDS = 4.0  # one breath in and out
BLINK_SECONDS = 1.0  # the first half bright, the second dark
FLASH_SECONDS = 0.3  # one flash: bright, then dark
PULSE_FLOOR = 0.08  # of the level: a pulse is never quite dark


class Motion(NamedTuple):
    """The level of a light from the moment it `began` (on the loop's clock), starting at the level `start`."""

    drive: Drive
    start: float
    began: float

    def level(self, now: float) -> float:
        """Return the level to show now: the flashes first, then the fade, then the target or its effect."""
        if not self.moves(now):
            return float(self.drive.level)
        elapsed = now - self.began
        flashing = self.drive.flash * FLASH_SECONDS
        if elapsed < flashing:
            return flash(self.start, elapsed)
        elapsed -= flashing
        end = float(self.drive.level)
        if self.drive.effect is not None:
            end = effect(self.drive.effect, end, elapsed)
        return fade(self.start, end, self.drive.seconds, elapsed)

    def arrives(self) -> float:
        """Return when the flashes and the fade are over, on the loop's clock."""
        return self.began + self.drive.flash * FLASH_SECONDS + self.drive.seconds

    def moves(self, now: float) -> bool:
        """Whether the level still changes."""
        drive = self.drive
        return drive.effect is not None or ((drive.seconds > 0 or drive.flash > 0) and now < self.arrives())

    def until_next(self, now: float) -> float:
        """Return the seconds until the pin must be written again, while the level changes.

        A long fade is written only as often as it takes to be smooth: each `SMOOTH` percent, at least once a second.
        """
        if self.drive.effect is not None:
            return EFFECT_FRAME
        way = abs(self.drive.level - self.start)
        if self.drive.flash or way == 0:
            return FRAME
        return max(FRAME, min(SMOOTH * self.drive.seconds / way, SLOWEST_FRAME, self.arrives() - now))

    def ended(self) -> Motion:
        """Return the same target without flashes or fade, for a light that comes back."""
        return Motion(Drive(self.drive.level, effect=self.drive.effect), float(self.drive.level), self.began)


def fade(start: float, end: float, seconds: float, elapsed: float) -> float:
    """Return the level between start and end: linear in level, which gamma correction makes even to the eye."""
    if seconds <= 0 or elapsed >= seconds:
        return end
    return start + (end - start) * max(elapsed, 0.0) / seconds


def flash(level: float, elapsed: float) -> float:
    """Return the level while flashing: away from the light's own level, so that it shows on dark and bright lights."""
    bright = elapsed % FLASH_SECONDS < FLASH_SECONDS / 2
    high, low = (100.0, level) if level < 60 else (level, 0.0)
    return high if bright else low


def effect(name: Effect, level: float, elapsed: float) -> float:
    """Return the level that an effect shows after the elapsed time; it is never above the light's own level."""
    match name:
        case "pulse":
            share = (1 - math.cos(2 * math.pi * elapsed / PULSE_SECONDS)) / 2
            return level * (PULSE_FLOOR + (1 - PULSE_FLOOR) * share)
        case "blink":
            return level if elapsed % BLINK_SECONDS < BLINK_SECONDS / 2 else 0.0
        case "candle":
            return level * _flicker(elapsed)


def _flicker(elapsed: float) -> float:
    """Return the brightness of a flame (0.35..1): three slow waves that never align, and sometimes a gust."""
    wave = math.sin(elapsed * 5.1) + math.sin(elapsed * 8.3 + 1.7) + math.sin(elapsed * 13.7 + 0.4)
    gust = max(0.0, math.sin(elapsed * 0.9) + math.sin(elapsed * 1.37 + 2.0) - 1.4)
    return min(max(0.82 + 0.055 * wave - 0.5 * gust, 0.35), 1.0)
