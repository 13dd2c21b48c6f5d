"""The connection to the pins: taken, lost, taken again; every blocking call in one worker thread, with a time limit."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from asgi_app.hw.pins import Pin, Pins, PinsError
from asgi_app.hw.worker import Worker
from asgi_app.models.lights import LightSpec

T = TypeVar("T")

log = logging.getLogger("pilotlight.hardware")

CALL_SECONDS = 1.5  # a write or a read takes under a millisecond; after this the worker is replaced
CONNECT_SECONDS = 4.0
EXIT_SECONDS = 0.3  # for all lights together to reach their exit level


class PinConnection:
    """The pins and the worker thread that drives them. Every call that can fail raises `PinsError`, whatever failed."""

    def __init__(self, pins: Pins) -> None:
        self.pins = pins
        self.worker = Worker()
        self._connected = False

    async def call(self, function: Callable[[], T], seconds: float = CALL_SECONDS) -> T:
        """Return what the function returns in the worker thread."""
        try:
            return await self.worker.call(function, seconds)
        except PinsError:
            raise
        except TimeoutError:
            # Nobody can cancel the call in which the thread hangs: leave the thread, it ends when the call does.
            self.worker.abandon()
            self.worker = Worker()
            raise PinsError(f"{self.pins.name} hangs: no answer for {seconds:g} s") from None
        except Exception as error:
            raise self._unexpected(error) from error

    async def write(self, duties: Sequence[tuple[Pin, float]]) -> None:
        """Write these duty cycles (0..1); quick pins at once."""
        if self.pins.quick:
            for pin, duty in duties:
                self.write_now(pin, duty)
        else:
            await self.call(partial(write_all, duties))

    def write_now(self, pin: Pin, duty: float) -> None:
        """Write the duty cycle (0..1) of a quick pin in this thread."""
        try:
            pin.write(duty)
        except PinsError:
            raise
        except Exception as error:
            raise self._unexpected(error) from error

    def _unexpected(self, error: Exception) -> PinsError:
        log.exception("the pins failed with an unexpected error")
        return PinsError(f"{self.pins.name}: {type(error).__name__}: {error}")

    async def take(self, wanted: Sequence[tuple[LightSpec, int]]) -> list[Pin | PinsError]:
        """Claim the pins of these lights, and write these levels (percent).

        Returns each pin, or why it could not be taken. Raises: `PinsError` if a new connection gives no pin at all.
        """
        taken = await self.call(partial(self._take, wanted, self._connected), CONNECT_SECONDS)
        self._connected = True
        return taken

    def _take(self, wanted: Sequence[tuple[LightSpec, int]], connected: bool) -> list[Pin | PinsError]:
        if not connected:
            self.pins.connect()
        taken: list[Pin | PinsError] = []
        for spec, level in wanted:
            try:
                pin = self.pins.claim(spec)
                pin.write(spec.duty(level))
                taken.append(pin)
            except PinsError as error:
                taken.append(error)
        if not connected and all(isinstance(pin, PinsError) for pin in taken):
            raise next(pin for pin in taken if isinstance(pin, PinsError))  # the connection failed, not the pins
        return taken

    def drop(self) -> None:
        """Release the pins after a failure, without waiting: pigpio's thread spins on the socket of a dead daemon."""
        self._connected = False
        self.worker.post(self.pins.drop)

    async def close(self, exits: Sequence[tuple[Pin, float]]) -> None:
        """Write the duty cycles of the exit levels, and release the pins. Never raises."""
        try:
            if exits:
                await self.call(partial(write_all, exits), EXIT_SECONDS)
        except PinsError as error:
            log.warning("not every light reached its exit level: %s", error)
        with contextlib.suppress(PinsError):
            await self.call(self.pins.drop, EXIT_SECONDS)
        self.worker.abandon()


def write_all(duties: Sequence[tuple[Pin, float]]) -> None:
    """Write these duty cycles (0..1). Raises: `PinsError`."""
    for pin, duty in duties:
        pin.write(duty)
