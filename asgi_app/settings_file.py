"""The settings file: where it is, and what is in it. Without the settings themselves, whose import takes long."""

from __future__ import annotations

import codecs
import os
import pwd
import tomllib
from pathlib import Path
from typing import Any

import platformdirs

from asgi_app.errors import SetupError

PREFIX = "PILOTLIGHT_"  # of the settings in the environment


def default_data() -> Path:
    """Return the data directory of the user. Raises `SetupError` for a user without a home."""
    try:
        return Path(platformdirs.user_data_dir("pilotlight"))
    except RuntimeError as error:
        raise SetupError(f"{error} Name a directory with --data.") from None


def default_config() -> Path:
    """Return the settings file that is read if none is named."""
    return Path(platformdirs.user_config_dir("pilotlight")) / "pilotlight.toml"


def config_in_use(config: Path | None = None) -> Path | None:
    """Return the settings file to read: the named one (flag, environment), or else the user's own, if it exists."""
    if config is not None:
        return config
    if named := os.environ.get(PREFIX + "CONFIG"):
        return Path(named)
    try:
        return default_config() if default_config().is_file() else None
    except (OSError, RuntimeError):  # no home, or one without read permission (`pilotlight doctor` reports it)
        return None


def config_of_sudo() -> Path | None:
    """Return the settings file of the user who called `sudo`, if it exists. (Root has another home.)"""
    try:
        home = pwd.getpwuid(int(os.environ["SUDO_UID"])).pw_dir
        file = Path(home, ".config", "pilotlight", "pilotlight.toml")
        return file if file.is_file() else None
    except (KeyError, ValueError, OSError):
        return None


def read_file(file: Path) -> dict[str, Any]:
    """Return the settings in the file, with a byte order mark or in UTF-16 too. Raises `SetupError`."""
    try:
        content = file.read_bytes()
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return tomllib.loads(content.decode("utf-16" if wide else "utf-8-sig"))
    except OSError as error:
        raise SetupError(f"Cannot read the settings file {file}: {error.strerror}") from error
    except ValueError as error:
        raise SetupError(f"The settings file {file} is not TOML: {error}") from error


def read_secret(file: Path | None, setting: str) -> str | None:
    """Return the first line of the file that a setting names; None if it names none. Raises `SetupError`."""
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, ValueError) as error:
        raise SetupError(f"Setting {setting}: the file {file} cannot be read: {error}") from None
