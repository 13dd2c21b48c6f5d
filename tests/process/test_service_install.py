"""`pilotlight service install --system`: the service comes to the same settings as a panel that is started by hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme

from asgi_app.errors import SetupError
from asgi_app.settings_file import config_of_sudo
from asgi_app.systemd import unit as units
from asgi_app.systemd.unit import Unit
from tests.support.as_service import Service
from tests.support.panel_process import ADDRESS, NO_TLS, ROOT, panel_environment, run_pilotlight

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the system's service is root's to install")

LIGHTS = '[lights.desk]\nname = "Desk"\npin = 12\n'
SHOW = next((ROOT / "asgi_app/shows/builtin").glob("*.toml")).read_text()


class Home:
    """Somebody's home, with a checkout that is installed editable into a virtual environment."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkout = path / "pilot light"
        self.checkout.mkdir()
        for part in ("asgi_app", "templates", "static"):
            shutil.copytree(ROOT / part, self.checkout / part, ignore=shutil.ignore_patterns("__pycache__"))
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", path / ".venv"], check=True)
        (site,) = (path / ".venv/lib").glob("python*/site-packages")
        (site / "editable.pth").write_text(f"{self.checkout}\n{sysconfig.get_path('purelib')}\n")
        (path / "lights.toml").write_text(f'port = 0\npins = "mock"\n{LIGHTS}')
        (path / "lights.toml").chmod(0o600)
        (path / "my shows").mkdir()
        (path / "my shows/mine.toml").write_text(SHOW)
        path.chmod(0o700)

    def install(self, *flags: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """`pilotlight service install --system …`, as it is installed here."""
        return subprocess.run(
            [self.path / ".venv/bin/python", "-m", "asgi_app", "service", "install", "--system", *flags],
            cwd=cwd or "/",
            env=panel_environment() | {"HOME": str(self.path), "XDG_CONFIG_HOME": ""} | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def unit(self, *flags: str, cwd: Path | None = None, **environment: str) -> str:
        done = self.install("--print", *flags, cwd=cwd, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    path = Path(tempfile.mkdtemp(prefix="pilotlight-test-", dir="/home"))
    yield Home(path)
    shutil.rmtree(path)


def served(unit: str) -> dict[str, object]:
    """What a panel that is started as the unit says has: its lights and its shows."""
    with Service(unit) as service:
        found = ADDRESS.search(service.until("Pilot Light"))
        assert found
        return {
            "lights": sorted(httpx.get(f"{found[1]}/lights", timeout=30, verify=NO_TLS).json()["lights"]),
            "mine": "mine" in httpx.get(f"{found[1]}/shows", timeout=30, verify=NO_TLS).text,
        }


@pytest.mark.slow
def test_a_file_and_shows_at_home(home: Home) -> None:
    unit = home.unit(f"--config={home.path}/lights.toml", f"--shows={home.path}/my shows")
    assert served(unit) == {"lights": ["desk"], "mine": True}


@pytest.mark.slow
def test_the_environment_and_the_users_own_file_and_shows(home: Home) -> None:
    folder = home.path / ".config/pilotlight"
    folder.mkdir(parents=True)
    shutil.copy(home.path / "lights.toml", folder / "pilotlight.toml")
    shutil.copytree(home.path / "my shows", home.path / ".local/share/pilotlight/shows")
    lights = json.dumps({"shelf": {"pin": 13, "name": 'a "b" $c %d \\'}})
    unit = home.unit(XDG_DATA_HOME="", PILOTLIGHT_LIGHTS=lights, PIGPIO_PORT="9999")
    assert "Environment=PIGPIO_PORT=9999" in unit
    assert served(unit) == {"lights": ["desk", "shelf"], "mine": True}


@pytest.mark.slow
def test_an_instance_has_a_name_a_directory_and_settings_of_its_own(home: Home) -> None:
    unit = home.unit(f"--config={home.path}/lights.toml", "--instance=f1")
    for line in ("User=pilotlight-f1", "StateDirectory=pilotlight-f1", "WorkingDirectory=%S/pilotlight-f1"):
        assert f"\n{line}\n" in unit
    assert " --node=f1 --data=%S/pilotlight-f1 --config=%d/config\n" in unit
    assert served(unit) == {"lights": ["desk"], "mine": False}
    assert " --node=other " in home.unit("--instance=f1", "--node=other")
    for wrong in ("f 1", "F1", "1f", "f" * 21, "f/1", "f%i"):
        refused = home.install("--print", f"--instance={wrong}")
        assert (refused.returncode, "is no name" in refused.stderr) == (2, True)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("systemctl") is None, reason="systemd is not installed here")
def test_instances_are_enabled_side_by_side(home: Home, tmp_path: Path) -> None:
    """By systemd itself, in a directory that stands for a machine."""
    folder = tmp_path / "etc/systemd/system"
    folder.mkdir(parents=True)
    for name in ("f1", "f2"):
        (folder / f"pilotlight@{name}.service").write_text(home.unit(f"--instance={name}"))
    for name in ("f1", "f2"):
        subprocess.run(["systemctl", f"--root={tmp_path}", "enable", f"pilotlight@{name}"], check=True)
    wanted = {link.name: link.readlink() for link in (folder / "multi-user.target.wants").iterdir()}
    assert wanted == {
        f"pilotlight@{name}.service": Path(f"/etc/systemd/system/pilotlight@{name}.service") for name in ("f1", "f2")
    }


def test_a_relative_path_is_made_whole(home: Home) -> None:
    unit = home.unit(cwd=home.path, PILOTLIGHT_SHOWS="my shows")
    assert f'"--shows={home.path}/my shows"' in unit
    assert f'BindReadOnlyPaths="{home.path}/my shows"' in unit


def test_a_link_stays_one(home: Home, tmp_path: Path) -> None:
    """certbot renews a certificate by changing where a link leads."""
    for version in ("1", "2"):
        trustme.CA().issue_cert("light.lan").private_key_and_cert_chain_pem.write_to_path(tmp_path / version)
    (tmp_path / "live.pem").symlink_to("1")
    assert f"LoadCredential=cert:{tmp_path}/live.pem\n" in home.unit(f"--cert={tmp_path}/live.pem")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_systemd_understands_what_it_carries(home: Home, tmp_path: Path) -> None:
    text = home.unit(f"--config={home.path}/lights.toml", f"--shows={home.path}/my shows", PILOTLIGHT_HOSTS='["a b%"]')
    file = tmp_path / "pilotlight.service"
    file.write_text(text)
    verified = subprocess.run(["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False)
    assert [line for line in verified.stderr.splitlines() if "pilotlight.service" in line] == []


# --- the proof ---------------------------------------------------------------------------------------------


@pytest.fixture
def systems(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file that would be written."""
    monkeypatch.setattr(units, "SYSTEM_DIRECTORY", tmp_path)
    return tmp_path / "pilotlight.service"


@pytest.mark.slow
def test_an_instance_is_tried_and_written_beside_the_others(systems: Path, home: Home) -> None:
    unit = Unit(True, ["--pins=mock", "--node=f1"], 5001, 100, instance="f1")
    said = units.install(unit, printed("--node=f1", "--data=/tmp"))
    assert said[0] == "tested the service: it finds its settings and its files"
    assert said[-1].endswith("systemctl enable --now pilotlight@f1")
    assert systems.with_name("pilotlight@f1.service").read_text() == unit.text()
    assert not systems.exists()
    systems.write_text("another")
    units.uninstall(unit)
    assert [file.name for file in systems.parent.glob("*.service")] == ["pilotlight.service"]


def printed(*flags: str) -> str:
    """The settings as `service check` has them."""
    return run_pilotlight("service", "check", "--pins=mock", *flags).stdout


def test_it_is_tried_before_it_is_written(systems: Path, home: Home) -> None:
    unit = Unit(True, ["--pins=mock", "--port=5001"], 5001, 100, shows=home.path / "my shows")
    said = units.install(unit, printed("--port=5001", "--data=/tmp"))
    assert said[0] == "tested the service: it finds its settings and its files"
    assert systems.read_text() == unit.text()


@pytest.mark.slow
def test_a_service_with_other_settings_is_not_installed(systems: Path) -> None:
    with pytest.raises(SetupError, match="would run with another port, another log_level"):
        units.install(
            Unit(True, ["--pins=mock"], 5000, 100), printed("--port=5001", "--log-level=debug", "--data=/tmp")
        )
    assert not systems.exists()


@pytest.mark.slow
def test_shows_that_the_service_may_not_read(systems: Path, home: Home) -> None:
    private = home.path / "private"
    private.mkdir(mode=0o700)
    with pytest.raises(SetupError, match=f"would not start: {private}: Permission denied"):
        units.install(Unit(True, [f"--shows={private}"], 5000, 100, shows=private), "{}")
    assert not systems.exists()


def test_the_file_of_who_calls_sudo(home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SUDO_UID", "no number")
    assert config_of_sudo() is None
    monkeypatch.setenv("SUDO_UID", str(os.getuid()))
    file = tmp_path / ".config/pilotlight/pilotlight.toml"
    entry = type("Entry", (), {"pw_dir": str(tmp_path)})
    monkeypatch.setattr("asgi_app.settings_file.pwd.getpwuid", lambda uid: entry)
    assert config_of_sudo() is None
    file.parent.mkdir(parents=True)
    file.write_text("")
    assert config_of_sudo() == file
