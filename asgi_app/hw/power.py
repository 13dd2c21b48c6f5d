"""The power and heat of a Raspberry Pi: whether the firmware slows it down, and why."""

from __future__ import annotations

from pathlib import Path

FILE = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")

# https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
BITS = {0: "under-voltage", 1: "frequency-capped", 2: "throttled", 3: "soft-temperature-limit"}
SINCE_BOOT = 16  # bits further on: the same condition, at any time since boot


def throttling(file: Path = FILE) -> dict[tuple[str, str], bool] | None:
    """Return each condition by its name and time (`now`, `since_boot`); None if the board does not report any."""
    try:
        bits = int(file.read_text().strip(), 16)
    except (OSError, ValueError):
        return None
    return {
        (name, when): bool(bits >> (bit + shift) & 1)
        for bit, name in BITS.items()
        for when, shift in (("now", 0), ("since_boot", SINCE_BOOT))
    }
