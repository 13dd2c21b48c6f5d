"""What a start loads: the modules that it needs, and none of those that only some requests or commands need."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.panel_process import ROOT, RunningPanel, panel_environment

NOTING = (sys.executable, "-m", "tests.support.loaded_modules")
SERVERS = {"quart", "socketio", "uvicorn", "hypercorn"}  # Quart itself imports hypercorn
LATER = {"argon2", "prometheus_client", "quart_schema", "segno"}  # for sign-ins, /metrics, /openapi.json, terminals


class Noting(RunningPanel):
    """A panel that notes its modules when it ends."""

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
    assert not loaded & LATER
    assert ("asgi_app.server.hypercorn" in loaded) == (server == "hypercorn")


@pytest.mark.parametrize("path", ["/metrics", "/openapi.json"])
def test_the_rest_is_loaded_when_somebody_asks(tmp_path: Path, path: str) -> None:
    with Noting(tmp_path / "data") as panel:
        assert panel.get(path).status_code == 200
        panel.stop()
    assert names(tmp_path / "modules") & LATER


@pytest.mark.parametrize(
    "command",
    [["--version"], ["--help"], ["run", "--panel=http://127.0.0.1:1", "true"], ["pin"], ["token", "add", "me"]],
    ids=lambda words: words[0],
)
def test_a_command_loads_no_server(tmp_path: Path, command: list[str]) -> None:
    program = [*NOTING, str(tmp_path / "modules"), *command]
    env = panel_environment() | {"PILOTLIGHT_DATA": str(tmp_path)}
    done = subprocess.run(program, cwd=ROOT, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    loaded = names(tmp_path / "modules")
    assert not loaded & (SERVERS | LATER | {"gpiozero"})
    if command[0] != "run":
        assert not loaded & {"asyncio"}
    assert not loaded & {"pydantic", "pydantic_settings"}
