"""The PIN, read without the settings and the models, whose import takes a quarter of a second."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from asgi_app.errors import SetupError
from asgi_app.settings_file import PREFIX, config_in_use, default_data, read_file


def quick_pin(config: Path | None, data: Path | None) -> str | None:
    """Return the PIN, or None for anything unusual: then `SecretStore` finds the PIN, or says what is wrong.

    `config` and `data` are those of the command line.
    """
    with contextlib.suppress(SetupError, OSError, ValueError, LookupError, TypeError, AttributeError):
        secrets = json.loads(_regular(_data(config, data) / "access.json").read_bytes())
        if {"pin_generation", "secret", "tokens", "names", "generation"} <= secrets.keys() and secrets["pin"].isdigit():
            pin: str = secrets["pin"]
            return pin
    return None


def _data(config: Path | None, data: Path | None) -> Path:
    if named := data or os.environ.get(PREFIX + "DATA"):
        return Path(named)
    file = config_in_use(config)
    settings = read_file(_regular(file)) if file is not None else {}
    return Path(settings["data"]) if "data" in settings else default_data()


def _regular(file: Path) -> Path:
    """Return the file. Raises `OSError` if it is not a regular one: a pipe can be read only once, or never ends."""
    if not file.is_file():
        raise FileNotFoundError(file)
    return file
