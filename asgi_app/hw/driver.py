"""The light driver: one worker thread, a target and an actual level a light, fades, and the push task.

One asyncio task decides what each pin should show now and has the worker write all that differ in one go,
so a command that arrives during a write shares the next one. When the pins are lost it refuses commands at
once, tries again with a growing pause, and puts every light back to its last accepted target. A second
task, the push task, tells the panel what the pins really did.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from asgi_app.core.lights import Drive
from asgi_app.errors import LightOffline
from asgi_app.hw import effects
from asgi_app.hw.pins import Pin, Pins, PinsError
from asgi_app.hw.worker import Worker
from asgi_app.models import LightSpec
from asgi_app.telemetry.logs import event
from asgi_app.telemetry.tasks import ended

T = TypeVar("T")

log = logging.getLogger("pilotlight.hardware")

FRAME = 0.016  # seconds between two writes of a fade: 60 a second
EFFECT_FRAME = 0.032  # seconds between two writes of an effect
PUSH = 0.016  # seconds between two reports of a fade
EFFECT_PUSH = 0.1  # seconds between two reports of an effect: nobody reads a flicker
POLL = 0.1  # seconds between two looks at pins that others can move
TOLERANCE = 0.003  # of duty cycle: a read-back closer than this is rounding (1/255 is 0.0039)
CALL_SECONDS = 1.5  # a write or a read takes under a millisecond; past this the worker is given up
CONNECT_SECONDS = 4.0
RETRY_FIRST, RETRY_LAST = 0.25, 2.0  # seconds between attempts to get the pins back
STOPPING = "the panel is stopping"
EXIT_SECONDS = 0.3  # for all lights together to reach their exit level


class Observer(Protocol):
    """Who is told what the pins do: the panel."""

    def light_moved(self, id: str, actual: float) -> None: ...
    def light_settled(self, id: str) -> None: ...
    def light_set_outside(self, id: str, level: float) -> None: ...
    def light_offline(self, id: str, reason: str) -> None: ...
    def light_online(self, id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Course:
    """Where a light's level (percent) goes from the moment it `began` (seconds on the loop's clock)."""

    drive: Drive
    start: float
    began: float

    def level(self, now: float) -> float:
        """The level to show now: flashes first, then the fade, then the target or its effect."""
        if self.drive.effect is None and now >= self.arrives():  # the same comparison as `moves`: it ends exactly
            return float(self.drive.level)
        elapsed = now - self.began
        flashing = self.drive.flash * effects.FLASH_SECONDS
        if elapsed < flashing:
            return effects.flash(self.start, elapsed)
        elapsed -= flashing
        end = float(self.drive.level)
        if self.drive.effect is not None:
            end = effects.effect(self.drive.effect, end, elapsed)
        return effects.fade(self.start, end, self.drive.seconds, elapsed)

    def arrives(self) -> float:
        """When flashing and fading are over, on the loop's clock."""
        return self.began + self.drive.flash * effects.FLASH_SECONDS + self.drive.seconds

    def moves(self, now: float) -> bool:
        """Whether the level still changes."""
        return self.drive.effect is not None or now < self.arrives()

    def ended(self) -> Course:
        """The same target with no way to go: for a light that comes back."""
        return Course(Drive(self.drive.level, effect=self.drive.effect), float(self.drive.level), self.began)


@dataclass(slots=True)
class _Lamp:
    """A light and its pin."""

    id: str
    spec: LightSpec
    course: Course
    pin: Pin | None = None
    reason: str = "the panel is starting"
    actual: float = 0.0  # percent, what was written last
    written: float = -1.0  # duty cycle, what the course wanted last
    seen: float = -1.0  # duty cycle, what the pin is known to have
    asked: Drive | None = None
    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    unreported: float | None = None
    arrives: float | None = None  # when its fade or flashing ends, until that is reported
    pushed: float = 0.0  # when the push task reported it last


class LightDriver:
    """Drives the lights of a panel. `drive` is the panel's way in, `observer` its way out."""

    def __init__(self, pins: Pins, specs: Mapping[str, LightSpec], first: Mapping[str, Drive]) -> None:
        self._pins = pins
        self._lamps = {
            id: _Lamp(id, spec, Course(first[id], float(first[id].level), 0.0)) for id, spec in specs.items()
        }
        self._observer: Observer | None = None
        self._worker = Worker()
        self._connected = False
        self._closed = False
        self._wake = asyncio.Event()
        self._pushable = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.faults = 0  # times that a light went offline

    # --- commands ------------------------------------------------------------------------------------------

    async def drive(self, light: str, drive: Drive) -> None:
        """Have the pin do this; returns once the hardware took it or something newer.

        Raises `LightOffline` with the reason; then the light keeps the target it had.
        """
        lamp = self._lamps[light]
        if lamp.pin is None:
            raise self._offline(lamp)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lamp.asked = drive
        lamp.waiting.append(waiter)
        self._wake.set()
        await waiter

    def ended(self) -> str | None:
        """What of it has ended by a fault, and why: then no light moves any more."""
        if self._closed:
            return None
        return ended(self._tasks) if self._worker.is_alive() else "the thread that drives the pins has ended"

    async def start(self, observer: Observer) -> None:
        """Take the pins and show each light's first level; where that fails the light is offline for now."""
        self._observer = observer
        await self._connect()
        if self._closed:  # told to stop meanwhile
            await self._let_go()
            return
        self._tasks = [
            asyncio.create_task(self._write_on(), name="light driver"),
            asyncio.create_task(self._push_on(), name="push task"),
        ]

    async def close(self) -> None:
        """Bring every light to its exit level, at once, and let go of the pins. Closing twice is no error."""
        if self._closed:
            return
        self._closed = True
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for lamp in self._lamps.values():
            self._refuse(lamp, STOPPING)
        await self._let_go()

    async def _let_go(self) -> None:
        """Exit levels, then no pins any more."""
        exits = [(lamp.pin, self._exit_duty(lamp)) for lamp in self._lamps.values() if lamp.pin is not None]
        for lamp in self._lamps.values():
            lamp.pin = None
        try:
            if exits:
                await self._call(lambda: _write_all(exits), EXIT_SECONDS)
        except PinsError as error:
            log.warning("not every light reached its exit level: %s", error)
        with contextlib.suppress(PinsError):
            await self._call(self._pins.drop, EXIT_SECONDS)
        self._worker.abandon()

    def _exit_duty(self, lamp: _Lamp) -> float:
        match lamp.spec.exit:
            case "off":
                return 0.0
            case int(level):
                return lamp.spec.duty(level)
            case _:
                return lamp.spec.duty(lamp.course.drive.level)

    # --- the writing task ----------------------------------------------------------------------------------

    async def _write_on(self) -> None:
        pause = RETRY_FIRST
        retry_at: float | None = None
        while True:
            if all(lamp.pin is not None for lamp in self._lamps.values()):
                pause, retry_at = RETRY_FIRST, None
            elif retry_at is None:
                retry_at = self._now() + pause
            await self._woken(self._until_next(retry_at))
            if retry_at is not None and self._now() >= retry_at:
                pause, retry_at = min(pause * 2, RETRY_LAST), None
                await self._connect()
            try:
                await self._write_due()
            except PinsError as error:
                self._lost(str(error))
            except Exception:  # whatever it is, the lights must go on
                log.exception("the light driver made a mistake")
                self._lost("the panel made a mistake; its log has more")

    async def _woken(self, timeout: float | None) -> None:
        """Wait for a command, but no longer than `timeout` seconds."""
        if timeout is None:
            await self._wake.wait()
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._wake.wait()
        self._wake.clear()

    def _until_next(self, retry_at: float | None) -> float | None:
        """Seconds until a pin has to be written, looked at or taken again; None where only a command does that."""
        now = self._now()
        pauses = [] if retry_at is None else [max(retry_at - now, 0.0)]
        for lamp in self._lamps.values():
            if lamp.pin is not None and (lamp.course.moves(now) or self._late(lamp, now)):
                pauses.append(EFFECT_FRAME if lamp.course.drive.effect else FRAME)
            elif lamp.pin is not None and self._pins.shared:
                pauses.append(POLL)
        return min(pauses, default=None)

    def _late(self, lamp: _Lamp, now: float) -> bool:
        """Whether the last value of a fade is still to be written."""
        return lamp.spec.duty(lamp.course.level(now)) != lamp.written

    async def _write_due(self) -> None:
        """Write every pin that should show something else, or look at them when there is nothing to write.

        Raises `PinsError`; whoever waited for a write has been told then.
        """
        now = self._now()
        writes: list[tuple[_Lamp, Pin, Course, float, list[asyncio.Future[None]]]] = []
        for lamp in self._lamps.values():
            if lamp.pin is None:
                continue
            course = lamp.course if lamp.asked is None else Course(lamp.asked, lamp.actual, now)
            level = course.level(now)
            if lamp.asked is not None or lamp.spec.duty(level) != lamp.written:
                writes.append((lamp, lamp.pin, course, level, lamp.waiting))
                lamp.asked, lamp.waiting = None, []
        if not writes:
            if self._pins.shared:
                await self._look()
            return
        duties = [(pin, lamp.spec.duty(level)) for lamp, pin, _, level, _ in writes]
        try:
            await self._call(lambda: _write_all(duties), CALL_SECONDS)
        except BaseException as error:  # whatever it is, nobody waits for ever
            for lamp, _, _, _, waiters in writes:
                lamp.reason = str(error) or STOPPING
                self._reject(lamp, waiters)
            raise
        for (lamp, _, course, level, waiters), (_, duty) in zip(writes, duties, strict=True):
            lamp.written = lamp.seen = duty
            lamp.actual = level
            if course is lamp.course:
                lamp.unreported = level
            else:
                lamp.course = course
                lamp.unreported = level if course.moves(now) and level != course.start else None
                lamp.arrives = course.arrives() if course.arrives() > now else None
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
        self._pushable.set()  # after the answers: a change is told before where it has got to

    async def _look(self) -> None:
        """Read back the pins that somebody else may have moved; raises `PinsError`."""
        looked = [(lamp, lamp.pin, lamp.course) for lamp in self._lamps.values() if lamp.pin is not None]
        pins = [pin for _, pin, _ in looked]
        duties = await self._call(lambda: [pin.read() for pin in pins], CALL_SECONDS)
        for (lamp, _, course), duty in zip(looked, duties, strict=True):
            if abs(duty - lamp.seen) <= TOLERANCE or lamp.asked is not None or course is not lamp.course:
                continue
            level = lamp.spec.level(duty)
            lamp.course = Course(Drive(round(level)), level, self._now())
            lamp.actual, lamp.seen = level, duty
            lamp.written = lamp.spec.duty(lamp.course.drive.level)
            log.info(
                "light %s was set to %.1f %% outside the panel",
                lamp.id,
                level,
                extra=event("light_outside", light=lamp.id, level=round(level, 1)),
            )
            if self._observer is not None:
                self._observer.light_set_outside(lamp.id, level)

    # --- losing the pins, and getting them back ------------------------------------------------------------

    async def _connect(self) -> None:
        """Take the pins that are not ours yet and show each light's target. Never raises: says offline."""
        missing = [lamp for lamp in self._lamps.values() if lamp.pin is None]
        connected = self._connected
        try:
            taken = await self._call(lambda: self._take(missing, connected), CONNECT_SECONDS)
        except PinsError as error:
            self._lost(str(error))
            return
        self._connected = True
        for lamp, pin in zip(missing, taken, strict=True):
            if isinstance(pin, PinsError):
                self._lost_one(lamp, str(pin))
                continue
            lamp.pin = pin
            lamp.course = lamp.course.ended()
            lamp.actual = float(lamp.course.drive.level)
            lamp.written = lamp.seen = lamp.spec.duty(lamp.actual)
            log.info(
                "light %s is on GPIO %d (%s)",
                lamp.id,
                lamp.spec.pin,
                self._pins.name,
                extra=event("light_online", light=lamp.id, pin=lamp.spec.pin, pins=self._pins.name),
            )
            if self._observer is not None:
                self._observer.light_online(lamp.id)

    def _take(self, lamps: list[_Lamp], connected: bool) -> list[Pin | PinsError]:
        """In the worker: claim the pins of these lights and show their targets. Raises `PinsError`."""
        if not connected:
            self._pins.connect()
        taken: list[Pin | PinsError] = []
        for lamp in lamps:
            try:
                pin = self._pins.claim(lamp.spec)
                pin.write(lamp.spec.duty(lamp.course.drive.level))
                taken.append(pin)
            except PinsError as error:
                taken.append(error)
        if not connected and all(isinstance(pin, PinsError) for pin in taken):
            raise next(pin for pin in taken if isinstance(pin, PinsError))  # it is not the pin, it is the way there
        return taken

    def _lost(self, reason: str) -> None:
        """None of the pins can be driven."""
        self._connected = False
        self._worker.post(self._pins.drop)  # at once: pigpio's thread spins on the socket of a dead daemon
        for lamp in self._lamps.values():
            self._lost_one(lamp, reason)

    def _lost_one(self, lamp: _Lamp, reason: str) -> None:
        if lamp.pin is not None or lamp.reason != reason:
            log.warning(
                "light %s is offline: %s", lamp.id, reason, extra=event("light_offline", light=lamp.id, reason=reason)
            )
            self.faults += 1
        lamp.pin = None
        lamp.unreported = lamp.arrives = None
        self._refuse(lamp, reason)
        if self._observer is not None:
            self._observer.light_offline(lamp.id, reason)

    def _refuse(self, lamp: _Lamp, reason: str) -> None:
        lamp.reason, lamp.asked = reason, None
        waiters, lamp.waiting = lamp.waiting, []
        self._reject(lamp, waiters)

    def _reject(self, lamp: _Lamp, waiters: list[asyncio.Future[None]]) -> None:
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(self._offline(lamp))

    def _offline(self, lamp: _Lamp) -> LightOffline:
        return LightOffline(f"the light {lamp.id} is offline: {lamp.reason}", field="light")

    async def _call(self, function: Callable[[], T], seconds: float) -> T:
        """Run it in the worker. Raises `PinsError`, whatever went wrong."""
        try:
            return await self._worker.call(function, seconds)
        except PinsError:
            raise
        except TimeoutError:
            # The thread is stuck in a call that nobody can cancel: leave it behind, it ends when the call does.
            self._worker.abandon()
            self._worker = Worker()
            raise PinsError(f"{self._pins.name} hangs: no answer for {seconds:g} s") from None
        except Exception as error:
            log.exception("driving the pins failed in a way that is new to us")
            raise PinsError(f"{self._pins.name}: {type(error).__name__}: {error}") from error

    # --- the push task -------------------------------------------------------------------------------------

    async def _push_on(self) -> None:
        """Tell the panel what moved: the first change at once, then one a `PUSH` a light, the last one always."""
        while True:
            await self._pushable.wait()
            now = self._now()
            for lamp in self._lamps.values():
                try:
                    self._report(lamp, now)
                except Exception:
                    log.exception("the push task made a mistake")
            if any(lamp.unreported is not None or lamp.arrives is not None for lamp in self._lamps.values()):
                await asyncio.sleep(PUSH)
            else:
                self._pushable.clear()

    def _report(self, lamp: _Lamp, now: float) -> None:
        """Tell the panel where the light is by now, and once that its way has ended."""
        if self._observer is None:
            return
        if lamp.arrives is not None and now >= lamp.arrives and (lamp.course.drive.effect or not self._late(lamp, now)):
            lamp.pushed, lamp.arrives, lamp.unreported = now, None, None
            self._observer.light_settled(lamp.id)
        every = EFFECT_PUSH if lamp.course.drive.effect else PUSH
        if lamp.unreported is not None and now - lamp.pushed >= every:
            lamp.pushed, level, lamp.unreported = now, lamp.unreported, None
            self._observer.light_moved(lamp.id, level)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _write_all(duties: list[tuple[Pin, float]]) -> None:
    """In the worker. Raises `PinsError`."""
    for pin, duty in duties:
        pin.write(duty)
