"""Commands as JSON that the panel can read. What it could not read is refused here, where the caller sees it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pilotlight.errors import TooDeep

DEPTH = 200  # levels of arrays and objects in a command, which is the panel's limit
NESTS = (dict, list, tuple)


def encode(command: Mapping[str, Any]) -> bytes:
    """Return the command as JSON. Raises `TypeError` or `ValueError` for what is no JSON, and `TooDeep`."""
    text = json.dumps(command, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    if text.count(b"[") + text.count(b"{") > DEPTH and _is_deeper(command):
        raise TooDeep(
            f"The panel takes no JSON that is nested more than {DEPTH} levels deep. Send it flatter, or as text."
        )
    return text


def _is_deeper(value: Any) -> bool:
    level = [value]
    for _ in range(DEPTH):
        level = [item for item in level if isinstance(item, NESTS)]
        level = [within for item in level for within in (item.values() if isinstance(item, dict) else item)]
    return any(isinstance(item, NESTS) for item in level)
