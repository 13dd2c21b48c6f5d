"""The panel of this machine: where its data is, without the settings and the models, whose import takes long."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from asgi_app.errors import SetupError
from asgi_app.settings_file import PREFIX, config_in_use, default_data, read_file
from asgi_app.systemd import SERVICE_DATA, SERVICE_UNIT


def data_in_use(config: Path | None, data: Path | None) -> Path:
    """Return the data directory that the settings name. Raises `SetupError`, `OSError` and `TypeError`."""
    if named := data or os.environ.get(PREFIX + "DATA"):
        return Path(named)
    file = config_in_use(config)
    settings = read_file(regular(file)) if file is not None else {}
    return Path(settings["data"]) if "data" in settings else default_data()


def regular(file: Path) -> Path:
    """Return the file. Raises `OSError` if it is not a regular one: a pipe can be read only once, or never ends."""
    if not file.is_file():
        raise FileNotFoundError(file)
    return file


def data_here(config: Path | None, data: Path | None) -> Path | None:
    """Return the data directory of the panel of this machine, if it is not the one that the settings name.

    That is the service of the whole machine, for root, unless somebody has named another one. For others, `SetupError`
    says how to ask it, unless they have run a panel themselves.
    """
    named = config or data or {PREFIX + "CONFIG", PREFIX + "DATA"} & os.environ.keys()
    if named or not SERVICE_UNIT.exists():
        return data
    if os.geteuid() == 0:
        return SERVICE_DATA
    if (data_in_use(config, data) / "access.json").exists():
        return None
    command = shlex.join([shutil.which("pilotlight") or sys.argv[0], *sys.argv[1:]])
    raise SetupError(f"The panel of this machine is a service, so root alone may ask it: sudo {command}")
