"""The names of other libraries that we override or reach into, though nobody promises that they stay.

Each module that does so has a table of them, `SEAMS`. They are looked at when the panel starts: where one is gone, it
says which and what to install, instead of failing at the first connection, or running without what was overridden.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable
from types import ModuleType
from typing import NamedTuple

from asgi_app.errors import SetupError

# The packages of the libraries whose versions pyproject.toml bounds above.
PACKAGES = {
    "uvicorn": "uvicorn",
    "hypercorn": "hypercorn",
    "quart": "quart",
    "engineio": "python-engineio",
    "socketio": "python-socketio",
}


class Seam(NamedTuple):
    """A class or a module, and the names in it that we need, as words."""

    owner: type | ModuleType
    names: str


def check(seams: Iterable[Seam]) -> None:
    """Raises `SetupError` that names the first seam which is gone."""
    for owner, names in seams:
        if owner is object:  # stands for a library that this machine cannot have (`server/fallbacks.py`)
            continue
        for name in names.split():
            if not _has(owner, name):
                where = owner.__name__ if isinstance(owner, ModuleType) else f"{owner.__module__}.{owner.__qualname__}"
                raise SetupError(gone(f"{where}.{name}", where))


def _has(owner: type | ModuleType, name: str) -> bool:
    """Whether it has the name, or sets it when it is made."""
    if hasattr(owner, name):
        return True
    makers = [vars(one).get("__init__") for one in getattr(owner, "__mro__", ())]
    return any(name in maker.__code__.co_names for maker in makers if hasattr(maker, "__code__"))


def is_watched(module: str) -> bool:
    """Whether the module is one of these libraries'."""
    return module.partition(".")[0] in PACKAGES


def gone(what: str, module: str) -> str:
    """What to say of a name in a module of a library that is not there."""
    package = PACKAGES.get(module.partition(".")[0])
    if package is None:
        return f"there is no {what}"
    return (
        f"{package} {importlib.metadata.version(package)} has no {what}, which the panel needs: "
        f"pip install '{package}{_versions(package)}'"
    )


def _versions(package: str) -> str:
    """Which the panel was made for, as pip says it; empty where it runs from a checkout that is not installed."""
    try:
        wanted = importlib.metadata.requires("pilotlight") or []
    except importlib.metadata.PackageNotFoundError:
        return ""
    found = (re.fullmatch(r"([\w.-]+?)\s*\(?([<>=!~][^;)]*)\)?\s*(;.*)?", line) for line in wanted)
    return next((one[2].strip() for one in found if one is not None and one[1] == package), "")
