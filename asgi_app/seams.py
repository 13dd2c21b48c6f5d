"""The names of other libraries that the panel overrides or uses though they are not public, and the check for them.

Each module that needs such names lists them in a table, `SEAMS`. The panel checks the tables when it starts. If a name
is gone, it says which one and which version to install, instead of failing at the first connection.
"""

from __future__ import annotations

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
    "redis": "redis",
    "aiomqtt": "aiomqtt",
    "paho": "paho-mqtt",
}


class Seam(NamedTuple):
    """A class or a module, and the names in it that we need, separated by spaces."""

    owner: type | ModuleType
    names: str


def check(seams: Iterable[Seam]) -> None:
    """Check that every name is there. Raises `SetupError` for the first that is not."""
    for owner, names in seams:
        if owner is object:  # stands for a library that this machine does not have (`server/fallbacks.py`)
            continue
        for name in names.split():
            if not _has(owner, name):
                where = owner.__name__ if isinstance(owner, ModuleType) else f"{owner.__module__}.{owner.__qualname__}"
                raise SetupError(_fault(f"{where}.{name}", where))


def lost_seam(error: ImportError | AttributeError) -> str:
    """Return what to tell the user about an import that failed. Raises the error again if it is about other modules."""
    module = error.name if isinstance(error, ImportError) else getattr(error.obj, "__name__", None)
    if module is None or _package_of(module) is None:
        raise error
    if isinstance(error, AttributeError):
        return _fault(f"{module}.{error.name}", module)
    name = re.search(r"cannot import name '(\w+)'", error.msg)  # Python 3.12 has an attribute for it
    return _fault(f"{module}.{name[1]}" if name else module, module)


def _has(owner: type | ModuleType, name: str) -> bool:
    """Return whether the owner has the name, or sets it in its `__init__`."""
    if hasattr(owner, name):
        return True
    makers = [vars(one).get("__init__") for one in getattr(owner, "__mro__", ())]
    return any(name in maker.__code__.co_names for maker in makers if hasattr(maker, "__code__"))


def _package_of(module: str) -> str | None:
    return PACKAGES.get(module.partition(".")[0])


def _fault(what: str, module: str) -> str:
    """Return what to tell the user about a name that a module does not have."""
    package = _package_of(module)
    if package is None:
        return f"there is no {what}"
    import importlib.metadata

    return (
        f"{package} {importlib.metadata.version(package)} has no {what}, which the panel needs: "
        f"pip install '{package}{_versions(package)}'"
    )


def _versions(package: str) -> str:
    """Return the versions that the panel accepts, as pip writes them; empty in a checkout that is not installed."""
    import importlib.metadata

    try:
        wanted = importlib.metadata.requires("pilotlight") or []
    except importlib.metadata.PackageNotFoundError:
        return ""
    found = (re.fullmatch(r"([\w.-]+?)\s*\(?([<>=!~][^;)]*)\)?\s*(;.*)?", line) for line in wanted)
    return next((one[2].strip() for one in found if one is not None and one[1] == package), "")
