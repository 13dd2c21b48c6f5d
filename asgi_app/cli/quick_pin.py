"""The PIN, read without the settings and the models, whose import takes a quarter of a second."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from asgi_app.cli.here import data_in_use, regular
from asgi_app.errors import SetupError


def quick_pin(config: Path | None, data: Path | None) -> str | None:
    """Return the PIN, or None for anything unusual: then `SecretStore` finds the PIN, or says what is wrong.

    `config` and `data` are those of the command line.
    """
    with contextlib.suppress(SetupError, OSError, ValueError, LookupError, TypeError, AttributeError):
        secrets = json.loads(regular(data_in_use(config, data) / "access.json").read_bytes())
        if {"pin_generation", "secret", "tokens", "names", "generation"} <= secrets.keys() and secrets["pin"].isdigit():
            pin: str = secrets["pin"]
            return pin
    return None
