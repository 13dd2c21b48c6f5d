"""A light and its pin, as the driver sees them: what was asked for, what the pin shows, who waits for a write."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from asgi_app.core.lights import Drive
from asgi_app.errors import LightOffline
from asgi_app.hw.motion import Motion
from asgi_app.hw.pins import Pin
from asgi_app.models.lights import LightSpec


class Observer(Protocol):
    """Receiver of what the pins do. Levels are in percent."""

    def light_moved(self, id: str, actual: float) -> None: ...
    def light_settled(self, id: str) -> None: ...
    def light_set_outside(self, id: str, level: float) -> None: ...
    def light_offline(self, id: str, reason: str) -> None: ...
    def light_online(self, id: str) -> None: ...


class Write(NamedTuple):
    """A write of one pin, and who waits for it. `level` in percent, `duty` 0..1."""

    light: DrivenLight
    pin: Pin
    motion: Motion
    level: float
    duty: float
    waiting: list[asyncio.Future[None]]


@dataclass(slots=True)
class DrivenLight:
    """A light and its pin; `pin` is None while the light is offline, and `reason` says why. Times: the loop's clock."""

    id: str
    spec: LightSpec
    motion: Motion
    pin: Pin | None = None
    reason: str = "the panel is starting"
    actual: float = 0.0  # percent, the level written last
    written: float = -1.0  # duty cycle, written last for the motion
    seen: float = -1.0  # duty cycle, the last known one of the pin
    asked: Drive | None = None  # for the next write
    waiting: list[asyncio.Future[None]] = field(default_factory=list)  # for that write
    unreported: float | None = None  # percent, an actual level that the push task has not reported
    arrives: float | None = None  # when its fade or flashing ends, until that is reported
    pushed: float = 0.0  # when the push task reported it last

    def next_write(self, pin: Pin, now: float) -> Write | None:
        """Return what to write to its pin now, for the commands that wait until then; None if the pin has that."""
        motion = self.motion if self.asked is None else Motion(self.asked, self.actual, now)
        level = motion.level(now)
        duty = self.spec.duty(level)
        if self.asked is None and duty == self.written:
            return None
        waiting, self.asked, self.waiting = self.waiting, None, []
        return Write(self, pin, motion, level, duty, waiting)

    def is_late(self, now: float) -> bool:
        """Whether the pin does not have the level of this moment yet."""
        return self.spec.duty(self.motion.level(now)) != self.written

    @property
    def exit_duty(self) -> float:
        """The duty cycle of its exit level."""
        if self.spec.exit == "keep":
            return self.spec.duty(self.motion.drive.level)
        return self.spec.duty(0 if self.spec.exit == "off" else self.spec.exit)

    @property
    def offline(self) -> LightOffline:
        """The refusal of a command while the light is offline."""
        return LightOffline(f"The light {self.id} is offline: {self.reason}.", field="light")

    def refuse(self, reason: str) -> None:
        """Refuse the commands that wait for the next write."""
        self.reason, self.asked = reason, None
        waiting, self.waiting = self.waiting, []
        self.reject(waiting)

    def reject(self, waiting: list[asyncio.Future[None]]) -> None:
        """Refuse these commands with the present reason."""
        for waiter in waiting:
            if not waiter.done():
                waiter.set_exception(self.offline)
