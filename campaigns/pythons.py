"""Every Python that is here: the package is installed with it as a user does, and the tests of the client run on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from campaigns.report import ROOT, Found

OWN = ROOT / ".venv-pythons"
TESTS = (
    *("tests/unit", "tests/wires/client", "tests/wires/live", "tests/wires/rooms", "tests/wires/runs"),
    *("tests/process/run_command", "tests/process/test_remote_commands.py"),
)
MYPY = "tests/unit/test_client.py::test_users_are_checked_by_mypy"
MINUTES = 15  # for the tests of one Python


def versions() -> list[str]:
    """Return the versions that the package says it runs on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    said = [line.rpartition(" ")[2] for line in project["classifiers"] if "Python :: 3." in line]
    return sorted(said, key=lambda version: int(version.partition(".")[2]))


def interpreters(version: str) -> Iterator[str]:
    """Return those of this version on this machine, on the path or in pyenv's folder."""
    found = [named] if (named := shutil.which(f"python{version}")) else []
    found += map(str, Path.home().glob(f".pyenv/versions/{version}*/bin/python{version}"))
    for python in found:
        if subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0:
            yield python


def run() -> Found:
    """Try each of them. Return what was run and what was wrong, by version; None where there is no such Python."""
    began = time.monotonic()
    pythons = {version: _try(version) for version in versions()}
    return {"pythons": pythons, "seconds": time.monotonic() - began}


def is_good(found: Found) -> bool:
    """Whether nothing was wrong, and at least one Python was there."""
    tried = [python for python in found["pythons"].values() if python is not None]
    return bool(tried) and not any(python["wrong"] for python in tried)


def _try(version: str) -> Found | None:
    base = next(interpreters(version), None)
    if base is None:
        return None
    folder = OWN / version
    python = str(folder / "bin" / "python")
    print(f"Python {version}: installing", file=sys.stderr)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "-q", "-e", ".[dev,mqtt,redis]"]
    said = subprocess.run([base, "-V"], capture_output=True, text=True, check=True).stdout
    result: Found = {"version": said.split()[-1], "tests": 0, "skipped": 0, "wrong": []}
    try:
        subprocess.run([base, "-m", "venv", str(folder)], check=True)
        subprocess.run(pip, cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    except subprocess.CalledProcessError as error:
        result["wrong"].append(f"The package could not be installed: {error}")
        return result
    print(f"Python {version}: testing", file=sys.stderr)
    for what in ([*TESTS, "-m", "not slow"], [MYPY]):
        _test(python, what, folder / "tests.xml", result)
    return result


def _test(python: str, what: list[str], report: Path, result: Found) -> None:
    """Run these tests, and add to the result."""
    report.unlink(missing_ok=True)
    command = [python, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", f"--junitxml={report}", *what]
    try:
        subprocess.run(command, cwd=ROOT, env=_environment(), timeout=MINUTES * 60, check=False, stdout=sys.stderr)
        cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    except (subprocess.TimeoutExpired, FileNotFoundError) as error:
        result["wrong"].append(f"{what[0]}: {error}")
        return
    result["tests"] += len(cases)
    result["skipped"] += sum(case.find("skipped") is not None for case in cases)
    result["wrong"] += [
        f"{case.get('classname')}.{case.get('name')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]


def _environment() -> dict[str, str]:
    """Return ours, without what names another Python."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
