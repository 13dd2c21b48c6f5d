"""`pilotlight doctor` where much is wrong: a finding each, never a traceback. And a panel there, which starts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from asgi_app.cli import doctor
from asgi_app.settings import Settings
from tests.support.panel_process import PILOTLIGHT, ROOT, panel_environment

# Root may read and write everything: without these rights it meets closed doors as others do.
AS_OTHERS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
FAKE_LGPIO = "import os\nos.mkfifo('.lgd-nfy0')\nerror = OSError\n"  # what lgpio does when it is imported


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o000)
    return folder


@pytest.fixture
def read_only(tmp_path: Path) -> Path:
    folder = tmp_path / "read only"
    folder.mkdir(mode=0o555)
    return folder


def run(*arguments: str, cwd: Path = ROOT, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environment = panel_environment() | {"PYTHONPATH": str(ROOT)} | (env or {})
    command = [*AS_OTHERS, *PILOTLIGHT, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False)


def looked(*arguments: str, **options: Any) -> dict[str, str]:
    """What `doctor` does not find good, by name."""
    done = run("doctor", "--port=0", *arguments, **options)
    assert "Traceback" not in done.stderr + done.stdout
    assert done.returncode in (0, 1), done.stderr
    lines = [line.removeprefix("look ").split(": ", 1) for line in done.stdout.splitlines() if line.startswith("look ")]
    assert "clock" in done.stdout  # it went on to the end
    return dict(lines)


def test_lgpio_in_a_folder_that_cannot_be_written(tmp_path: Path, read_only: Path) -> None:
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "lgpio.py").write_text(FAKE_LGPIO)
    environment = {"PYTHONPATH": f"{modules}{os.pathsep}{ROOT}"}
    found = looked("--pins=lgpio", f"--data={read_only}/data", cwd=read_only, env=environment)
    assert found.keys() == {"pins", "data"}
    assert str(read_only) in found["pins"]
    assert "start the panel in a directory that you may write" in found["pins"]
    assert found["data"] == f"{read_only} is not writable"


def test_a_home_that_may_not_be_read(closed: Path) -> None:
    environment = {"HOME": str(closed), "XDG_CONFIG_HOME": "", "XDG_DATA_HOME": ""}
    found = looked("--pins=mock", f"--cert={closed}/cert.pem", env=environment)
    assert found.keys() == {"settings", "data", "certificate"}
    assert all(str(closed) in says for says in found.values())


def test_a_folder_that_is_not_there_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    found = list(doctor.report(Settings(pins="mock", data=Path("relative"), port=0)))
    assert [finding.what for finding in found if not finding.good] == ["data"]


@pytest.mark.parametrize(
    ("setting", "value", "what", "says"),
    [
        ("data", "/dev/null/data", "data", "not a directory"),
        ("host", "a" * 70, "port", "too long"),
        ("host", "a..b", "port", "empty"),
        ("host", "", "port", ""),
        ("host", "203.0.113.1", "port", "assign"),
        ("cert", "/dev", "certificate", "directory"),
        ("cert", "/dev/null", "certificate", "no certificate"),
        ("pigpio_host", "a..b", "pins", "does not answer at a..b"),
    ],
)
def test_a_setting_that_is_no_good(tmp_path: Path, setting: str, value: str, what: str, says: str) -> None:
    given: dict[str, Any] = {"pins": "mock", "data": tmp_path, "port": 0, setting: value}
    if setting == "pigpio_host":
        given["pins"] = "pigpio"
    found = {finding.what: finding.says for finding in doctor.report(Settings(**given)) if not finding.good}
    assert found.keys() == {what}
    assert says in found[what]


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        ("board_model", "version"),
        ("config_in_use", "settings"),
        ("choose", "pins"),
        ("throttling", "power"),
        ("listen", "port"),
        ("time", "clock"),
    ],
)
def test_a_check_that_fails_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, broken: str, what: str
) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("this is broken")

    monkeypatch.setattr(doctor, broken, fail)
    found = list(doctor.report(Settings(pins="mock", data=tmp_path, port=0)))
    assert {finding.what: finding.good for finding in found if not finding.good} == {what: False}
    assert len(found) >= 6


def test_output_that_is_cut_off(tmp_path: Path) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    command = [*PILOTLIGHT, "doctor", "--pins=mock", "--port=0", f"--data={tmp_path}"]
    done = subprocess.run(
        command, cwd=ROOT, env=panel_environment(), stdout=writes, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writes)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is part of util-linux")
def test_a_panel_starts_without_a_home_and_in_a_closed_folder(closed: Path, tmp_path: Path) -> None:
    environment = panel_environment() | {"HOME": str(closed), "XDG_CONFIG_HOME": "", "XDG_DATA_HOME": ""}
    process = subprocess.Popen(
        [*AS_OTHERS, *PILOTLIGHT, "serve", "--pins=mock", "--port=0"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        printed: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            printed.append(line)
            if "[started " in line:
                break
        assert process.poll() is None, printed
        assert "Traceback" not in "".join(printed)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
