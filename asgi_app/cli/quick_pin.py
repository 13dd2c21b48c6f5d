"""The PIN, read without the settings and the models, whose import takes a quarter of a second."""

from __future__ import annotations

import contextlib
import json
import os
import tomllib
from pathlib import Path

import platformdirs


def quick_pin(config: Path | None, data: Path | None) -> str | None:
    """Return the PIN, or None for anything unusual: then `Keys` finds the PIN, or says what is wrong.

    `config` and `data` are those of the command line.
    """
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, RuntimeError):
        secrets = json.loads(_regular(_data(config, data) / "access.json"))
        if {"pin_generation", "secret", "tokens", "names", "generation"} <= secrets.keys() and secrets["pin"].isdigit():
            pin: str = secrets["pin"]
            return pin
    return None


def _data(config: Path | None, data: Path | None) -> Path:
    """Return the data directory, as `read_settings` would find it."""
    if named := data or os.environ.get("PILOTLIGHT_DATA"):
        return Path(named)
    file = config or os.environ.get("PILOTLIGHT_CONFIG")
    default = Path(platformdirs.user_config_dir("pilotlight")) / "pilotlight.toml"
    if file or default.is_file():
        settings = tomllib.loads(_regular(Path(file or default)).decode())
        if "data" in settings:
            return Path(settings["data"])
    return Path(platformdirs.user_data_dir("pilotlight"))


def _regular(file: Path) -> bytes:
    """Return the content. Raises `OSError` if it is not a regular file: a pipe would never end."""
    if not file.is_file():
        raise FileNotFoundError(file)
    return file.read_bytes()
