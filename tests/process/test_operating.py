"""The panel as a service: what systemd hears, the unit and what it may do, the lights after a kill, the doctor."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from asgi_app.cli import doctor
from asgi_app.cli.doctor import Finding, report
from asgi_app.settings import Settings
from asgi_app.systemd.notify import ServiceManager
from asgi_app.systemd.unit import Unit
from tests.support.panel_process import RunningPanel, eventually, run_pilotlight
from tests.support.pigpiod_standin import StandIn
from tests.support.steady_clock import steady

# --- what systemd hears ------------------------------------------------------------------------------------


class Systemd:
    """The end of NOTIFY_SOCKET that systemd has."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.settimeout(30)

    def hears(self) -> list[str]:
        """The lines of the next datagram."""
        return self._socket.recv(4096).decode().splitlines()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["file", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    address = str(tmp_path / "notify") if request.param == "file" else f"@pilotlight-test-{os.getpid()}"
    manager = Systemd(address)
    yield manager
    manager.close()


@pytest.mark.slow
@pytest.mark.alone
def test_systemd_hears_that_it_is_up_alive_and_stopping(
    systemd: Systemd, monkeypatch: pytest.MonkeyPatch, start_panel: Callable[..., RunningPanel], server: str
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", systemd.address)
    monkeypatch.setenv("WATCHDOG_USEC", "8000000")  # so it says so every 2 s
    panel = start_panel(server=server)
    assert systemd.hears() == ["READY=1", f"STATUS=serves {panel.url}/"]
    began = steady()
    assert [systemd.hears() for _ in range(3)] == [["WATCHDOG=1"]] * 3
    assert steady() - began < 3 * 8 / 2  # on average at most half of what systemd waits, on a busy machine too
    panel.process.send_signal(signal.SIGTERM)
    while (heard := systemd.hears()) == ["WATCHDOG=1"]:
        pass
    assert heard == ["STOPPING=1"]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NOTIFY_SOCKET": "/nonexistent/notify", "WATCHDOG_USEC": "1000"},
        {"WATCHDOG_USEC": "much"},
        {"NOTIFY_SOCKET": "/nonexistent", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"},  # another process's
    ],
)
def test_without_systemd_nothing_happens(environment: dict[str, str]) -> None:
    manager = ServiceManager(environment)
    manager.notify("READY=1")
    manager.alive()


# --- the unit ----------------------------------------------------------------------------------------------


def settings_of(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", unit, re.M):
        found.setdefault(name, []).append(value)
    return found


def printed(*flags: str) -> str:
    done = run_pilotlight("service", "install", "--print", *flags)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("whose", ["--system", "--user"])
@pytest.mark.parametrize(("name", "flags"), [("pilotlight", ()), ("pilotlight@f-1", ("--instance=f-1",))])
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_systemd_understands_the_unit(whose: str, name: str, flags: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / f"{name}.service"
    file.write_text(printed(whose, "--port=80", "--host=0.0.0.0", *flags))
    verified = subprocess.run(["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False)
    assert (verified.returncode, [line for line in verified.stderr.splitlines() if "pilotlight" in line]) == (0, [])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_the_systems_unit_has_hardly_any_rights(tmp_path: Path) -> None:
    file = tmp_path / "pilotlight.service"
    file.write_text(printed("--system"))
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(file)]
    rated = subprocess.run(command, capture_output=True, text=True, check=False)
    assert rated.returncode == 0, rated.stdout


def test_what_the_systems_unit_says() -> None:
    unit = settings_of(printed("--system", "--host=0.0.0.0"))
    assert unit["Type"] == ["notify"]
    assert unit["DynamicUser"] == ["yes"]
    assert unit["WorkingDirectory"] == ["%S/pilotlight"]
    assert unit["ProtectSystem"] == ["strict"]
    assert unit["CapabilityBoundingSet"] == [""]
    assert unit["ExecStart"][0].endswith("-m asgi_app serve --host=0.0.0.0 --data=%S/pilotlight")
    assert unit["ExecStopPost"][0].endswith("-m asgi_app exit-levels --host=0.0.0.0 --data=%S/pilotlight")
    assert int(unit["WatchdogSec"][0]) > 0


def test_a_low_port_a_certificate_and_odd_words(tmp_path: Path) -> None:
    unit = Unit(True, ["--shows=/my shows/100%/$HOME"], 443, 100, tmp_path / "cert.pem", tmp_path / "key.pem")
    said = settings_of(unit.text())
    assert said["AmbientCapabilities"] == ["CAP_NET_BIND_SERVICE"]
    assert said["LoadCredential"] == [f"cert:{tmp_path}/cert.pem", f"key:{tmp_path}/key.pem"]
    assert '"--shows=/my shows/100%%/$$HOME" --data=%S/pilotlight --cert=%d/cert --key=%d/key' in said["ExecStart"][0]


@pytest.mark.slow
def test_installing_and_uninstalling_ones_own(tmp_path: Path) -> None:
    home = {"XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)}
    done = run_pilotlight("service", "install", "--port=5001", "--data=relative", env=home)
    file = tmp_path / "systemd/user/pilotlight.service"
    assert done.returncode == 0, done.stderr
    assert "systemctl --user enable --now pilotlight" in done.stdout
    assert re.search(r"ExecStart=.* --port=5001", file.read_text())
    assert re.search(r"--data=/\S+/relative", file.read_text())
    assert "DynamicUser" not in file.read_text()
    assert run_pilotlight("service", "uninstall", env=home).returncode == 0
    assert not file.exists()
    assert "there is no" in run_pilotlight("service", "uninstall", env=home).stdout


@pytest.mark.slow
def test_ones_own_instances_have_their_own_data(tmp_path: Path) -> None:
    home = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
    done = run_pilotlight("service", "install", "--instance=f1", env=home)
    assert done.returncode == 0, done.stderr
    assert "systemctl --user enable --now pilotlight@f1" in done.stdout
    file = tmp_path / "systemd/user/pilotlight@f1.service"
    assert f" --node=f1 --data={tmp_path}/data/pilotlight-f1\n" in file.read_text()
    named = run_pilotlight("service", "install", "--print", "--instance=f1", f"--data={tmp_path}/mine", env=home)
    assert f" --data={tmp_path}/mine\n" in named.stdout
    assert "there is no" in run_pilotlight("service", "uninstall", env=home).stdout
    assert run_pilotlight("service", "uninstall", "--instance=f1", env=home).returncode == 0
    assert not file.exists()


def test_a_wrong_setting_is_said_before_it_is_installed(tmp_path: Path) -> None:
    home = {"XDG_CONFIG_HOME": str(tmp_path)}
    done = run_pilotlight("service", "install", "--port=70000", env=home)
    assert (done.returncode, "port" in done.stderr) == (2, True)
    assert not (tmp_path / "systemd").exists()


# --- exit levels -------------------------------------------------------------------------------------------


def test_lights_reach_their_exit_levels_after_kill_9(
    start_panel: Callable[..., RunningPanel], pigpiod: StandIn, tmp_path: Path
) -> None:
    lights = "[lights.desk]\npin = 12\nexit = 'off'\n[lights.shelf]\npin = 13\n"
    panel = start_panel(pins="pigpio", pigpio_port=pigpiod.port, lights=lights)
    for light in ("desk", "shelf"):
        panel.patch(f"/lights/{light}", {"level": 60})
    flags = [f"--data={panel.data}", "--pins=pigpio", f"--pigpio-port={pigpiod.port}"]
    config = f"--config={panel.data.parent / panel.data.name}.toml"
    running = run_pilotlight("exit-levels", *flags, config)
    assert (running.returncode, "Another panel" in running.stderr) == (2, True)
    assert pigpiod.duty(12) == pytest.approx(0.6, abs=0.01)
    panel.kill()
    done = run_pilotlight("exit-levels", *flags, config)
    assert (done.returncode, done.stdout) == (0, "light desk is at 0 %\n")
    eventually(lambda: pigpiod.duty(12) == 0)
    assert pigpiod.duty(13) == pytest.approx(0.6, abs=0.01)  # its exit is keep


def test_pins_that_cannot_be_driven_are_said(tmp_path: Path) -> None:
    (tmp_path / "lights.toml").write_text("[lights.desk]\npin = 12\nexit = 'off'\n")
    flags = ["--pins=pigpio", "--pigpio-port=9", f"--data={tmp_path}", f"--config={tmp_path}/lights.toml"]
    done = run_pilotlight("exit-levels", *flags)
    assert (done.returncode, "exit level" in done.stderr) == (2, True)


# --- the doctor --------------------------------------------------------------------------------------------


def findings(tmp_path: Path, **settings: object) -> dict[str, Finding]:
    settings = {"pins": "mock", "data": tmp_path, "port": 0} | settings
    return {finding.what: finding for finding in report(Settings(**settings))}  # type: ignore[arg-type]


def test_a_healthy_machine(tmp_path: Path) -> None:
    found = findings(tmp_path)
    assert [what for what, finding in found.items() if not finding.good] == []
    assert {"data", "port", "clock"} <= found.keys()


def test_a_port_in_use_by_somebody_else_and_by_a_panel(tmp_path: Path, panel: RunningPanel) -> None:
    assert "a panel is running" in findings(tmp_path, port=panel.port)["port"].says
    with socket.create_server(("127.0.0.1", 0)) as other:
        found = findings(tmp_path, port=other.getsockname()[1])["port"]
    assert (found.good, found.fix) == (False, "choose another --port or --host")


@pytest.mark.parametrize(
    ("days", "good", "says"), [(100, True, "days left"), (5, False, "expires in 5 days"), (-5, False, "has expired")]
)
def test_a_certificate_and_how_long_it_holds(tmp_path: Path, days: int, good: bool, says: str) -> None:
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days, hours=1)
    cert = tmp_path / "cert.pem"
    trustme.CA().issue_cert("127.0.0.1", not_after=ends).private_key_and_cert_chain_pem.write_to_path(cert)
    found = findings(tmp_path, cert=cert)["certificate"]
    assert (found.good, says in found.says) == (good, True)


def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    assert "Cannot read" in findings(tmp_path, cert=tmp_path / "no.pem")["certificate"].says


@pytest.mark.parametrize(("trusted", "good"), [("127.0.0.1", True), ("0.0.0.0/0", False), ("::/0", False)])
def test_whom_it_believes(tmp_path: Path, trusted: str, good: bool) -> None:
    assert findings(tmp_path, trusted_proxies=[trusted])["proxies"].good is good


@pytest.mark.parametrize(
    ("now", "before", "good", "fix"),
    [
        (False, False, True, None),
        (False, True, True, "use a stronger power supply"),
        (True, True, False, "use a stronger power supply"),
    ],
)
def test_power(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: bool, before: bool, good: bool, fix: str | None
) -> None:
    conditions = {("under-voltage", "now"): now, ("under-voltage", "since_boot"): before}
    monkeypatch.setattr(doctor, "throttling", lambda: conditions)
    found = findings(tmp_path)["power"]
    assert (found.good, found.fix) == (good, fix)


def test_a_clock_that_nobody_has_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.time, "time", lambda: 1000.0)
    found = findings(tmp_path)["clock"]
    assert (found.good, found.fix) == (False, "timedatectl set-ntp true")
