"""The light driver: writes each light's target to its pin, and puts the lights back when lost pins return.

One asyncio task decides what each pin must show now, and has the worker thread write all that differ at once. So a
command that arrives during a write shares the next one. Pins that take a write in microseconds need neither: a command
writes them itself, and the task goes on with the fade. While the pins are lost, the driver refuses commands at once,
and retries after growing pauses. When the pins return, it shows the last accepted target of every light again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from asgi_app.core.lights import Drive, target_outside
from asgi_app.hw.light import DrivenLight, Observer, Write
from asgi_app.hw.motion import Motion
from asgi_app.hw.pin_connection import PinConnection
from asgi_app.hw.pins import Pin, Pins, PinsError
from asgi_app.hw.push import push
from asgi_app.models.lights import LightSpec
from asgi_app.telemetry.logs import event
from asgi_app.telemetry.tasks import ended

log = logging.getLogger("pilotlight.hardware")

POLL = 0.1  # seconds between two reads of pins that others can move
TOLERANCE = 0.003  # of duty cycle: a read-back closer than this is rounding (1/255 is 0.0039)
RETRY_FIRST, RETRY_LAST = 0.25, 2.0  # seconds between attempts to get the pins back
STOPPING = "the panel is stopping"


class LightDriver:
    """Drives the lights of a panel: `drive` takes the commands, and the observer receives what the pins do."""

    def __init__(self, pins: Pins, specs: Mapping[str, LightSpec], first: Mapping[str, Drive]) -> None:
        self._pins = pins
        self._connection = PinConnection(pins)
        self._lights = {
            id: DrivenLight(id, spec, Motion(first[id], float(first[id].level), 0.0)) for id, spec in specs.items()
        }
        self._closed = False
        self._wake = asyncio.Event()
        self._pushable = asyncio.Event()
        self._added: list[asyncio.Future[None]] = []  # to be resolved once the pins of new lights were tried
        self._tasks: list[asyncio.Task[None]] = []
        self.faults = 0  # how often a light went offline

    async def drive(self, light: str, drive: Drive) -> None:
        """Write this to the pin; return once the hardware has it or something newer.

        Raises: `LightOffline` with the reason; then the light keeps its target.
        """
        driven = self._lights[light]
        if driven.pin is None:
            raise driven.offline
        driven.asked = drive
        if self._pins.quick:
            self._drive_now(driven, driven.pin)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        driven.waiting.append(waiter)
        self._wake.set()
        await waiter

    @property
    def is_quick(self) -> bool:
        """Whether `drive` returns or raises without waiting."""
        return self._pins.quick

    def _drive_now(self, light: DrivenLight, pin: Pin) -> None:
        now = self._now()
        write = light.next_write(pin, now)
        assert write is not None  # it was asked for
        try:
            self._connection.write_now(pin, write.duty)
        except PinsError as error:
            self._lost(str(error))
            self._wake.set()  # the task takes the pins again
            raise light.offline from None
        self._note([write], now)
        if light.motion.moves(now):
            self._wake.set()

    async def add(self, light: str, spec: LightSpec, first: Drive) -> None:
        """Take the pin of another light, and show this. Returns once it has the pin, or cannot have it now."""
        self._lights[light] = DrivenLight(light, spec, Motion(first, float(first.level), 0.0))
        tried: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._added.append(tried)
        self._wake.set()
        await tried

    def tune(self, light: str, spec: LightSpec) -> None:
        """Drive the light with this from now on, on the same pin."""
        driven = self._lights[light]
        driven.spec, driven.written = spec, -1.0
        self._wake.set()

    async def remove(self, light: str) -> None:
        """Let the light and its pin go. What waits for it is refused."""
        driven = self._lights.pop(light)
        pin, driven.pin = driven.pin, None
        driven.refuse("it was removed")
        if pin is not None:
            await self._release(pin)

    async def _release(self, pin: Pin) -> None:
        """Let a pin go."""
        with contextlib.suppress(PinsError):  # they are lost, so this one is too
            await self._connection.call(partial(self._pins.release, pin))

    def ended(self) -> str | None:
        """Return which task or thread has ended by a fault and why, or None; after a fault no light moves."""
        if self._closed:
            return None
        return ended(self._tasks) if self._connection.worker.is_alive() else "the thread that drives the pins has ended"

    async def start(self, observer: Observer) -> None:
        """Take the pins and show the first level of each light; a light whose pin fails is offline for now."""
        self._observer: Observer = observer
        self._now: Callable[[], float] = asyncio.get_running_loop().time
        await self._connect()
        if self._closed:  # while it connected
            await self._let_go()
            return
        self._tasks = [
            asyncio.create_task(self._write_on(), name="light driver"),
            asyncio.create_task(push(self._lights.values(), observer, self._pushable), name="push task"),
        ]

    async def close(self) -> None:
        """Bring every light to its exit level at once, and release the pins; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for light in self._lights.values():
            light.refuse(STOPPING)
        for tried in self._added:
            tried.cancel()
        await self._let_go()

    async def _let_go(self) -> None:
        exits = [(light.pin, light.exit_duty) for light in self._lights.values() if light.pin is not None]
        for light in self._lights.values():
            light.pin = None
        await self._connection.close(exits)

    async def _write_on(self) -> None:
        pause = RETRY_FIRST
        retry_at: float | None = None
        while True:
            if all(light.pin is not None for light in self._lights.values()):
                pause, retry_at = RETRY_FIRST, None
            elif retry_at is None:
                retry_at = self._now() + pause
            await self._woken(self._until_next(retry_at))
            if self._added:
                retry_at = self._now()
            if retry_at is not None and self._now() >= retry_at:
                pause, retry_at = min(pause * 2, RETRY_LAST), None
                await self._connect()
            try:
                await self._write_due()
            except PinsError as error:
                self._lost(str(error))
            except Exception:  # the lights must go on, whatever it is
                log.exception("the light driver failed with an unexpected error")
                self._lost("internal error; see the panel's log")

    async def _woken(self, timeout: float | None) -> None:
        """Wait for a command, but no longer than `timeout` seconds, if that is given."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        self._wake.clear()

    def _until_next(self, retry_at: float | None) -> float | None:
        """Return the seconds until a pin must be written, read or taken again; None if only a command leads to that."""
        now = self._now()
        pauses = [] if retry_at is None else [max(retry_at - now, 0.0)]
        for light in self._lights.values():
            if light.pin is not None and (light.motion.moves(now) or light.is_late(now)):
                pauses.append(light.motion.until_next(now))
            elif light.pin is not None and self._pins.shared:
                pauses.append(POLL)
        return min(pauses, default=None)

    async def _write_due(self) -> None:
        """Write every pin that must show something else; if there is none, read the pins that others can move.

        Raises: `PinsError`, after it has refused the commands that waited for the write.
        """
        now = self._now()
        lights = [(light, light.pin) for light in self._lights.values()]
        writes = [
            write for light, pin in lights if pin is not None and (write := light.next_write(pin, now)) is not None
        ]
        if not writes:
            if self._pins.shared:
                await self._look()
            return
        try:
            await self._connection.write([(write.pin, write.duty) for write in writes])
        except BaseException as error:  # whatever it is, no command waits for ever
            for write in writes:
                write.light.reason = str(error) or STOPPING
                write.light.reject(write.waiting)
            raise
        self._note(writes, now)

    def _note(self, writes: Sequence[Write], now: float) -> None:
        """Note that the pins have this since now, and answer who waited for it."""
        for light, _, motion, level, duty, waiting in writes:
            light.written = light.seen = duty
            light.actual = level
            if motion is light.motion:
                light.unreported = level
            else:
                light.motion = motion
                light.unreported = light.arrives = None
                if motion.moves(now):
                    light.unreported = level if level != motion.start else None
                    light.arrives = arrives if (arrives := motion.arrives()) > now else None
            for waiter in waiting:
                if not waiter.done():
                    waiter.set_result(None)
            if light.unreported is not None or light.arrives is not None:
                self._pushable.set()

    async def _look(self) -> None:
        """Read the pins, and follow those that somebody else has moved. Raises: `PinsError`."""
        looked = [(light, light.pin, light.motion) for light in self._lights.values() if light.pin is not None]
        pins = [pin for _, pin, _ in looked]
        duties = await self._connection.call(lambda: [pin.read() for pin in pins])
        for (light, _, motion), duty in zip(looked, duties, strict=True):
            if abs(duty - light.seen) <= TOLERANCE or light.asked is not None or motion is not light.motion:
                continue
            level = light.spec.level(duty)
            light.motion = Motion(Drive(target_outside(level)), level, self._now())
            light.actual, light.seen = level, duty
            light.written = light.spec.duty(light.motion.drive.level)
            fields = event("light_outside", light=light.id, percent=round(level, 1))
            log.info("light %s was set to %.1f %% outside the panel", light.id, level, extra=fields)
            self._observer.light_set_outside(light.id, level)

    async def _connect(self) -> None:
        """Take the pins that are missing and show the target of each light. Never raises: the light is offline."""
        added, self._added = self._added, []
        try:
            await self._take_missing()
        finally:
            for tried in added:
                if not tried.done():
                    tried.set_result(None)

    async def _take_missing(self) -> None:
        missing = [light for light in self._lights.values() if light.pin is None]
        if not missing:
            return
        try:
            taken = await self._connection.take([(light.spec, light.motion.drive.level) for light in missing])
        except PinsError as error:
            self._lost(str(error))
            return
        for light, pin in zip(missing, taken, strict=True):
            if self._lights.get(light.id) is not light:  # it was removed meanwhile
                if not isinstance(pin, PinsError):
                    await self._release(pin)
                continue
            if isinstance(pin, PinsError):
                self._lost_one(light, str(pin))
                continue
            light.pin = pin
            light.motion = light.motion.ended()
            light.actual = float(light.motion.drive.level)
            light.written = light.seen = light.spec.duty(light.actual)
            fields = event("light_online", light=light.id, pin=light.spec.pin, pins=self._pins.name)
            log.info("light %s is on GPIO %d (%s)", light.id, light.spec.pin, self._pins.name, extra=fields)
            self._observer.light_online(light.id)

    def _lost(self, reason: str) -> None:
        """Take every light offline, since no pin can be driven."""
        self._connection.drop()
        for light in self._lights.values():
            self._lost_one(light, reason)

    def _lost_one(self, light: DrivenLight, reason: str) -> None:
        if light.pin is not None or light.reason != reason:
            fields = event("light_offline", light=light.id, reason=reason)
            log.warning("light %s is offline: %s", light.id, reason, extra=fields)
        self.faults += light.pin is not None  # not if only the reason is another one
        light.pin = None
        light.unreported = light.arrives = None
        light.refuse(reason)
        self._observer.light_offline(light.id, reason)
