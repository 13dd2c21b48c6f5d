"""What a Raspberry Pi says of its own power and heat: whether it is slowed down, and why."""

from __future__ import annotations

from pathlib import Path

FILE = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")

# https://www.raspberrypi.com/documentation/computers/os.html#get_throttled; 16 bits further on: since the start.
BITS = {0: "under-voltage", 1: "frequency-capped", 2: "throttled", 3: "soft-temperature-limit"}
SINCE_START = 16


def throttling(file: Path = FILE) -> dict[tuple[str, str], bool] | None:
    """Each condition by its name and by when (`now`, `since_boot`); None where the board does not say."""
    try:
        bits = int(file.read_text().strip(), 16)
    except (OSError, ValueError):
        return None
    return {
        (name, when): bool(bits >> (bit + shift) & 1)
        for bit, name in BITS.items()
        for when, shift in (("now", 0), ("since_boot", SINCE_START))
    }
