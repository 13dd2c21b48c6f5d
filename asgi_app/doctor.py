"""`pilotlight doctor`: what the panel would do on this machine, and what stands in its way."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from asgi_app import __version__
from asgi_app.hw.pins import Address, PinsError, board_model, choose
from asgi_app.settings import Settings


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    good: bool
    what: str
    says: str
    fix: str | None = None


def report(settings: Settings) -> Iterator[Finding]:
    """Look at the board, the pins, each light and the data directory. Reaches for the pins, and lets them go."""
    yield Finding(True, "version", f"{__version__} on Python {sys.version.split()[0]}")
    yield Finding(True, "board", board_model() or "not a Raspberry Pi")
    pins, hardware = choose(settings.pins, Address(settings.pigpio_host, settings.pigpio_port))
    try:
        pins.connect()
    except PinsError as error:
        yield Finding(False, "pins", f"{hardware.pins}: {error}", hardware.fix)
    else:
        yield Finding(True, "pins", f"{hardware.pins}: {hardware.why}", hardware.fix)
        if pins.name == "mock":
            yield Finding(True, "light", "simulated: no LED will shine, everything else works")
    finally:
        pins.drop()
    for id, spec in settings.lights.items():
        yield Finding(True, f"light {id}", f"GPIO {spec.pin}, {spec.frequency} Hz, gamma {spec.gamma:g}")
    folder = settings.data
    while not folder.exists():
        folder = folder.parent
    if os.access(folder, os.W_OK):
        yield Finding(True, "data", str(settings.data))
    else:
        yield Finding(
            False, "data", f"{folder} cannot be written", f"--data with a directory of yours, or chown {folder}"
        )
