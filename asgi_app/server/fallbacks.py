"""Compiled libraries that do not exist for every machine, such as a 32-bit Pi, and their substitutes."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from typing import NamedTuple


class CompiledLibrary(NamedTuple):
    """A compiled library, and its substitute where it is missing."""

    library: str
    package: str
    instead: str


LIBRARIES = (
    CompiledLibrary("uvloop", "uvloop", "asyncio's own event loop"),
    CompiledLibrary("httptools", "httptools", "the server hypercorn, on h11"),
    CompiledLibrary("argon2", "argon2-cffi", "scrypt for passwords"),
)
IS_32_BIT = sys.maxsize < 2**32


def missing() -> list[CompiledLibrary]:
    """Return the libraries that are not installed here."""
    return [one for one in LIBRARIES if not _is_there(one.library)]


def _is_there(library: str) -> bool:
    """Whether it is installed. It is not imported: argon2's import takes long, and few panels need it."""
    return importlib.util.find_spec(library) is not None


def server_here(wanted: str) -> str:
    """Return the server that can run here: uvicorn needs httptools, hypercorn does not."""
    return wanted if wanted == "hypercorn" or _is_there("httptools") else "hypercorn"


def event_loop_class() -> type[asyncio.AbstractEventLoop]:
    """Return uvloop's event loop class, or asyncio's if uvloop is missing."""
    try:
        import uvloop
    except ImportError:
        return asyncio.SelectorEventLoop
    loop: type[asyncio.AbstractEventLoop] = uvloop.Loop
    return loop
