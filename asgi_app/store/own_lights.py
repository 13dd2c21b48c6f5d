"""The lights that were added on the page: a file in the data directory, beside the database.

The settings are read with it, so that what drives the pins without a panel knows these lights too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from asgi_app.errors import SetupError
from asgi_app.models.lights import LightId, LightSpec
from asgi_app.store.file import sync_directory

NAME = "lights.json"
LIGHTS: TypeAdapter[dict[str, LightSpec]] = TypeAdapter(dict[LightId, LightSpec])


def read(data: Path) -> dict[str, LightSpec]:
    """Return the lights in the file of this directory; none if there is no file. Raises `SetupError`."""
    file = data / NAME
    try:
        return LIGHTS.validate_json(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError, PermissionError):  # nothing of the directory can be used then
        return {}
    except OSError as error:
        raise SetupError(f"{file} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        raise SetupError(f"{file} is wrong: {where}: {fault['msg']}. Repair it, or delete it.") from None


def write(data: Path, lights: Mapping[str, LightSpec]) -> None:
    """Write these lights in the place of those before, whole or not at all. Raises `OSError`."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = data / (NAME + ".new")
    text = json.dumps(
        {id: spec.model_dump(mode="json", exclude_defaults=True) for id, spec in lights.items()}, indent=1
    )
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(descriptor)
    new.replace(data / NAME)
    sync_directory(data)  # stores the new name too
