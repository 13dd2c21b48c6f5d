"""What we override of other libraries: each name is watched, and one that is gone is named, with what to install."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from asgi_app import seams
from asgi_app.engine import connection
from asgi_app.errors import SetupError
from asgi_app.mqtt import connection as mqtt
from asgi_app.seams import PACKAGES, Seam, check
from asgi_app.server import hypercorn
from asgi_app.server import run as serve
from tests.support.panel_process import ROOT, panel_environment

ALL_SEAMS = (*serve.SEAMS, *hypercorn.SEAMS, *connection.SEAMS, *mqtt.SEAMS)
EACH = [(seam.owner, name) for seam in ALL_SEAMS for name in seam.names.split()]


def where(value: Any) -> str:
    return f"{value.__module__}.{value.__name__}" if isinstance(value, type) else getattr(value, "__name__", str(value))


def test_all_are_there() -> None:
    check(ALL_SEAMS)


@pytest.mark.parametrize(("owner", "name"), EACH, ids=where)
def test_one_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch, owner: type | ModuleType, name: str) -> None:
    for one in getattr(owner, "__mro__", [owner]):
        if name in vars(one) and one is not object:
            monkeypatch.delattr(one, name)
        made = vars(one).get("__init__")
        if isinstance(one, type) and name in getattr(getattr(made, "__code__", None), "co_names", ()):
            monkeypatch.setattr(one, "__init__", lambda self: None)
    with pytest.raises(SetupError) as raised:
        check([Seam(owner, name)])
    root = (owner.__name__ if isinstance(owner, ModuleType) else owner.__module__).partition(".")[0]
    assert re.match(rf"{PACKAGES[root]} [\d.]+ has no {root}[\w.]*\.{name}, which", raised.value.detail)
    assert f"pip install '{PACKAGES[root]}" in raised.value.detail


def our_classes() -> Iterator[tuple[type, list[type]]]:
    """Those that are made of a class of these libraries, with what they are made of there."""
    for name, module in sorted(sys.modules.items()):
        for ours in vars(module).values() if name.startswith("asgi_app.") else ():
            if isinstance(ours, type) and ours.__module__ == name:
                theirs = [base for base in ours.__mro__ if base.__module__.partition(".")[0] in PACKAGES]
                if theirs:
                    yield ours, theirs


def names_in(ours: type) -> set[str]:
    """What the class defines, and what it asks of itself."""
    found = set(vars(ours))
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(ours)))):
        if isinstance(node, ast.Attribute):
            by_super = isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") == "super"
            if by_super or getattr(node.value, "id", "") == "self":
                found.add(node.attr)
    return {name for name in found if not re.fullmatch("__.*__", name)}


def test_every_name_that_we_override_or_use_is_in_a_table() -> None:
    watched = {(seam.owner, name) for seam in ALL_SEAMS for name in seam.names.split()}
    missing = []
    for ours, theirs in our_classes():
        known = {name for owner, name in watched if owner in theirs}
        for name in sorted(names_in(ours) - known):
            if any(seams._has(one, name) for one in theirs):
                missing.append(f"Seam({where(theirs[0])}, {name!r}) for {where(ours)}")
    assert missing == [], "add these to the SEAMS of its module"


def test_the_versions_are_bounded_above() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for package in PACKAGES.values():
        assert re.search(rf'"{package}>=[\d.]+,<[\d.]+"', text), package


LOST = {
    "an override": (
        "import uvicorn; del uvicorn.Server.capture_signals",
        "uvicorn.server.Server.capture_signals",
    ),
    "an import": (
        "import hypercorn.asyncio.tcp_server as module; del module.MAX_RECV",
        "hypercorn.asyncio.tcp_server.MAX_RECV",
    ),
    "a module": ("import sys; sys.modules['engineio.async_drivers.asgi'] = None", "engineio.async_drivers.asgi"),
    "a base": (
        "import engineio.async_socket as module; del module.AsyncSocket",
        "engineio.async_socket.AsyncSocket",
    ),
}


def ended(program: str) -> subprocess.CompletedProcess[str]:
    """A Python program that starts a panel, and should not get far."""
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command, cwd=ROOT, env=panel_environment(), capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize("how", LOST)
def test_the_panel_says_so_in_one_line(how: str) -> None:
    lose, name = LOST[how]
    flags = ["serve", "--pins=mock", f"--server={'hypercorn' if 'hypercorn' in name else 'uvicorn'}"]
    program = f"{lose}; import sys; from asgi_app.cli.main import main; sys.argv[1:] = {flags}; main()"
    done = ended(program)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert re.search(rf"(uvicorn|hypercorn|python-engineio) [\d.]+ has no {name}, which the panel needs", line)


def test_another_error_is_still_one() -> None:
    lose = "import sys; sys.modules['platformdirs'] = None"
    program = f"{lose}; from asgi_app.cli.main import main; sys.argv[1:] = ['serve']; main()"
    done = ended(program)
    assert "ModuleNotFoundError: import of platformdirs halted" in done.stderr


def test_a_seam_in_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("uvicorn.somewhere")
    with pytest.raises(SetupError, match=r"uvicorn [\d.]+ has no uvicorn.somewhere.thing"):
        check([Seam(module, "thing")])
    module.thing = 1  # type: ignore[attr-defined]
    check([Seam(module, "thing")])
