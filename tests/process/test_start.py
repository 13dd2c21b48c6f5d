"""What a start loads: the modules that it needs, and none of those that only some requests or commands need."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from asgi_app.server.deferred import DEFERRED
from tests.support.panel_process import ROOT, RunningPanel, panel_environment, run_pilotlight

NOTING = (sys.executable, "-m", "tests.support.loaded_modules")
SERVERS = {"quart", "socketio", "uvicorn", "hypercorn"}  # Quart itself imports hypercorn
LATER = {"argon2", "prometheus_client", "quart_schema", "segno"}  # for sign-ins, /metrics, /openapi.json, terminals
CLIENTS = {"aiohttp", "redis", "requests"}  # installed for the tests: python-socketio imports them for its clients


class Noting(RunningPanel):
    """A panel that notes its modules when it ends."""

    for_real = True

    def program(self) -> Sequence[str]:
        return (*NOTING, str(self.data.parent / "modules"))


def names(file: Path) -> set[str]:
    return set(file.read_text().split())


@pytest.mark.parametrize("server", ["uvicorn", "hypercorn"])
def test_a_panel_loads_what_it_needs(tmp_path: Path, server: str) -> None:
    with Noting(tmp_path / "data", server=server) as panel:
        assert panel.post("/led", json={"level": 12}).json() == {"level": 12}
        panel.stop()
    loaded = names(tmp_path / "modules")
    assert loaded >= SERVERS
    assert not loaded & (LATER | CLIENTS)
    assert ("asgi_app.server.hypercorn" in loaded) == (server == "hypercorn")


@pytest.mark.parametrize("path", ["/metrics", "/openapi.json"])
def test_the_rest_is_loaded_when_somebody_asks(tmp_path: Path, path: str) -> None:
    with Noting(tmp_path / "data") as panel:
        assert panel.get(path).status_code == 200
        panel.stop()
    assert names(tmp_path / "modules") & LATER


@pytest.mark.parametrize(
    "command",
    [["--version"], ["--help"], ["pin"], ["run", "--panel=http://127.0.0.1:1", "true"], ["token", "add", "me"]],
    ids=lambda words: words[0],
)
def test_a_command_loads_no_server(tmp_path: Path, command: list[str]) -> None:
    program = [*NOTING, str(tmp_path / "modules"), *command]
    env = panel_environment() | {"PILOTLIGHT_DATA": str(tmp_path)}
    if command == ["pin"]:
        run_pilotlight("pin", env=env)  # it makes the file of secrets
    done = subprocess.run(program, cwd=ROOT, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    loaded = names(tmp_path / "modules")
    assert not loaded & (SERVERS | LATER | {"gpiozero"})
    if command[0] != "token":
        assert not loaded & {"pydantic", "pydantic_settings"}
    if command[0] not in ("token", "run"):
        assert "asyncio" not in loaded


def test_stand_ins_have_what_the_libraries_import() -> None:
    """The libraries take only these names of each, so none of the real modules is imported."""
    for module, wanted in DEFERRED.items():
        assert [name for name in wanted.split() if not hasattr(importlib.import_module(module), name)] == []
    script = (
        "import sys; from asgi_app.server.deferred import DEFERRED, StandIn, defer; defer('uvicorn'); "
        "import quart, socketio, uvicorn; print(*(m for m in DEFERRED if type(sys.modules.get(m)) is not StandIn))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


USED = {
    "called": "print(type(socketio.Client()).__module__)",
    "asked for an attribute": "print(socketio.Client.reason.__module__)",
    "asked for a name that it lacks": "import pdb; print(pdb.Pdb.__module__)",
    "inherited from": "print(types.new_class('Mine', (socketio.Client,)).__mro__[1].__module__)",
}


@pytest.mark.parametrize("how", USED)
def test_a_stand_in_imports_the_real_module_when_it_is(how: str) -> None:
    script = f"import types; from asgi_app.server.deferred import defer; defer('uvicorn'); import socketio; {USED[how]}"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(("socketio.", "engineio.", "pdb"))
