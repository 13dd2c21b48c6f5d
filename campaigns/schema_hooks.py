"""For schemathesis, which loads this: most requests go to a light, a room, a run and a show that are there."""

from __future__ import annotations

from typing import Any

import schemathesis

THERE = {"light": "led", "room": "lobby", "run": "r1", "show": "sunrise"}


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Three of four; which ones is in the value itself, so that a run can be repeated."""
    return path_parameters and {
        name: value if len(str(value)) % 4 == 1 else THERE.get(name, value) for name, value in path_parameters.items()
    }
