"""The id of this panel among those on one broker."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

FILE = "mqtt-node"
ID = re.compile(r"[0-9a-f]{12}")


def known_node(data: Path) -> str | None:
    """Return the id in the data directory, or None. Raises `OSError`."""
    try:
        text = (data / FILE).read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return None
    return text if ID.fullmatch(text) else None


def node_of(data: Path) -> str:
    """Return the id in the data directory; write a new one if there is none. Raises `OSError`.

    With the id, Home Assistant recognises the lights, whatever the panel is called.
    """
    if (known := known_node(data)) is not None:
        return known
    made = secrets.token_hex(6)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    (data / FILE).touch(mode=0o600)
    (data / FILE).write_text(made + "\n", encoding="ascii")
    return made
