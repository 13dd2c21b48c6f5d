"""`pilotlight exit-levels`: set every light to its exit level, after a panel that could not do it itself."""

from __future__ import annotations

from collections.abc import Iterator

from asgi_app.errors import SetupError
from asgi_app.hw.lock import PinLock
from asgi_app.hw.pins import Address, PinsError, choose
from asgi_app.settings import Settings


def set_exit_levels(settings: Settings) -> Iterator[str]:
    """Write the exit levels, in percent, and yield a line for each light. Lights with `exit = "keep"` stay as they are.

    Raises `SetupError` if a panel still drives the pins, or if a pin fails.
    """
    lights = {id: spec for id, spec in settings.lights.items() if spec.exit != "keep"}
    pins, hardware = choose(settings.pins, Address(settings.pigpio_host, settings.pigpio_port))
    lock = PinLock()
    lock.claim(settings.data, simulated=hardware.pins == "mock")
    try:
        if lights:
            pins.connect()
        for id, spec in lights.items():
            level = 0 if spec.exit == "off" else int(spec.exit)
            pins.claim(spec).write(spec.duty(level))
            yield f"light {id} is at {level} %"
    except PinsError as error:
        raise SetupError(f"Not every light reached its exit level: {error}") from None
    finally:
        pins.drop()
        lock.release()
