"""`make run` where nothing is installed yet: it says what it does, and asks for what this machine can have."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.panel_process import ROOT

# Stands for Python: makes an environment whose Python and whose `pilotlight` say what they are asked for.
PYTHON = """#!/bin/sh
[ "$1 $2" = "-m venv" ] || exit 9
mkdir -p "$3/bin"
printf '#!/bin/sh\\necho "python $*"\\n' >"$3/bin/python"
printf '#!/bin/sh\\necho "pilotlight $*"\\n' >"$3/bin/pilotlight"
chmod +x "$3/bin/python" "$3/bin/pilotlight"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for file in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / file, tmp_path)
    program(tmp_path / "python", PYTHON)
    return tmp_path


def program(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


def make(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{checkout / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    command = ["make", *arguments, f"PYTHON={checkout / 'python'}"]
    return subprocess.run(
        command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_each_step_is_said_before_it_begins(checkout: Path) -> None:
    done = make(checkout, "--silent", "run", "RUN_ARGS=--port 5001")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "Pilot Light: making a Python environment in .venv",
        "Pilot Light: installing what it needs into .venv; this happens once and takes a minute or two",
        "python -m pip --disable-pip-version-check install -r requirements.lock",  # not quiet: pip says how far it is
        "Pilot Light: installing itself",
        "python -m pip --disable-pip-version-check install --quiet --no-deps -e .",
        "Pilot Light: installed",
        "pilotlight serve --port 5001",
    ]


def test_the_second_time_there_is_nothing_to_say(checkout: Path) -> None:
    make(checkout, "run")
    assert make(checkout, "--silent", "run").stdout == "pilotlight serve\n"


def test_a_python_that_makes_no_environment(checkout: Path) -> None:
    program(
        checkout / "python", '#!/bin/sh\nmkdir -p "$3/bin"\n: > "$3/bin/python"\nexit 1\n'
    )  # Debian's, without venv
    done = make(checkout, "run")
    assert done.returncode != 0
    assert "sudo apt install python3-venv" in done.stderr
    assert not (checkout / ".venv").exists()  # the next try begins at the beginning


@pytest.mark.parametrize(("bits", "prefix"), [("32", "as a 32-bit system\n"), ("64", "")])
def test_pip_takes_a_32_bit_system_for_what_it_is(checkout: Path, bits: str, prefix: str) -> None:
    program(checkout / "bin/getconf", f"#!/bin/sh\necho {bits}\n")
    program(checkout / "bin/linux32", '#!/bin/sh\necho "as a 32-bit system"\nexec "$@"\n')
    done = make(checkout, "--silent", "run")
    assert f"{prefix}python -m pip --disable-pip-version-check install -r requirements.lock" in done.stdout
    assert ("as a 32-bit system" in done.stdout) is bool(prefix)
